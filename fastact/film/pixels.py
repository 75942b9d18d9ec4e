"""Pictures made of pictures by compiled kernels: covered with a map's colours, enlarged, split into planes for a video.

Pillow and swscale do all of it, too, in three to six times the time for frames as small as a car's camera takes.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.kernels.cpu.fields import FIELDS
from fastact.kernels.cpu.library import load
from fastact.views.colors import COLORS, color_table
from fastact.views.overlay import OPACITY, levels

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_Row = ctypes.c_int64 * FIELDS


def cover(picture: Pixels, mask: NDArray[np.floating[Any]], colormap: str) -> Pixels:
    """The same as `fastact.views.blend` at its usual opacity, to a level, in a fifth of the time."""
    under = np.ascontiguousarray(picture)
    strength = np.ascontiguousarray(levels(mask, *picture.shape[:2]))
    covered = np.empty_like(under)
    _run("u8_cover", under, covered, strength.size, strength, palette(colormap))
    return covered


def enlarge(picture: Pixels, times: int, into: Pixels) -> None:
    """Writes a picture (H, W, 3), contiguous, bilinearly enlarged into (H * times, W * times, 3), whose lines may lie
    apart."""
    height, width, _ = picture.shape
    lines = np.empty((2, 3 * width * times), np.float32)
    _run("u8_enlarge", picture, into, height, width, times, into.strides[0], shares(times), lines)


def to_planes(picture: Pixels, luma: Pixels, blue: Pixels, red: Pixels) -> None:
    """Writes a picture (H, W, 3), contiguous and with even sides, as planes of 4:2:0 in ITU-R BT.709 of television.

    Args:
        picture: red, green and blue.
        luma: (H, W), brightness from 16 to 235.
        blue, red: (H / 2, W / 2), differences to the brightness from 16 to 240 of the means of four pixels; their lines
            are equally far apart.
    """
    height, width, _ = picture.shape
    steps = luma.strides[0], blue.strides[0]
    _run("u8_planes", picture, luma, height, width, blue, red, *steps, bt709())


def _run(kernel: str, picture: Pixels, into: Pixels, *fields: int | NDArray[Any]) -> None:
    """Runs a kernel; its row of the table has these fields, where an array stands for its address."""
    places = (f if isinstance(f, int) else f.ctypes.data for f in (picture, into, *fields))
    library = load()
    row = _Row(library.kernel(kernel), *places)
    library.run(ctypes.addressof(row), 1)


@lru_cache(maxsize=8)
def palette(colormap: str) -> Floats:
    """For each level its colour times how much it covers, and what is left of the picture: (256, 4)."""
    covers = np.arange(COLORS)[:, None] / (COLORS - 1) * OPACITY
    return np.hstack([color_table(colormap) * covers, 1 - covers]).astype(np.float32)


@lru_cache(maxsize=16)
def shares(times: int) -> Floats:
    """How much of the second of two neighbours the pixels between their middles have, when there are `times`."""
    between: Floats = ((2 * np.arange(times) + 1 - times % 2) / (2 * times)).astype(np.float32)
    return between


@lru_cache(maxsize=1)
def bt709() -> Floats:
    """What brightness takes of red, green, blue and 1, and the two differences, of the sums of four pixels."""
    luma = np.array([0.2126, 0.7152, 0.0722])
    blue, red = (np.array([0, 0, 1]) - luma) / 1.8556, (np.array([1, 0, 0]) - luma) / 1.5748
    rows = [[*luma * 219 / 255, 16], [*blue * 224 / 255 / 4, 128], [*red * 224 / 255 / 4, 128]]
    return np.array(rows, np.float32)
