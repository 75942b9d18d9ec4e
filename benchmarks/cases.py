"""What is measured: models, each at one size, and the frame they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import fastact
from benchmarks.chain import Floats
from benchmarks.common import BenchmarkError
from fastact import samples


@dataclass(frozen=True)
class Case:
    """A model's file, and the size, (rows, columns), its weights are run at; None for the file's own."""

    path: Path
    size: tuple[int, int] | None = None

    def model(self) -> fastact.Model:
        """The model, planned for the size."""
        model = fastact.load(self.path)
        return model if self.size is None else model.at_size(self.size)


def cases(models: list[Path], sizes: list[tuple[int, int]]) -> list[Case]:
    """Every model at every size; by default the sample pilot at 160x120 and 640x360."""
    if not models:
        models, sizes = [samples.pilot()], sizes or [(120, 160), (360, 640)]
    chosen: list[tuple[int, int] | None] = list(sizes) or [None]
    return [Case(path, size) for path in models for size in chosen]


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


def frame(shape: tuple[int, int, int]) -> Floats:
    """The sample frame as float32 of `shape` in 0..1."""
    scaled: Floats = np.asarray(picture(shape), np.float32) / np.float32(255)
    return scaled.reshape(shape)
