"""The colours of the page, and the tables that turn values into colours."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fastact.errors import InputError

RGB = tuple[int, int, int]
Pixels = NDArray[np.uint8]

PAGE: RGB = (16, 17, 22)
CARD: RGB = (26, 28, 35)
PLOT: RGB = (36, 39, 48)
RULE: RGB = (72, 77, 90)
TEXT: RGB = (238, 240, 244)
DIM: RGB = (168, 174, 186)
FAINT: RGB = (126, 132, 145)
BAD: RGB = (255, 0, 255)
HATCH_DARK: RGB = (44, 47, 55)
HATCH_LIGHT: RGB = (60, 64, 74)
STROKE: RGB = (132, 138, 150)

COLORS = 256
BAD_ENTRY = COLORS
EMPTY_ENTRY = COLORS + 1

_FAMILIAR = ("viridis", "magma", "inferno", "plasma", "cividis", "turbo", "gray", "coolwarm")


@lru_cache(maxsize=32)
def _table(name: str) -> Pixels:
    from cmap import Catalog, Colormap  # not at the top: it takes longer to import than all of the views

    try:
        colors = Colormap(name).lut(COLORS)[:, :3]
    except (ValueError, TypeError):
        known = sorted(Catalog().short_keys())
        near = get_close_matches(name.lower(), known, n=4, cutoff=0.6)
        listed = ", ".join(dict.fromkeys([*near, *_FAMILIAR]))
        raise InputError(
            f"unknown colour map {name!r}: cmap's catalogue has {len(known)} names, such as {listed}"
        ) from None
    # A map of n separate colours comes as n rows; spread them evenly over the scale.
    rows = np.arange(COLORS) * len(colors) // COLORS
    table: Pixels = np.rint(np.asarray(colors)[rows] * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


def color_table(name: str) -> Pixels:
    """The 256 colours of a colour map, lowest value first: uint8 (256, 3), read-only.

    Raises `InputError`, naming some maps that exist, where cmap's catalogue has no such name.
    """
    return _table(name)


def painter_table(name: str) -> Pixels:
    """`color_table` with two entries more: `BAD_ENTRY` for NaN and infinity, `EMPTY_ENTRY` for the page."""
    table: Pixels = np.concatenate([color_table(name), np.array([BAD, PAGE], np.uint8)])
    return table


def hatch(height: int, width: int) -> Pixels:
    """A hatched grey rectangle with a stroke from corner to corner: uint8 (height, width, 3).

    It stands for a filter that has one value everywhere; no colour map has this pattern.
    """
    y, x = np.ogrid[:height, :width]
    light = (x + y) % 8 < 3
    pixels = np.where(light[..., None], np.array(HATCH_LIGHT, np.uint8), np.array(HATCH_DARK, np.uint8))
    # The distance, in pixels, of each pixel's centre from the diagonal; coverage falls off over one pixel.
    across = np.abs((x + 0.5) * height + (y + 0.5) * width - height * width) / np.hypot(height, width)
    cover = np.clip(1.4 - across, 0, 1)[..., None]
    mixed: Pixels = np.rint(pixels * (1 - cover) + np.array(STROKE) * cover).astype(np.uint8)
    return mixed
