"""A card on a contact sheet: a layer, or the frame, with its heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastact.errors import InputError
from fastact.views.colors import CARD, DIM, FAINT, TEXT
from fastact.views.grid import Room
from fastact.views.mosaic import layer_panel
from fastact.views.panel import STRIP, Panel
from fastact.views.style import Style
from fastact.views.text import count, line_height, number, shorten, wrap, write

PADDING = 16
NAME = 17
FACT = 13
_LEGIBLE = 60
_ROUND = (64, 56, 48, 40, 32, 28, 24, 20, 18, 16, 15, 12, 10, 9, 8, 6, 4, 3, 2, 1)
_CORNER = 8
_LEAST_WIDTH = 250


@dataclass(frozen=True)
class Card:
    """A picture with a name above it, and lines of facts below the name."""

    name: str
    facts: tuple[str, ...]
    image: Image.Image
    panel: Panel | None = None

    @property
    def inner(self) -> int:
        """Pixels that the picture, or the heading where it needs more, is wide."""
        return max(self.image.width, _LEAST_WIDTH)

    @property
    def head(self) -> int:
        """Pixels that the heading is high."""
        return line_height(NAME) + len(self._lines) * line_height(FACT) + 12

    @property
    def _lines(self) -> list[str]:
        return [line for fact in self.facts for line in wrap(fact, FACT, self.inner)]

    def draw(self, page: Image.Image, at: tuple[int, int], size: tuple[int, int], head: int) -> None:
        """Draw the card; `head` is the row's largest, so that pictures in a row start at one height."""
        (left, top), (width, height) = at, size
        draw = ImageDraw.Draw(page)
        draw.rounded_rectangle((left, top, left + width - 1, top + height - 1), _CORNER, fill=CARD)
        x, y = left + (width - self.inner) // 2, top + PADDING - 2
        write(draw, (x, y), shorten(self.name, NAME, self.inner), NAME, TEXT)
        y += line_height(NAME) + 2
        for i, line in enumerate(self._lines):
            write(draw, (x, y), line, FACT, FAINT if i else DIM)
            y += line_height(FACT)
        page.paste(self.image, (x, top + PADDING + head))


def layer_card(name: str, maps: NDArray[np.generic], style: Style, box: Room) -> Card:
    """A layer in a box of pixels: all its filters where they are legible there, else the most active."""
    at_most = _legible(np.shape(maps), box) if np.ndim(maps) > 2 else None
    panel = layer_panel(maps, style, box, box, page=CARD, at_most=at_most)
    first = panel.shape if panel.levels.values == 1 else f"{panel.shape} · {panel.span}"
    return Card(name, (first, " · ".join(_facts(panel, style))), panel.image, panel)


def _legible(shape: Sequence[int], box: Room) -> int:
    """How many maps have room in the box at a size at which one sees something."""
    height, width = shape[-3], shape[-2]
    steps, longest = int(np.prod(shape[:-3])), max(height, width)
    large = _LEGIBLE / longest
    if steps > 1:  # few maps a step have room, so that each is to have whole pixels a value
        large = ceil(large) if large >= 1 else 1 / floor(1 / large)
    cell_width = max(large * width, 24) + 6
    cell_height = max(large * height, 8) + 6 + STRIP
    room = int(box.width / cell_width) * max(1, int(box.height / cell_height) // steps)
    return room if shape[-1] <= room else next(n for n in _ROUND if n <= max(1, room))


def _facts(panel: Panel, style: Style) -> list[str]:
    """What else there is to say about a layer on a card."""
    levels = panel.levels
    facts = []
    if panel.noun == "filter":
        facts.append(panel.subset)
        flat = int(np.count_nonzero(levels.flat))
        zero = "all zero" if levels.dead == flat else f"{levels.dead} zero"
        facts.append(f"{flat} flat ({zero})" if flat else "")
        facts.append(panel.shrunk)
    bad = int(levels.bad.sum())
    facts.append(f"{count(bad, 'value')} NaN or infinite" if bad else "")
    if style.normalization == "percentile" and np.isfinite(levels.start[0]):
        facts.append(f"colours {number(float(levels.start[0]))} to {number(float(levels.end[0]))}")
    return [fact for fact in facts if fact]


def frame_card(frame: NDArray[np.generic], box: Room) -> Card:
    """The frame as large as the box takes it: enlarged by a whole number, or shrunk."""
    picture = frame_picture(frame, _columns(np.shape(frame), box))
    width, height = picture.size
    scale = int(min(box.width / width, box.height / height))
    if scale >= 1:
        size = (width * scale, height * scale)
        how = f"each pixel a square of {scale} x {scale}" if scale > 1 else "in its own size"
        picture = picture.resize(size, Image.Resampling.NEAREST)
    else:
        by = min(box.width / width, box.height / height)
        size = (max(1, int(width * by)), max(1, int(height * by)))
        how = f"shrunk to {size[0]} x {size[1]}"
        picture = picture.resize(size, Image.Resampling.BOX)
    what = f"{np.shape(frame)[-2]} x {np.shape(frame)[-3]}" if np.ndim(frame) > 2 else f"{width} x {height}"
    if np.ndim(frame) == 4:
        what = f"{count(len(frame), 'frame')} of {what}"
    return Card("Input", (what, how), picture)


def _columns(shape: Sequence[int], box: Room) -> int:
    """How many frames of a sequence side by side make each of them as large as the box takes it."""
    if len(shape) != 4 or 0 in shape:
        return 1
    steps, height, width, _ = shape
    sizes = {c: min(box.width / (c * width), box.height / (ceil(steps / c) * height)) for c in range(1, steps + 1)}
    return max(sizes, key=lambda columns: (sizes[columns], columns))


def frame_picture(frame: NDArray[np.generic], columns: int | None = None) -> Image.Image:
    """A frame as an RGB picture; the frames of a sequence side by side, in lines of `columns`.

    Takes (H, W), (H, W, 1), (H, W, 3) or (T, H, W, 1 or 3): uint8, or floats from 0 to 1 (clipped). Raises
    `InputError` for anything else.
    """
    array = np.asarray(frame)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim not in (3, 4) or array.shape[-1] not in (1, 3) or array.size == 0:
        raise InputError(f"a frame of shape {np.shape(frame)} is not a picture: give (H, W), (H, W, 1 or 3)")
    if array.dtype.kind == "f":
        array = np.rint(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise InputError(f"a frame holds uint8 or floats from 0 to 1, not {array.dtype}")
    array = np.broadcast_to(array, (*array.shape[:-1], 3))
    if array.ndim == 4:
        columns = columns or len(array)
        empty = np.full((-len(array) % columns, *array.shape[1:]), CARD, np.uint8)
        lines = np.concatenate([array, empty]).reshape(-1, columns, *array.shape[1:])
        array = np.concatenate([np.concatenate(list(line), axis=1) for line in lines])
    return Image.fromarray(np.ascontiguousarray(array))
