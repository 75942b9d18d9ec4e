"""Engines behind one interface: batches, maps that lie elsewhere, and what is chosen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from test_extractor import SHAPE, pilot, two_inputs

from fastact import Extractor
from fastact.engines import DEVICES, engine
from fastact.errors import InputError


def frames(count: int, random: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return random.integers(0, 256, (count, *shape), np.uint8)


def test_a_batch_is_its_frames(random: np.random.Generator):
    extract, several = Extractor(pilot(), "all"), frames(3, random)
    for given in (several, list(several), {"img": several}, several[:, :, ::-1][:, :, ::-1]):
        maps = extract.batch(given)
        assert list(maps) == ["img", "c1", "c2", "flat", "out"]
        for i, frame in enumerate(several):
            for name, array in extract(frame).items():
                assert maps[name].shape == (3, *array.shape)
                assert maps[name][i].flags.c_contiguous
                assert np.array_equal(maps[name][i], array)
    assert maps.copy()["c1"].flags.c_contiguous


def test_a_batch_lies_in_one_block(random: np.random.Generator):
    maps = Extractor(pilot()).batch(frames(4, random))
    assert maps["c1"].base is maps["c2"].base
    assert maps["c1"].strides[0] == maps["c2"].strides[0] >= maps["c1"][0].nbytes + maps["c2"][0].nbytes


def test_a_batch_of_several_inputs(random: np.random.Generator):
    extract, pictures, numbers = Extractor(two_inputs(), "all"), frames(2, random), random.random((2, 4), np.float32)
    maps = extract.batch({"img": list(pictures), "numbers": numbers})
    for i in range(2):
        for name, array in extract({"img": pictures[i], "numbers": numbers[i]}).items():
            assert np.array_equal(maps[name][i], array)
    with pytest.raises(InputError, match="2 for img, 1 for numbers"):
        extract.batch({"img": pictures, "numbers": numbers[:1]})


def test_a_batch_of_nothing_or_of_unlike_frames(random: np.random.Generator):
    extract, several = Extractor(pilot()), frames(2, random)
    for wrong in ([], several[:0], None, iter(several), np.float32(1)):
        with pytest.raises(InputError, match="one frame or more"):
            extract.batch(wrong)
    with pytest.raises(InputError, match="uint8 and 20x24x3 float32"):
        extract.batch([several[0], several[1].astype(np.float32)])
    with pytest.raises(InputError, match="frame is 24x3"):
        extract.batch(several[0])


def test_a_batch_in_an_array_of_objects(random: np.random.Generator):
    extract, several = Extractor(pilot()), frames(2, random)
    objects = np.empty(2, object)
    objects[:] = list(several)
    assert np.array_equal(extract.batch(objects)["c1"], extract.batch(several)["c1"])
    objects[1] = None
    with pytest.raises(InputError, match="not NoneType"):
        extract.batch(objects)


@pytest.mark.filterwarnings("error")
def test_a_batch_of_what_float32_cannot_hold():
    extract, frame = Extractor(pilot(), "all"), np.full(SHAPE, 1e300)
    maps = extract.batch(frame[np.newaxis])
    assert np.isposinf(maps["img"]).all()
    assert np.array_equal(maps["c1"][0], extract(frame)["c1"], equal_nan=True)


def test_a_batch_that_no_memory_holds(random: np.random.Generator):
    class Endless(list):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 1 << 40

    prepared = Extractor(pilot())._prepared({"img": frames(1, random)[0]})
    with pytest.raises(InputError, match="fewer frames"):
        prepared.batch([Endless()])


def test_maps_of_the_cpu_are_on_no_device(random: np.random.Generator):
    with pytest.raises(InputError, match="device"):
        Extractor(pilot())(frames(1, random)[0]).on_device("c1")


def test_devices():
    assert engine("cpu").device == "cpu"
    with pytest.raises(InputError, match=r"'gpu'.*cpu, cuda, auto"):
        Extractor(pilot(), device="gpu")
    assert DEVICES == ("cpu", "cuda", "auto")


def test_the_cpu_loads_nothing_of_cuda():
    code = """
import numpy, sys, fastact
from fastact import samples
fastact.Extractor(samples.pilot())(numpy.zeros((120, 160, 3), numpy.uint8))
print(*[m for m in sys.modules if m.startswith("fastact.") and "cuda" in m])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
