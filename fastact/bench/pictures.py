"""What the first and the last layer see at each size, as pictures for the report."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from fastact.bench.runner import Runner
from fastact.frames import takes_pictures
from fastact.views import Style, mosaic

_LONGEST = 1100
"""Pixels of a picture's longer side: twice what a page shows, and what keeps a report small."""


@dataclass(frozen=True)
class Shown:
    """A picture as a data: address, with its size as it is shown and what it is."""

    address: str
    width: int
    height: int
    title: str


def pictures(runners: Sequence[Runner]) -> list[list[Shown]]:
    """A row for the input, one for the first layer's maps and one for the last's; in each a picture for each size."""
    rows = [[_frame(runner) for runner in runners]]
    names = list(runners[-1].maps)
    for name in dict.fromkeys((names[0], names[-1])):
        rows.append([_maps(runner, name) for runner in runners])
    return [[shown for shown in row if shown is not None] for row in rows if any(row)]


def _frame(runner: Runner) -> Shown | None:
    frame = next((a for a in runner.inputs.values() if a.dtype == np.uint8 and takes_pictures(a.shape)), None)
    if frame is None:
        return None
    frame = frame if frame.ndim == 3 else frame[-1]
    image = Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame[..., :3])
    return _shown(image, f"input, {image.width}x{image.height}")


def _maps(runner: Runner, name: str) -> Shown | None:
    maps = runner.maps[name]
    if maps.ndim < 3:
        return None
    rows, columns, filters = maps.shape[-3:]
    image = mosaic(maps, name=name, style=Style(max_columns=_columns(filters), max_pixels=2_000_000))
    return _shown(image, f"{name}, {filters} maps of {columns}x{rows}")


def _columns(filters: int) -> int:
    """As many columns as rows, about, whatever the maps' proportions, so that sizes look alike side by side."""
    return math.ceil(math.sqrt(filters))


def _shown(image: Image.Image, title: str) -> Shown:
    image.thumbnail((_LONGEST, _LONGEST))
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    address = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Shown(address, image.width, image.height, title)
