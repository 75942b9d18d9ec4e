"""A network whose maps a GPU that is none computes, and how near they must be to the CPU's.

Its fixtures are for the modules that name them as their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import cuda_device
import numpy as np
import pytest
from configurations import conv, entry, image, model, on
from fake_driver import FakeDriver
from oracles import handmade

from fastact import FeatureMaps, Model
from fastact.engines import auto, cuda

SHAPE = (6, 7, 3)
LAYERS = ["c*", "out"]


def pilot() -> Model:
    layers = [
        image("img", SHAPE), conv("c1", [on("img")], activation="relu"), conv("c2", [on("c1")]),
        entry("Flatten", "flat", [on("c2")]), entry("Dense", "out", [on("flat")], units=2),
    ]  # fmt: skip
    return handmade(model(layers, [["img", 0, 0]], [["out", 0, 0]]))


@pytest.fixture
def fake(tmp_path, monkeypatch) -> Iterator[FakeDriver]:
    """The driver of the one GPU that every extractor of a test uses."""
    driver, gpu = cuda_device.fake_device(tmp_path)
    monkeypatch.setattr(cuda, "open_device", lambda: gpu)
    auto._say.cache_clear()
    yield driver
    driver.check()


@pytest.fixture
def frames(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, (3, *SHAPE), np.uint8)


def near(maps: FeatureMaps, others: FeatureMaps) -> bool:
    return list(maps) == list(others) and all(
        maps[n].shape == others[n].shape
        and maps[n].dtype == np.float32
        and np.allclose(maps[n], others[n], rtol=1e-5, atol=1e-6)
        for n in others
    )
