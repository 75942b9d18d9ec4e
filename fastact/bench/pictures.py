"""What the first and the last layer see at each size, as pictures for the report."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastact.bench.runner import Runner
from fastact.frames import takes_pictures
from fastact.views import color_table

Floats = npt.NDArray[np.float32]

_LONGEST = 1100
"""Pixels of a picture's longer side: twice what a page shows, and what keeps a report small."""

_SHOWN, _COLUMNS = 12, 4
"""Filters of a layer, and how many stand side by side."""

_CELL, _GAP = 264, 6
"""Pixels of a filter's longer side, about, and between two."""

_BRIGHTEST = 1e6
"""What a value is counted as at most when cells are averaged, in entries of the palette."""

_CLEAR = 255
"""The palette's entry that lets the page through; the colours before it are the colour map's, less its last."""


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
    names = [name for name, array in runners[-1].maps.items() if array.ndim >= 3]
    for name in dict.fromkeys([*names[:1], *names[-1:]]):
        chosen = _liveliest(_last(runners[-1].maps[name]))
        rows.append([_maps(name, _last(runner.maps[name]), chosen) for runner in runners])
    return [[shown for shown in row if shown is not None] for row in rows if any(row)]


def _frame(runner: Runner) -> Shown | None:
    frame = next((a for a in runner.inputs.values() if a.dtype == np.uint8 and takes_pictures(a.shape)), None)
    if frame is None:
        return None
    frame = frame if frame.ndim == 3 else frame[-1]
    image = Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame[..., :3])
    title = f"input, {image.width}x{image.height}"
    image.thumbnail((_LONGEST, _LONGEST))
    return _shown(image, title)


def _last(maps: Floats) -> Floats:
    """(rows, columns, filters), of the last step where there are several."""
    last: Floats = maps.reshape(-1, *maps.shape[-3:])[-1]
    return last


def _liveliest(maps: Floats) -> list[int]:
    """The filters whose values differ most, in the order of their numbers."""
    with np.errstate(all="ignore"):
        spread = np.nan_to_num(np.std(maps, axis=(0, 1), dtype=np.float64), posinf=0.0)
    return sorted(int(i) for i in np.argsort(-spread, kind="stable")[:_SHOWN])


def _maps(name: str, maps: Floats, chosen: Sequence[int]) -> Shown:
    rows, columns, filters = maps.shape
    cells = [_cell(maps[..., i]) for i in chosen]
    height, width = cells[0].shape
    gap = max(1, round(_GAP * width / _CELL))
    across = min(_COLUMNS, len(cells))
    down = math.ceil(len(cells) / across)
    page = np.full((down * (height + gap) - gap, across * (width + gap) - gap), _CLEAR, np.uint8)
    for place, cell in enumerate(cells):
        y, x = (place // across) * (height + gap), (place % across) * (width + gap)
        page[y : y + height, x : x + width] = cell
    image = Image.fromarray(page, "L")
    image.putpalette(color_table("viridis").tobytes())
    of = f"{len(cells)} of {filters}" if len(cells) < filters else f"{filters}"
    return _shown(image, f"{name}, {of} maps of {columns}x{rows}", transparency=_CLEAR)


def _cell(values: Floats) -> npt.NDArray[np.uint8]:
    """One filter's values as entries of the palette, enlarged by a whole number.

    From its minimum to what one value in a hundred exceeds: a single bright spot would leave all else dark.
    """
    whole = np.nan_to_num(values).astype(np.float64)  # in which no difference of two float32 is too large
    low, high = float(whole.min()), float(np.percentile(whole, 99))
    if not high > low:
        high = float(whole.max())
    scaled = (whole - low) * ((_CLEAR - 1) / (high - low)) if high > low else np.zeros_like(whole)
    shown: Floats = np.minimum(scaled, _BRIGHTEST).astype(np.float32)
    rows, columns = shown.shape
    longest = max(rows, columns)
    if longest > _CELL:
        size = (max(1, round(columns * _CELL / longest)), max(1, round(rows * _CELL / longest)))
        shown = np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.BOX))
    times = max(1, _CELL // max(shown.shape))
    entries = np.clip(np.rint(shown), 0, _CLEAR - 1).astype(np.uint8)
    return entries.repeat(times, 0).repeat(times, 1)


def _shown(image: Image.Image, title: str, **options: int) -> Shown:
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True, **options)
    address = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Shown(address, image.width, image.height, title)
