"""A GPU behind the same interface as the CPU: the same maps, lying elsewhere."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cuda_maps
import numpy as np
import pytest
from cases import CASES, KERAS3, randomize
from cases import frames as case_frames
from configurations import conv, entry, image, model, on
from cuda_maps import LAYERS, SHAPE, near, pilot
from fake_driver import FakeDriver
from oracles import handmade
from python_threads import together

import fastact
from fastact import Extractor
from fastact.engines import cuda, dlpack
from fastact.errors import InputError
from fastact.kernels.cuda.device import Device
from fastact.saliency import GradCam, GradientSaliency, VisualBackProp

fake, frames = cuda_maps.fake, cuda_maps.frames  # fixtures: ruff takes imported ones for unused


def fetched(fake: FakeDriver) -> int:
    """How many copies to the host were begun."""
    return sum(what == "copy out" for what, _ in fake.began)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_same_maps(fake: FakeDriver, frames: np.ndarray, dtype: type):
    extract, frame = Extractor(pilot(), LAYERS, device="cuda"), frames[0].astype(dtype)
    assert extract.device == "cuda"
    maps, expected = extract(frame), Extractor(pilot(), LAYERS)(frame)
    assert near(maps, expected)
    assert near(maps.copy(), expected)
    assert maps["c1"].flags.c_contiguous


def test_maps_stay_on_the_device_until_asked_for(fake: FakeDriver, frames: np.ndarray):
    maps = Extractor(pilot(), LAYERS, device="cuda")(frames[0])
    assert "'c1': 4x5x4" in repr(maps)
    assert len(maps) == 3
    assert "c1" in maps
    maps.on_device("c2")
    assert fetched(fake) == 0
    first = maps["c1"]
    assert maps["c1"] is first
    assert fetched(fake) == 1
    maps.copy()  # the rest, together
    assert fetched(fake) == 2
    with pytest.raises(KeyError, match="there are c1, c2, out"):
        maps["c3"]
    with pytest.raises(KeyError, match="c3"):
        maps.on_device("c3")
    assert maps.mosaic("c1").size[0] > 4
    assert "c2" in maps._repr_html_()


def test_maps_are_theirs(fake: FakeDriver, frames: np.ndarray):
    extract, plain = Extractor(pilot(), LAYERS, device="cuda"), Extractor(pilot(), LAYERS)
    several = [extract(frame) for frame in frames]
    assert all(near(maps, plain(frame)) for maps, frame in zip(several, frames, strict=True))


def test_maps_given_back_are_overwritten(fake: FakeDriver, frames: np.ndarray):
    extract, plain = Extractor(pilot(), LAYERS, device="cuda"), Extractor(pilot(), LAYERS)
    maps = extract(frames[0])
    assert near(maps, plain(frames[0]))
    before = fetched(fake)
    assert extract(frames[1], out=maps) is maps
    assert near(maps, plain(frames[1]))
    assert fetched(fake) == before + 1  # all were asked for the time before
    for wrong in (plain(frames[0]), extract.batch(frames[:1]), Extractor(pilot(), LAYERS, device="cuda")(frames[0])):
        with pytest.raises(InputError, match="out must be"):
            extract(frames[0], out=wrong)


def test_a_stream(fake: FakeDriver, frames: np.ndarray):
    extract, plain = Extractor(pilot(), LAYERS, device="cuda"), Extractor(pilot(), LAYERS)
    taken = []

    def source() -> Iterator[np.ndarray]:
        for i in (0, 1, 2, 0, 1):
            taken.append(i)
            yield frames[i]

    seen = 0
    for maps, i in zip(extract.stream(source()), (0, 1, 2, 0, 1), strict=True):
        seen += 1
        assert len(taken) == min(seen + 1, 5)  # the next one is under way
        assert near(maps, plain(frames[i]))
    lanes = {stream for what, stream in fake.began if what in ("copy in", "copy out", "launch", "graph")}
    assert len(lanes) > 2  # beside the one that weights went in on
    assert seen == 5


def test_a_stream_that_ends_with_an_error(fake: FakeDriver, frames: np.ndarray):
    """What was begun before it is given first."""
    stream = Extractor(pilot(), LAYERS, device="cuda").stream([frames[0], frames[1], frames[2][0]])
    given = [next(stream).copy(), next(stream).copy()]
    with pytest.raises(InputError, match="frame is 7x3"):
        next(stream)
    plain = Extractor(pilot(), LAYERS)
    assert all(near(maps, plain(frame)) for maps, frame in zip(given, frames, strict=False))


def test_a_batch(fake: FakeDriver, frames: np.ndarray):
    maps, expected = (Extractor(pilot(), LAYERS, device=d).batch(frames) for d in ("cuda", "cpu"))
    assert near(maps, expected)
    array = maps.on_device("c2").__cuda_array_interface__
    assert (array["version"], array["typestr"], array["shape"]) == (3, "<f4", (3, 2, 3, 4))
    assert array["strides"][1:] == (48, 16, 4)
    memory = fake._bytes(array["data"][0])
    lying = np.ndarray(array["shape"], np.float32, memory, 0, array["strides"])
    assert np.array_equal(lying, maps["c2"])


def test_a_batch_that_does_not_fit_goes_in_parts(fake: FakeDriver, frames: np.ndarray, monkeypatch):
    monkeypatch.setattr(cuda, "most_frames", lambda strides: 2)
    maps, expected = (Extractor(pilot(), LAYERS, device=d).batch(frames) for d in ("cuda", "cpu"))
    assert near(maps, expected)
    with pytest.raises(InputError, match="CPU's memory"):
        maps.on_device("c1")


def test_memory_of_the_gpu_bounds_a_batch(fake: FakeDriver, frames: np.ndarray, monkeypatch):
    extract = Extractor(pilot(), LAYERS, device="cuda")
    extract(frames[0])
    free = Device.free_memory
    monkeypatch.setattr(Device, "free_memory", lambda self: min(free(self), 12_000))
    assert near(extract.batch(frames), Extractor(pilot(), LAYERS).batch(frames))
    launches = [what for what, _ in fake.began if what == "copy in"]
    assert len(launches) > 3


def test_threads_share_an_extractor(fake: FakeDriver, frames: np.ndarray):
    extract, plain = Extractor(pilot(), LAYERS, device="cuda"), Extractor(pilot(), LAYERS)

    def work(me: int) -> None:
        maps = [extract(frames[me]) for _ in range(2)]
        assert all(near(found, plain(frames[me])) for found in maps)

    together(partial(work, me) for me in range(2))


def test_memory_comes_back(fake: FakeDriver, frames: np.ndarray):
    extract = Extractor(pilot(), LAYERS, device="cuda")
    extract(frames[0])
    extract.batch(frames[:2])
    del extract
    gc.collect()
    left = fake.leaks()
    assert not left.keys() & {"memory", "stream", "event", "executable"}


def test_arrays_as_others_take_them(fake: FakeDriver, frames: np.ndarray):
    maps = Extractor(pilot(), LAYERS, device="cuda")(frames[0])
    array = maps.on_device("c1")
    assert array.shape == (4, 5, 4)
    assert array.__cuda_array_interface__["strides"] == (80, 16, 4)
    assert array.__dlpack_device__() == (2, 0)
    assert "dltensor" in repr(array.__dlpack__(stream=1, max_version=(1, 1)))
    with pytest.raises(BufferError):
        array.__dlpack__(copy=True)
    with pytest.raises(BufferError):
        array.__dlpack__(dl_device=(1, 0))


class OfTheHost:
    """An array of the CPU's, handed on as those of a GPU are, so that NumPy can read the struct."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, **options: object) -> object:
        return dlpack.capsule(self, self.array.ctypes.data, self.array.shape, self.array.strides, (1, 0))


def test_dlpack_is_as_numpy_reads_it():
    whole = np.arange(60, dtype=np.float32).reshape(3, 5, 4)
    for view in (whole, whole[:, 1:3, ::2]):
        owner = OfTheHost(view)
        alive = weakref.ref(owner)
        taken = np.from_dlpack(owner)
        assert np.array_equal(taken, view)
        assert np.shares_memory(taken, view)
        del owner
        gc.collect()
        assert alive() is not None  # for as long as the array lives
        del taken
        gc.collect()
        assert alive() is None
    owner = OfTheHost(whole)
    alive = weakref.ref(owner)
    unused = owner.__dlpack__()
    del owner, unused
    gc.collect()
    assert alive() is None


# Whole models.


def test_every_layer_and_an_input_in_bytes(fake: FakeDriver, frames: np.ndarray):
    """The input is wanted, so that it is made floats for all to read."""
    maps, expected = (Extractor(pilot(), "all", device=d)(frames[0]) for d in ("cuda", "cpu"))
    assert near(maps, expected)
    assert np.array_equal(maps["img"], frames[0].astype(np.float32) / np.float32(255))


def test_several_inputs(fake: FakeDriver, frames: np.ndarray, random: np.random.Generator):
    layers = [
        image("img", SHAPE), image("numbers", (4,)), conv("c", [on("img")]),
        entry("Dense", "d", [on("numbers")], units=3),
    ]  # fmt: skip
    built = handmade(model(layers, [["img", 0, 0], ["numbers", 0, 0]], [["c", 0, 0], ["d", 0, 0]]))
    fed = {"img": frames, "numbers": random.random((3, 4), np.float32)}
    maps, expected = (Extractor(built, "all", device=d).batch(fed) for d in ("cuda", "cpu"))
    assert near(maps, expected)
    alone = Extractor(built, "d", device="cuda")({name: array[0] for name, array in fed.items()})
    assert np.allclose(alone["d"], expected["d"][0], rtol=1e-5)


def test_masks_are_computed_with_the_maps(fake: FakeDriver, frames: np.ndarray):
    for method in (
        lambda **d: VisualBackProp(pilot(), **d),
        lambda **d: GradientSaliency(pilot(), "out", **d),
        lambda **d: GradCam(pilot(), output="out", **d),
    ):
        see, expected = method(device="cuda"), method(device="cpu")
        assert np.allclose(see(frames[0]), expected(frames[0]), atol=1e-5)
        assert see.device == "cuda"
        assert near(see.maps, expected.maps)


def test_verify_on_a_gpu(fake: FakeDriver, keras_named: Callable[[str], Any], run, tmp_path: Path):
    layers = keras_named(KERAS3).layers
    picture = layers.Input((8, 8, 3), name="img")
    y = layers.Conv2D(4, 3, strides=2, padding="same", activation="elu")(picture)
    y = layers.MaxPooling2D()(layers.BatchNormalization()(y))
    network = keras_named(KERAS3).Model(picture, layers.Dense(3, activation="softmax")(layers.Flatten()(y)))
    network.save(tmp_path / "small.keras")
    result = run("verify", tmp_path / "small.keras", "--device", "cuda")
    assert result.status == 0, result
    assert "0 beyond" in result.out
    assert any(what == "launch" for what, _ in fake.began)


@pytest.mark.parametrize("case", [c for c in CASES if KERAS3 in c.keras][::60], ids=lambda case: case.id)
def test_layers_of_the_table(fake: FakeDriver, keras_named: Callable[[str], Any], case: Any, tmp_path: Path):
    """Some of the rows that the CPU is held to TensorFlow with; every operation has its own tests."""
    network = case.make(keras_named(KERAS3))
    randomize(network)
    network.save(tmp_path / "model.keras")
    built = fastact.load(tmp_path / "model.keras")
    fed = case_frames(built.input_shapes, 2)
    maps, expected = (Extractor(built, "all", device=device).batch(fed) for device in ("cuda", "cpu"))
    for name, array in expected.items():
        largest = float(np.nanmax(np.abs(array), initial=1e-6, where=np.isfinite(array)))
        assert np.allclose(maps[name], array, rtol=1e-5, atol=1e-5 * largest, equal_nan=True), name
