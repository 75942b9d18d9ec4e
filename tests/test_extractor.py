"""The extractor and its maps, as their docstrings promise them."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from configurations import conv, entry, image, model, on
from oracles import handmade
from python_threads import together

import fastact
from fastact import Extractor, Model
from fastact.errors import InputError, LayerNotFoundError, UnsupportedError

SHAPE = (20, 24, 3)


def pilot(channels: int = 3) -> Model:
    layers = [
        image("img", (20, 24, channels)), conv("c1", [on("img")], activation="relu"), conv("c2", [on("c1")]),
        entry("Flatten", "flat", [on("c2")]), entry("Dense", "out", [on("flat")], units=2),
    ]  # fmt: skip
    return handmade(model(layers, [["img", 0, 0]], [["out", 0, 0]]))


def two_inputs() -> Model:
    layers = [
        image("img", SHAPE), image("numbers", (4,)), conv("c", [on("img")]),
        entry("Dense", "d", [on("numbers")], units=3),
    ]  # fmt: skip
    return handmade(model(layers, [["img", 0, 0], ["numbers", 0, 0]], [["c", 0, 0], ["d", 0, 0]]))


@pytest.fixture
def frame(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, SHAPE, np.uint8)


def same(a: fastact.FeatureMaps, b: fastact.FeatureMaps) -> bool:
    return list(a) == list(b) and all(np.array_equal(a[name], b[name]) for name in a)


def test_public_names():
    assert sorted(fastact.__all__) == ["Extractor", "FastactError", "FeatureMaps", "Model", "__version__", "load"]
    assert all(hasattr(fastact, name) for name in fastact.__all__)


def test_maps(frame: np.ndarray):
    maps = Extractor(pilot())(frame)
    assert list(maps) == ["c1", "c2"]
    assert len(maps) == 2
    assert "c1" in maps
    assert maps["c1"].shape == (18, 22, 4)
    assert maps["c1"].dtype == np.float32
    assert maps["c1"].flags.c_contiguous
    assert maps.missing == {}
    assert "18x22x4" in repr(maps)


def test_bytes_are_scaled_by_255_exactly(frame: np.ndarray):
    extract = Extractor(pilot(), "all")
    assert same(extract(frame), extract(frame.astype(np.float32) / np.float32(255)))
    assert np.array_equal(extract(frame)["img"], frame.astype(np.float32) / np.float32(255))


def test_floats_are_taken_as_they_are(frame: np.ndarray):
    extract = Extractor(pilot(), "all")
    single = frame.astype(np.float32) * 3 - 100
    assert np.array_equal(extract(single)["img"], single)
    for dtype in (np.float64, np.float16, ">f4", np.longdouble):
        other = single.astype(dtype)
        assert same(extract(other), extract(other.astype(np.float32)))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a[..., ::-1], np.asfortranarray,
        lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: np.broadcast_to(a[:1], a.shape),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_frames_that_are_not_contiguous(frame: np.ndarray, view: Callable[[np.ndarray], np.ndarray], dtype: type):
    extract, seen = Extractor(pilot()), view(frame.astype(dtype))
    before = seen.copy()
    assert same(extract(seen), extract(before))
    assert np.array_equal(seen, before)


def test_a_frame_that_may_not_be_written(frame: np.ndarray):
    frame.flags.writeable = False
    Extractor(pilot(), "all")(frame)


def test_a_grey_picture_may_have_two_axes(random: np.random.Generator):
    grey = random.integers(0, 256, (20, 24), np.uint8)
    extract = Extractor(pilot(channels=1))
    assert same(extract(grey), extract(grey[..., None]))
    with pytest.raises(InputError, match="20x24x3"):
        Extractor(pilot())(grey)


def test_several_inputs(frame: np.ndarray):
    extract, numbers = Extractor(two_inputs(), "all"), np.arange(4, dtype=np.float32)
    maps = extract({"numbers": numbers, "img": frame})
    assert np.array_equal(maps["numbers"], numbers)
    assert maps["d"].shape == (3,)
    for wrong, words in (
        (frame, "2 inputs, img, numbers"), ({"img": frame}, "also needs 'numbers'"),
        ({"img": frame, "numbers": numbers, "more": numbers}, "does not have 'more'"), ({}, "also needs"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            extract(wrong)


def test_one_input_by_name(frame: np.ndarray):
    extract = Extractor(pilot())
    assert same(extract({"img": frame}), extract(frame))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((1, *SHAPE), np.uint8), "without the batch axis"),
        (np.zeros((24, 20, 3), np.uint8), r"20x24x3.*24x20x3"),
        (np.zeros((20, 24, 4), np.uint8), "20x24x4"),
        (np.zeros((0, 24, 3), np.uint8), "0x24x3"),
        (np.zeros(SHAPE, np.int64), "int64"),
        (np.zeros(SHAPE, bool), "bool"),
        (np.zeros(SHAPE, complex), "complex"),
        (np.zeros(SHAPE, object), "object"),
        (np.array("a picture"), "one value"),
        ([[1, 2], [3, 4]], "list"),
        (None, "NoneType"),
        ("frame.jpg", "str"),
    ],
)
def test_frames_that_do_not_fit(wrong: Any, words: str):
    with pytest.raises(InputError, match=words):
        Extractor(pilot())(wrong)


def test_layers_asked_for():
    assert Extractor(pilot(), "*").layers == ("img", "c1", "c2", "flat", "out")
    with pytest.raises(LayerNotFoundError):
        Extractor(pilot(), "conv*")


def test_missing_layers(frame: np.ndarray):
    layers = [image("img", SHAPE), conv("c", [on("img")]), entry("Masking", "memory", [on("c")])]
    built = handmade(model(layers, [["img", 0, 0]], [["memory", 0, 0]]))
    maps = Extractor(built, "all")(frame)
    assert maps.missing.keys() == {"memory"}
    with pytest.raises(KeyError, match=r"not computed: .*time steps"):
        maps["memory"]
    with pytest.raises(KeyError, match="there are img, c"):
        maps["other"]
    with pytest.raises(UnsupportedError, match="'memory'"):
        Extractor(built, "memory")
    assert "memory" in repr(maps)
    assert maps.copy().missing == maps.missing


def test_maps_are_theirs_after_later_calls_and_after_the_extractor(random: np.random.Generator):
    extract = Extractor(pilot())
    frames = [random.integers(0, 256, SHAPE, np.uint8) for _ in range(6)]
    maps = [extract(frame) for frame in frames]
    copies = [m.copy() for m in maps]
    kept = maps[2]["c1"]
    reference = kept.copy()
    for frame in frames[::-1]:
        extract(frame)
    assert all(same(a, b) for a, b in zip(maps, copies, strict=True))
    del extract, maps
    gc.collect()
    other = Extractor(pilot())
    for frame in frames:
        other(frame)
    assert np.array_equal(kept, reference)


def test_memory_comes_back_once_no_map_is_alive(frame: np.ndarray):
    extract = Extractor(pilot())
    addresses = {extract(frame)["c1"].ctypes.data for _ in range(20)}
    assert len(addresses) <= 2
    held = [extract(frame)["c1"] for _ in range(20)]
    assert len({a.ctypes.data for a in held}) == 20


def test_stream_reuses_memory_and_copy_keeps_it(random: np.random.Generator):
    extract = Extractor(pilot())
    frames = [random.integers(0, 256, SHAPE, np.uint8) for _ in range(4)]
    expected = [extract(frame).copy() for frame in frames]
    addresses, kept, last = set(), [], None
    for maps in extract.stream(iter(frames)):
        addresses.add(maps["c1"].ctypes.data)
        kept.append(maps.copy())
        last = maps
    assert len(addresses) == 1
    assert all(same(a, b) for a, b in zip(kept, expected, strict=True))
    assert last is not None
    assert same(last, expected[-1])
    assert not np.shares_memory(kept[0]["c1"], last["c1"])


def test_a_stream_and_calls_do_not_disturb_each_other(random: np.random.Generator):
    extract = Extractor(pilot())
    frames = [random.integers(0, 256, SHAPE, np.uint8) for _ in range(4)]
    expected = [extract(frame).copy() for frame in frames]
    for i, (maps, other) in enumerate(zip(extract.stream(frames), extract.stream(frames[::-1]), strict=True)):
        called = extract(frames[0])
        assert same(maps, expected[i])
        assert same(other, expected[-1 - i])
        assert same(called, expected[0])


def test_a_stream_of_mixed_types(random: np.random.Generator):
    extract = Extractor(pilot())
    frame = random.integers(0, 256, SHAPE, np.uint8)
    frames = [frame, frame.astype(np.float32), frame]
    for maps, one in zip(extract.stream(frames), frames, strict=True):
        assert same(maps, extract(one))


def fed_back() -> Model:
    """Three maps as large as the input, the second from the first and the third from the input."""
    size: dict[str, Any] = {"filters": 3, "kernel_size": 3, "padding": "same"}
    layers = [
        image("img", (20, 24, 3)), entry("Conv2D", "c1", [on("img")], **size),
        entry("Conv2D", "c2", [on("c1")], **size), entry("Conv2D", "c3", [on("img")], **size),
    ]  # fmt: skip
    return handmade(model(layers, [["img", 0, 0]], [["c3", 0, 0]]))


@pytest.mark.parametrize("name", ["img", "c1", "c2", "c3"])
@pytest.mark.parametrize("threads", [1, 2])
def test_maps_may_be_the_next_frame(name: str, threads: int, random: np.random.Generator):
    """They lie where the maps of that frame go: a network's memory of the frame before."""
    extract, frame = Extractor(fed_back(), "all", threads=threads), random.random(SHAPE, np.float32)
    expected = [extract(frame)]
    for _ in range(3):
        expected.append(extract(expected[-1][name]))
    out = extract(frame)
    for wanted in expected[1:]:
        assert same(extract(out[name], out=out), wanted)

    def frames() -> Iterator[np.ndarray]:
        yield frame
        for _ in range(3):
            yield latest[name]

    for latest, wanted in zip(extract.stream(frames()), expected, strict=True):
        assert same(latest, wanted)


def test_floats_at_an_odd_address(random: np.random.Generator):
    frame = random.random(SHAPE, np.float32)
    odd = np.frombuffer(b"-" + frame.tobytes(), np.float32, offset=1).reshape(SHAPE)
    extract = Extractor(pilot(), "all")
    for given in (frame, odd):
        assert same(extract(given), extract(frame))
        assert extract.batch(given[np.newaxis])["img"].flags.aligned
    assert not odd.flags.aligned


@pytest.mark.parametrize("method", [copy.copy, copy.deepcopy, lambda maps: pickle.loads(pickle.dumps(maps))])
def test_copies_have_the_maps_and_no_extractor(method: Callable[[Any], Any], frame: np.ndarray):
    layers = [image("img", SHAPE), conv("c", [on("img")]), entry("Masking", "memory", [on("c")])]
    extract = Extractor(handmade(model(layers, [["img", 0, 0]], [["memory", 0, 0]])), "all")
    maps = extract(frame)
    copied = method(maps)
    assert type(copied) is fastact.FeatureMaps
    assert same(copied, maps)
    assert copied.missing == maps.missing
    with pytest.raises(InputError, match="out must be maps"):
        extract(frame, out=copied)


@pytest.mark.parametrize("shared", [True, False], ids=["one extractor", "two extractors"])
def test_threads(shared: bool, random: np.random.Generator):
    built = pilot()
    extractors = [Extractor(built, "all")] * 2 if shared else [Extractor(built, "all"), Extractor(built, "all")]
    frames = [random.integers(0, 256, SHAPE, np.uint8) for _ in range(2)]
    expected = [extractors[0](frame).copy() for frame in frames]

    def work(me: int) -> None:
        for _ in range(300):
            assert same(extractors[me](frames[me]), expected[me])

    together(partial(work, me) for me in range(2))


def test_memory_stays_flat(frame: np.ndarray):
    extract = Extractor(pilot(), "all")
    maps = None

    def run(count: int) -> None:
        nonlocal maps
        for _ in range(count):
            maps = extract(frame)

    run(100)
    gc.collect()
    tracemalloc.start()
    run(10)
    before = tracemalloc.get_traced_memory()[0]
    run(2000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000, f"{grown} bytes more after 2000 frames"


def test_a_bad_frame_leaves_the_extractor_as_it_was(frame: np.ndarray):
    extract = Extractor(pilot())
    expected = extract(frame).copy()
    with pytest.raises(InputError):
        extract(frame[1:])
    assert same(extract(frame), expected)
