"""A map of strengths laid over a picture: bare, quick enough for a film, and as a page with words and a scale."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastact.errors import InputError
from fastact.views.card import frame_picture
from fastact.views.colors import COLORS, DIM, PAGE, TEXT, Pixels, color_table
from fastact.views.legend import Note, legend
from fastact.views.style import Style
from fastact.views.text import clean, line_height, shorten, wrap, write

COLORMAP = "inferno"
OPACITY = 0.6

_MARGIN, _GAP = 28, 14
_NAME, _FACT = 24, 15
_LEAST_WIDTH = 520
_BOX = (640, 520)
"""Pixels that each of the two pictures of a page takes at most, width and height."""


def blend(picture: Pixels, mask: NDArray[np.floating], *, colormap: str = COLORMAP, opacity: float = OPACITY) -> Pixels:
    """A picture with a map of strengths over it: where the map is 0 the picture stays as it is, and the larger the
    value, the more of the map's colour covers it.

    A pixel becomes picture * (1 - opacity * mask) + color(mask) * opacity * mask, in 256 levels.

    Args:
        picture: uint8 (H, W, 3), RGB; it is not written to.
        mask: floats (h, w), 0 to 1, stretched over the picture bilinearly. Values beyond are clipped, NaN counts as 0.
        colormap: a name from cmap's catalogue.
        opacity: how much of the picture the colour covers where the mask is 1, from 0 to 1.

    Returns:
        uint8 (H, W, 3), memory of its own. About 2 ms for 640x360.

    Raises:
        InputError: arrays of another shape or type, an opacity beyond 0 to 1, or an unknown colour map.
    """
    _check(picture, mask, opacity)
    height, width, _ = picture.shape
    strength = Image.fromarray(levels(mask, height, width))
    cover = Image.fromarray(_covers(opacity)[np.asarray(strength)])
    strength.putpalette(_palette(colormap))
    mixed: Pixels = np.array(Image.composite(strength.convert("RGB"), Image.fromarray(picture), cover))
    return mixed


def levels(mask: NDArray[np.floating], height: int, width: int) -> NDArray[np.uint8]:
    """A mask as `blend` takes it in 256 levels, stretched bilinearly: uint8 (height, width)."""
    found: NDArray[np.uint8] = (np.fmin(np.fmax(mask, 0), 1) * (COLORS - 1) + 0.5).astype(np.uint8)
    if found.shape == (height, width):
        return found
    return np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.BILINEAR))


@lru_cache(maxsize=8)
def _palette(colormap: str) -> bytes:
    return color_table(colormap).tobytes()


@lru_cache(maxsize=8)
def _covers(opacity: float) -> NDArray[np.uint8]:
    """How much of the picture each level covers, in 256 levels."""
    covers: NDArray[np.uint8] = np.rint(np.arange(COLORS) * opacity).astype(np.uint8)
    return covers


def _check(picture: Pixels, mask: NDArray[np.floating], opacity: float) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or picture.size == 0:
        raise InputError(f"an overlay needs a picture of uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
    if mask.dtype.kind != "f" or mask.ndim != 2 or mask.size == 0:
        raise InputError(f"an overlay needs a mask of floats (h, w), not {mask.dtype} {mask.shape}")
    if not 0 <= opacity <= 1:
        raise InputError(f"an overlay's opacity is from 0 to 1, not {opacity}")


def overlay(
    picture: NDArray[np.generic],
    mask: NDArray[np.floating],
    *,
    name: str,
    facts: Sequence[str] = (),
    notes: Sequence[str] = (),
    ticks: Sequence[str] = ("0", "0.5", "1"),
    colormap: str = COLORMAP,
    opacity: float = OPACITY,
) -> Image.Image:
    """A page: the picture, beside it the same with the mask over it, the words that say what is shown, and the scale.

    Args:
        picture: (H, W), (H, W, 1) or (H, W, 3), uint8 or floats from 0 to 1.
        mask: floats (h, w), 0 to 1, finite.
        name: the heading.
        facts: lines below the heading: what is shown of which network.
        notes: sentences below the pictures, beside the scale: how to read it.
        ticks: what stands below the colour scale, from its left end (0) to its right (1).
        colormap: a name from cmap's catalogue.
        opacity: how much of the picture the colour covers where the mask is 1, from 0 to 1.

    Returns:
        An RGB picture whose `info` has the metadata that `save_png` writes.

    Raises:
        InputError: as from `blend`, or a mask with NaN or infinity.
    """
    plain = frame_picture(picture)
    if not np.isfinite(mask).all():
        raise InputError("the mask of an overlay holds NaN or infinity, which have no place on its scale")
    plain = _fitted(plain)
    mixed = Image.fromarray(blend(np.asarray(plain), mask, colormap=colormap, opacity=opacity))
    width = max(_LEAST_WIDTH, 2 * plain.width + _GAP)
    lines = [line for fact in facts for line in wrap(fact, _FACT, width)]
    covered = f"Colour covers none of the picture at the scale's left end, {opacity:.0%} of it at the right."
    foot = legend(ticks, [Note(text) for text in (*notes, covered)], Style(colormap=colormap), width)
    top = _MARGIN + line_height(_NAME) + 4 + len(lines) * line_height(_FACT) + 12
    page = Image.new("RGB", (width + 2 * _MARGIN, top + plain.height + 22 + foot.height + _MARGIN - 6), PAGE)
    draw = ImageDraw.Draw(page)
    write(draw, (_MARGIN, _MARGIN - 4), shorten(name, _NAME, width), _NAME, TEXT)
    for i, line in enumerate(lines):
        write(draw, (_MARGIN, _MARGIN + line_height(_NAME) + 4 + i * line_height(_FACT)), line, _FACT, DIM)
    page.paste(plain, (_MARGIN, top))
    page.paste(mixed, (_MARGIN + plain.width + _GAP, top))
    page.paste(foot, (_MARGIN, top + plain.height + 22))
    page.info = {"Title": clean(name), "Description": " ".join([*facts, *notes, covered]), "Colormap": colormap}
    return page


def _fitted(picture: Image.Image) -> Image.Image:
    """The picture as large as the box takes it: enlarged by a whole number, or shrunk."""
    ratio = min(_BOX[0] / picture.width, _BOX[1] / picture.height)
    scale, how = (int(ratio), Image.Resampling.NEAREST) if ratio >= 1 else (ratio, Image.Resampling.BOX)
    return picture.resize((max(1, int(picture.width * scale)), max(1, int(picture.height * scale))), how)
