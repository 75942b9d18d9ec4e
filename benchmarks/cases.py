"""What is measured: models, each at one size, which of their maps, and the frame they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fastact
from benchmarks import networks
from benchmarks.common import BenchmarkError
from benchmarks.recorder import write_h5
from fastact import samples
from fastact.bench.peers.network import Array, Network
from fastact.bench.peers.task import Task

SIZES = ((120, 160), (360, 640))
"""Rows and columns of a Donkey Car's frame, and of a larger one."""

_WRITTEN: dict[str, Callable[[Any], Any]] = {
    "linear pilot": networks.linear_pilot,
    "MobileNetV2": networks.mobilenet_v2,
    "U-Net": networks.unet,
}


@dataclass(frozen=True)
class Case:
    """A model's file, and the size, (rows, columns), its weights are run at; None for the file's own.

    Attributes:
        name: of the network; by default the file's.
        every_map: whether every layer's map is wanted, or the convolutions' alone.
    """

    path: Path
    size: tuple[int, int] | None = None
    name: str = ""
    every_map: bool = False

    def model(self) -> fastact.Model:
        """The model, planned for the size."""
        model = fastact.load(self.path)
        return model if self.size is None else model.at_size(self.size)

    def task(self, model: fastact.Model) -> Task:
        """The wanted maps, as engines are told of them."""
        places = [n for n in model.nodes if n.is_convolution or (self.every_map and not n.is_input)]
        if not places:
            raise BenchmarkError(f"{model.source} has no convolutions")
        return Task(str(self.path), tuple(n.name for n in places), self.size)

    def network(self, model: fastact.Model) -> Network:
        """The wanted maps as engines are given them."""
        return self.task(model).network(model)

    def label(self, shape: Sequence[int]) -> str:
        """The network and its size, which `shape` (rows, columns, ...) tells."""
        return f"{self.name or self.path.name} at {shape[1]}x{shape[0]}"


def cases(models: list[Path], sizes: list[tuple[int, int]]) -> list[Case]:
    """Every model at every size; by default the sample pilot, the article's network, at both of `SIZES`."""
    if not models:
        return [Case(samples.pilot(), size, "article's network") for size in sizes or SIZES]
    chosen: list[tuple[int, int] | None] = list(sizes) or [None]
    return [Case(path, size) for path in models for size in chosen]


def pilots(folder: Path) -> list[Case]:
    """The article's network and donkeycar's linear pilot, each at both of `SIZES`; files are written to `folder`."""
    linear = _written("linear pilot", folder)
    return cases([], []) + [Case(linear, size, "linear pilot") for size in SIZES]


def larger(folder: Path) -> list[Case]:
    """The networks all of whose maps are measured; files are written to `folder`."""
    return [Case(_written(name, folder), None, name, every_map=True) for name in ("MobileNetV2", "U-Net")]


def _written(name: str, folder: Path) -> Path:
    return write_h5(_WRITTEN[name], folder / f"{name.replace(' ', '_').lower()}.h5")


def parse_size(text: str) -> tuple[int, int]:
    """640x360, width x height, as (rows, columns)."""
    width, cross, height = text.partition("x")
    if not cross or not (width.isdecimal() and height.isdecimal()) or not int(width) * int(height):
        raise BenchmarkError(f"{text!r} is no size: give width x height, such as 640x360")
    return int(height), int(width)


def picture(shape: tuple[int, int, int]) -> Image.Image:
    """The sample frame as a picture of (rows, columns, channels)."""
    if shape[2] not in (1, 3):
        raise BenchmarkError(f"the sample frame cannot be shown to a model of {shape[2]} channels, only of 1 or 3")
    image: Image.Image = Image.open(samples.frame("640x360")).convert("RGB" if shape[2] == 3 else "L")
    return image.resize((shape[1], shape[0]))


def frame(shape: tuple[int, int, int], dtype: str = "float32") -> Array:
    """The sample frame of `shape`: "float32" in 0..1, or "uint8"."""
    pixels = np.asarray(picture(shape)).reshape(shape)
    if dtype == "uint8":
        return np.ascontiguousarray(pixels)
    return pixels.astype(np.float32) / np.float32(255)
