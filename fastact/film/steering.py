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
from fastact.views.colors import COLORS, DIM, FAINT, PAGE, PLOT, RGB, RULE, TEXT, color_table
from fastact.views.text import line_height, shorten, text_width, write

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


def draw_commands(draw: ImageDraw.ImageDraw, size: tuple[int, int], driver: float | None, pilot: float | None) -> None:
    """Lines from the middle of a picture's lower edge in the direction of steering, upright for 0; the driver's is the
    wider one, so that both are seen where they agree."""
    for angle, color, times in ((driver, DRIVER, 2), (pilot, PILOT, 1)):
        if angle is not None:
            _draw_line(draw, size, angle, color, times)


def _draw_line(draw: ImageDraw.ImageDraw, size: tuple[int, int], angle: float, color: RGB, times: int) -> None:
    width, height = size
    turn = _clipped(angle) * _FULL_LOCK
    foot = (width / 2, height - 1)
    tip = (foot[0] + math.sin(turn) * height * 0.45, foot[1] - math.cos(turn) * height * 0.45)
    thick = max(2, round(width / 130)) * times
    draw.line([foot, tip], fill=PAGE, width=thick + 2)
    draw.line([foot, tip], fill=color, width=thick)


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
    """

    def __init__(self, width: int, height: int, words: Words, *, pilot: bool, fps: float) -> None:
        self._size = width, height
        self._rows: Sequence[tuple[str, RGB]] = (("driver", DRIVER), ("network", PILOT))[: 2 if pilot else 1]
        self._left, self._right = _MARGIN + _NAME_ROOM, width - _MARGIN - 2 * _NUMBER_ROOM
        self._top = _MARGIN + line_height(_TITLE) + 4 + line_height(_TEXT)
        self._graph = self._place_of_graph()
        self._past: Sequence[deque[float]] = [deque(maxlen=max(2, round(SECONDS * fps))) for _ in self._rows]
        self._page = self._drawn(words)

    def __call__(self, name: str, commands: Sequence[Command | None]) -> Image.Image:
        """The panel for a frame called `name`; `commands` are the driver's and the network's, None for none."""
        image = self._page.copy()
        draw = ImageDraw.Draw(image)
        write(draw, (self._size[0] - _MARGIN, _MARGIN + 2), name, _TEXT, DIM, "ra")
        for i, (_, color) in enumerate(self._rows):
            command = commands[i]
            self._past[i].append(math.nan if command is None else command.angle)
            top = self._top + i * _ROW
            if command is not None:
                self._bar(draw, command.angle, top, color)
                for column, value in enumerate((command.angle, command.throttle), 1):
                    number = _number(f"{value:+.2f}")
                    image.paste(number, (self._right + column * _NUMBER_ROOM - number.width, top))
        if self._graph is not None:
            for past, (_, color) in zip(self._past, self._rows, strict=True):
                self._curve(draw, past, color, self._graph)
        return image

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

    def _bar(self, draw: ImageDraw.ImageDraw, angle: float, top: int, color: RGB) -> None:
        middle = (self._left + self._right) // 2
        reach = middle + round(_clipped(angle) * (self._right - self._left) / 2)
        draw.rectangle((min(middle, reach), top + 2, max(middle, reach), top + 2 + _BAR), fill=color)
        draw.line((middle, top, middle, top + 4 + _BAR), fill=RULE)

    def _curve(
        self, draw: ImageDraw.ImageDraw, past: deque[float], color: RGB, place: tuple[int, int, int, int]
    ) -> None:
        """The steering of the frames so far, the latest at the right; a gap where there is none."""
        width = 4 if color == DRIVER else 2
        left, top, right, bottom = place
        step = (right - left) / (max(2, past.maxlen or 0) - 1)
        middle, half = (top + bottom) / 2, (bottom - top) / 2 - 2
        begin = right - (len(past) - 1) * step
        angles = np.clip(past, -1, 1)
        points = list(
            zip((begin + np.arange(len(past)) * step).tolist(), (middle - angles * half).tolist(), strict=True)
        )
        if not np.isnan(angles).any():
            draw.line(points, fill=color, width=width)
            return
        for (one, first), (two, second) in pairwise(zip(points, past, strict=True)):
            if not (math.isnan(first) or math.isnan(second)):
                draw.line([one, two], fill=color, width=width)


@lru_cache(maxsize=512)
def _number(text: str) -> Image.Image:
    """A number as a picture; there are few of them, and writing takes longer than pasting."""
    image = Image.new("RGB", (text_width(text, _TEXT), line_height(_TEXT)), PAGE)
    write(ImageDraw.Draw(image), (0, 0), text, _TEXT, TEXT)
    return image


def _clipped(angle: float) -> float:
    return max(-1.0, min(1.0, angle if angle == angle else 0.0))
