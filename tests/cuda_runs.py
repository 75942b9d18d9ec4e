"""Small programs for a device that is none: their launches, what they give, and kernels in NumPy to run them.

Its fixtures are for the modules that name them as their own.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from fake_driver import FakeDriver

from fastact.kernels.cuda.catalog import KERNELS, Kernel
from fastact.kernels.cuda.device import Device, choose
from fastact.kernels.cuda.driver import Driver
from fastact.kernels.cuda.launch import Launch, Stride
from fastact.kernels.cuda.runner import Batch, Runner
from fastact.kernels.places import Place

ARENA, OUTPUT, INPUT, UNUSED = range(4)
COUNT = 40
STRIDES = (256, 512, 48, 16)
"""Bytes of a frame in each region: floats, twice as many floats, bytes, and nothing that anybody uses."""

WEIGHTS = np.arange(COUNT, dtype=np.float32)


def scale(grid, threads, x, y, count, divisor, x_frame, y_frame) -> None:
    """u8_f32_scale for all frames."""
    assert grid[0] * threads >= count
    for z in range(grid[2]):
        start, at = z * int(x_frame), z * int(y_frame)
        y[at : at + count] = x[start : start + count] / divisor


def shift(grid, threads, x, w, y, count, add, factor, x_frame, y_frame) -> None:
    """A kernel with a parameter of every other kind: x * factor + w + add."""
    for z in range(grid[2]):
        start, at = z * int(x_frame), z * int(y_frame)
        y[at : at + count] = x[start : start + count] * factor + w[:count] + np.float32(add)


IN_NUMPY: dict[str, Any] = {"u8_f32_scale": scale, "shift": shift}


def launches(weights: np.ndarray = WEIGHTS) -> list[Launch]:
    """Bytes to floats in the arena, and two arrays of outputs made of them."""
    strides = Stride(INPUT, 1), Stride(ARENA), Stride(OUTPUT)
    second = Place(OUTPUT, 4 * COUNT)
    return [
        Launch("u8_f32_scale", (1, 1), (Place(INPUT), Place(ARENA), COUNT, 2.0, *strides[:2])),
        Launch("shift", (1, 1), (Place(ARENA), weights, Place(OUTPUT), COUNT, np.int32(-3), 2.0, *strides[1:])),
        Launch("shift", (1, 1), (Place(OUTPUT), weights, second, COUNT, np.int32(1), 0.5, strides[2], strides[2])),
    ]


def expected(x: np.ndarray, weights: np.ndarray = WEIGHTS) -> np.ndarray:
    """What the launches make of a batch (frames, COUNT) of bytes: (frames, 2 * COUNT) floats."""
    first = x.astype(np.float32) + weights - np.float32(3)
    return np.concatenate([first, first * np.float32(0.5) + weights + np.float32(1)], axis=1)


def floats(rows: np.ndarray) -> np.ndarray:
    """A batch's result as the floats in it."""
    return rows[:, : 8 * COUNT].view(np.float32)


def frames(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, COUNT), np.uint8)


@contextmanager
def catalog() -> Iterator[None]:
    """The catalog with the kernels of here."""
    with patch.dict(KERNELS, {"shift": Kernel("moving", "FFFuifll")}):
        yield


def archive(folder: Path, **texts: str) -> Path:
    """An archive with PTX that the fake driver takes, or with other texts."""
    path = folder / "kernels.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in IN_NUMPY:
            made.writestr(f"{name}.ptx", texts.get(name, f".version 6.0\n.visible .entry {name}(\n"))
    return path


def device(fake: FakeDriver, ptx: Path) -> Device:
    """A device of the fake driver's, that takes its kernels from an archive."""
    found = choose(Driver(fake).start())
    return Device(found.driver, found.card, ptx)


@pytest.fixture(autouse=True)
def kernels() -> Iterator[None]:
    with catalog():
        yield


@pytest.fixture
def fake() -> Iterator[FakeDriver]:
    made = FakeDriver(kernels=IN_NUMPY)
    yield made
    made.check()


@pytest.fixture
def gpu(fake: FakeDriver, tmp_path: Path) -> Device:
    return device(fake, archive(tmp_path))


def runner(gpu: Device, count: int = 3, **more: object) -> Runner:
    return Runner(gpu, launches(), STRIDES, count, inputs=[INPUT], output=OUTPUT, **more)


def begin(run: Runner, x: np.ndarray) -> Batch:
    batch = run.batch()
    batch.inputs[0][:, :COUNT] = x
    batch.start()
    return batch


def agrees(batch: Batch, x: np.ndarray) -> bool:
    return np.array_equal(floats(batch.result()), expected(x))
