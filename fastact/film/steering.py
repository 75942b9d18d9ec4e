"""What the driver steered and what the network would: lines over the picture, and a panel with bars and a graph."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from fastact.pilots import Command
from fastact.views.colors import COLORS, DIM, FAINT, PAGE, PLOT, RGB, RULE, TEXT, Pixels, color_table
from fastact.views.text import font, line_height, shorten, text_width, write

DRIVER: RGB = (94, 201, 98)
PILOT: RGB = (86, 180, 233)

LEAST_WIDTH = 320
LEAST_HEIGHT = 136
"""Pixels of a panel without its graph."""
SECONDS = 10
"""What the graph shows."""

_MARGIN = 12
_TITLE, _TEXT = 15, 12
_ROW = 20
_BAR = 10
_NAME_ROOM, _NUMBER_ROOM = 52, 56
_LEAST_GRAPH = 40
_SCALE = 120
_FULL_LOCK = math.radians(45)
"""The direction of a line for steering of 1: not the wheels' angle, which is every car's own."""


def draw_commands(picture: Pixels, driver: float | None, pilot: float | None) -> None:
    """Draws lines into a picture, uint8 (H, W, 3), from the middle of its lower edge in the direction of steering,
    upright for 0; the driver's is the wider one, so that both are seen where they agree."""
    height, width = picture.shape[:2]
    foot, thick = (width / 2, height - 1), max(2, round(width / 130))
    lines = [
        (_tip(foot, angle, height * 0.45), color, thick * times)
        for angle, color, times in ((driver, DRIVER, 2), (pilot, PILOT, 1))
        if angle is not None
    ]
    if not lines:
        return
    # Pillow gets no more than the part that the lines lie in, since it has to copy it.
    edge = 2 * thick + 2
    left = max(0, math.floor(min(foot[0], *(x for (x, _), _, _ in lines))) - edge)
    right = math.ceil(max(foot[0], *(x for (x, _), _, _ in lines))) + edge
    top = max(0, math.floor(min(y for (_, y), _, _ in lines)) - edge)
    image = Image.fromarray(picture[top:, left:right])
    draw = ImageDraw.Draw(image)
    for tip, color, width in lines:
        ends = [(x - left, y - top) for x, y in (foot, tip)]
        draw.line(ends, fill=PAGE, width=width + 2)
        draw.line(ends, fill=color, width=width)
    picture[top:, left:right] = np.asarray(image)


def _tip(foot: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    turn = _clipped(angle) * _FULL_LOCK
    return foot[0] + math.sin(turn) * length, foot[1] - math.cos(turn) * length


@dataclass(frozen=True)
class Words:
    """What is written on a panel: a title, what the colours stand for, and the numbers at the scale's ends."""

    title: str
    colors: str
    ends: tuple[str, str]
    colormap: str


class Panel:
    """Steering and throttle of the driver and the network, with what the film is of.

    Args:
        width, height: pixels, at least `LEAST_WIDTH` and `LEAST_HEIGHT`.
        words: what does not change.
        pilot: whether the network steers; without, there is only the driver.
        fps: frames a second, for the graph's time.

    Attributes:
        page: what is the same on all frames, uint8 (height, width, 3).
    """

    def __init__(self, width: int, height: int, words: Words, *, pilot: bool, fps: float) -> None:
        self._size = width, height
        self._rows: Sequence[tuple[str, RGB]] = (("driver", DRIVER), ("network", PILOT))[: 2 if pilot else 1]
        self._left, self._right = _MARGIN + _NAME_ROOM, width - _MARGIN - 2 * _NUMBER_ROOM
        self._top = _MARGIN + line_height(_TITLE) + 4 + line_height(_TEXT)
        self._graph = self._place_of_graph()
        self._past: Sequence[deque[float]] = [deque(maxlen=max(2, round(SECONDS * fps))) for _ in self._rows]
        self.page: Pixels = np.asarray(self._drawn(words))

    def draw(self, into: Pixels, record: int, commands: Sequence[Command | None]) -> None:
        """Draws what changes into a copy of the page: the record's number, and the driver's and the network's commands,
        None for none."""
        _write_label(into, self._size[0] - _MARGIN, _MARGIN + 2, record)
        for i, (_, color) in enumerate(self._rows):
            command = commands[i]
            self._past[i].append(math.nan if command is None else command.angle)
            top = self._top + i * _ROW
            if command is not None:
                self._bar(into, command.angle, top, color)
                for column, value in enumerate((command.angle, command.throttle), 1):
                    number = _written(_short(value), TEXT)
                    end = self._right + column * _NUMBER_ROOM
                    into[top : top + len(number), end - number.shape[1] : end] = number
        if self._graph is not None:
            self._curves(into, self._graph)

    def _place_of_graph(self) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom; None where there is no room."""
        width, height = self._size
        top = self._top + len(self._rows) * _ROW + 4 + line_height(_TEXT)
        bottom = height - _MARGIN - 2 * line_height(_TEXT) - 6
        return (_MARGIN, top, width - _MARGIN, bottom) if bottom - top >= _LEAST_GRAPH else None

    def _drawn(self, words: Words) -> Image.Image:
        """What is the same on all frames."""
        width, height = self._size
        page = Image.new("RGB", self._size, PAGE)
        draw = ImageDraw.Draw(page)
        write(draw, (_MARGIN, _MARGIN), shorten(words.title, _TITLE, width - 2 * _MARGIN - 100), _TITLE, TEXT)
        heads = self._top - line_height(_TEXT)
        for place, text in ((self._right + _NUMBER_ROOM, "steering"), (self._right + 2 * _NUMBER_ROOM, "throttle")):
            write(draw, (place, heads), text, _TEXT, FAINT, "ra")
        for i, (name, color) in enumerate(self._rows):
            top = self._top + i * _ROW
            write(draw, (_MARGIN, top), name, _TEXT, color)
            draw.rectangle((self._left, top + 2, self._right, top + 2 + _BAR), fill=PLOT)
        if self._graph is not None:
            left, top, right, bottom = self._graph
            text = f"steering in the last {SECONDS} s: right above, left below the line"
            write(draw, (left, top - line_height(_TEXT)), shorten(text, _TEXT, right - left), _TEXT, FAINT)
            draw.rectangle(self._graph, fill=PLOT)
            draw.line((left, (top + bottom) // 2, right, (top + bottom) // 2), fill=RULE)
        self._legend(page, words, height - _MARGIN - 2 * line_height(_TEXT))
        return page

    def _legend(self, page: Image.Image, words: Words, top: int) -> None:
        """The colour scale between its ends, and what it is of."""
        draw = ImageDraw.Draw(page)
        room = self._size[0] - 2 * _MARGIN
        write(draw, (_MARGIN, top), shorten(words.colors, _TEXT, room), _TEXT, DIM)
        top += line_height(_TEXT)
        low, high = words.ends
        left = _MARGIN + text_width(low, _TEXT) + 6
        colors = color_table(words.colormap)[np.arange(_SCALE) * COLORS // _SCALE]
        write(draw, (_MARGIN, top), low, _TEXT, FAINT)
        page.paste(Image.fromarray(np.broadcast_to(colors, (_BAR, _SCALE, 3)).copy()), (left, top + 3))
        write(draw, (left + _SCALE + 6, top), shorten(high, _TEXT, room - left - _SCALE), _TEXT, FAINT)

    def _bar(self, into: Pixels, angle: float, top: int, color: RGB) -> None:
        middle = (self._left + self._right) // 2
        reach = middle + round(_clipped(angle) * (self._right - self._left) / 2)
        into[top + 2 : top + 3 + _BAR, min(middle, reach) : max(middle, reach) + 1] = color
        into[top : top + 5 + _BAR, middle] = RULE

    def _curves(self, into: Pixels, place: tuple[int, int, int, int]) -> None:
        """The steering of the frames so far, the latest at the right; a gap where there is none."""
        left, top, right, bottom = place
        part = into[top : bottom + 1, left : right + 1]
        image = Image.fromarray(part)
        draw = ImageDraw.Draw(image)
        for past, (_, color) in zip(self._past, self._rows, strict=True):
            _curve(draw, past, color, image.size)
        part[:] = np.asarray(image)


def _curve(draw: ImageDraw.ImageDraw, past: deque[float], color: RGB, size: tuple[int, int]) -> None:
    """A line through the values from -1 to 1, the latest at the right."""
    thick = 4 if color == DRIVER else 2
    right, bottom = size[0] - 1, size[1] - 1
    step = right / (max(2, past.maxlen or 0) - 1)
    angles = np.clip(past, -1, 1)
    across = right - np.arange(len(past))[::-1] * step
    points = list(zip(across.tolist(), (bottom / 2 - angles * (bottom / 2 - 2)).tolist(), strict=True))
    if not np.isnan(angles).any():
        draw.line(points, fill=color, width=thick)
        return
    for (one, first), (two, second) in pairwise(zip(points, past, strict=True)):
        if not (math.isnan(first) or math.isnan(second)):
            draw.line([one, two], fill=color, width=thick)


def _write_label(into: Pixels, right: int, top: int, record: int) -> None:
    """Writes a record's number so that it ends at `right`, digit by digit: there are few of them, and writing takes
    longer than copying."""
    end = float(right)
    for piece in (*reversed(str(record)), "record "):
        end -= _length(piece)
        letters = _written(piece, DIM)
        part = into[top : top + len(letters), round(end) : round(end) + letters.shape[1]]
        np.maximum(part, letters, out=part)  # letters may reach into their neighbours, and are lighter than the page


@lru_cache(maxsize=16)
def _length(piece: str) -> float:
    return font(_TEXT).getlength(piece)


@lru_cache(maxsize=512)
def _written(text: str, color: RGB) -> Pixels:
    """Text on the page's colour, uint8 (H, W, 3)."""
    image = Image.new("RGB", (text_width(text, _TEXT), line_height(_TEXT)), PAGE)
    write(ImageDraw.Draw(image), (0, 0), text, _TEXT, color)
    return np.asarray(image)


def _short(value: float) -> str:
    """A command's number: from -1 to 1, as a rule, but a tub may hold any."""
    return f"{value:+.0e}" if abs(value) >= 100 else f"{value:+.2f}"


def _clipped(angle: float) -> float:
    return max(-1.0, min(1.0, angle if angle == angle else 0.0))
