"""Layers without a height and a width: vectors as bars, sequences and long vectors as strips of colour."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isnan

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastact.views.colors import BAD, EMPTY_ENTRY, FAINT, PLOT, RGB, RULE, TEXT, Pixels, painter_table
from fastact.views.grid import Room
from fastact.views.levels import Levels, Maps, entries, measure, shrink
from fastact.views.panel import LABEL, STRIP, Panel
from fastact.views.style import Style
from fastact.views.text import count, line_height, number, numbers, text_width, write

_VALUE = 14
_LARGE = 44
_ROW = 26
_FEW = 24
_THIN = (3, 2, 1)
_WIDEST = 28
_SCALE_ROOM = 110
_LOWEST = 60
_HIGHEST = 240


def vector_panel(maps: Maps, style: Style, box: Room, *, page: RGB) -> Panel:
    """The values of an (N,) vector: as bars with their numbers where there are few, as upright bars where
    there is room for them, else as a strip of colour that is read line by line."""
    values = maps.reshape(-1)
    levels = _levels(values, style)
    n = len(values)
    if n == 1:
        image, how = _figure(float(values[0]), page), ""
    elif n <= _FEW and n * _ROW <= box.height:
        image, how = _named_bars(values, levels, style, box, page), "Bars start at zero."
    elif lines := _bar_lines(n, box):
        image, how = _bars(values, levels, style, box, lines, page), "Bars start at zero."
    else:
        return _long_vector(values, levels, style, box, page)
    return Panel(image, levels, "value", count(n, "value"), how)


def sequence_panel(maps: Maps, style: Style, box: Room, *, page: RGB) -> Panel:
    """(T, N) values as T lines of N rectangles."""
    levels = _levels(maps, style)
    steps, n = maps.shape
    shape = f"{count(steps, 'step')} of {count(n, 'value')}"
    before = text_width(f"step {steps - 1}", LABEL) + 10
    inner = Room(box.width - before, box.height - STRIP)
    strip, how = _strip(maps, levels, style, inner, page)
    image = Image.new("RGB", (before + strip.width, max(strip.height, STRIP) + STRIP), page)
    image.paste(strip, (before, 0))
    draw = ImageDraw.Draw(image)
    free = -STRIP / 2
    for step in range(steps):
        middle = (step + 0.5) * strip.height / steps
        if middle - STRIP / 2 >= free:
            write(draw, (before - 10, middle), f"step {step}", LABEL, FAINT, "rm")
            free = middle + STRIP / 2
    _indices(draw, 0, n, before, strip.width / n, strip.height + 4)
    return Panel(image, levels, "value", shape, f"One line a step. {how}")


def _figure(value: float, page: RGB) -> Image.Image:
    """A single value in large print: it has nothing to be compared with."""
    text = number(value)
    image = Image.new("RGB", (text_width(text, _LARGE) + 4, line_height(_LARGE)), page)
    write(ImageDraw.Draw(image), (0, image.height / 2), text, _LARGE, TEXT if np.isfinite(value) else BAD, "lm")
    return image


def _levels(values: Maps, style: Style) -> Levels:
    """All values as one filter: a single value has no range of its own."""
    return measure(values.reshape(-1, 1), style, alone=True)


@dataclass(frozen=True)
class _Axis:
    """Where values lie on `pixels` pixels: from the lowest to the highest value, zero always among them."""

    low: float
    high: float
    pixels: int

    def place(self, value: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels from the low end."""
        span = self.high - self.low
        return np.asarray((np.asarray(value) - self.low) / (span if span > 0 else 1.0) * (self.pixels - 1))

    @classmethod
    def of(cls, levels: Levels, pixels: int) -> _Axis:
        low, high = levels.lowest, levels.highest
        return cls(min(low, 0.0), max(high, 0.0), pixels) if not isnan(low) else cls(0.0, 0.0, pixels)


def _colors(values: Maps, levels: Levels, style: Style, page: RGB) -> Pixels:
    table = painter_table(style.colormap)
    table[EMPTY_ENTRY] = page
    colors: Pixels = table[entries(values[:, None], ~np.isfinite(values)[:, None], levels)[:, 0]]
    return colors


def _bar_pixels(values: Maps, axis: _Axis, colors: Pixels) -> Pixels:
    """Bars one pixel wide, side by side, on a plot `axis.pixels` high: uint8 (axis.pixels, N, 3)."""
    zero = int(np.rint(axis.place(0.0)))
    finite = np.isfinite(values)
    ends = np.rint(axis.place(np.where(finite, values, 0).astype(np.float64))).astype(int)
    up = np.arange(axis.pixels)[::-1, None]
    inside = (up >= np.minimum(ends, zero)) & (up <= np.maximum(ends, zero)) & (ends != zero)
    plot = np.where(inside[..., None], colors, np.array(PLOT, np.uint8))
    plot[zero_row(axis), ~inside[zero_row(axis)]] = RULE
    plot[:, ~finite] = BAD
    return plot


def zero_row(axis: _Axis) -> int:
    """The row of pixels, from the top, that stands for zero."""
    return axis.pixels - 1 - int(np.rint(axis.place(0.0)))


def _named_bars(values: Maps, levels: Levels, style: Style, box: Room, page: RGB) -> Image.Image:
    """One lying bar a line, its index before and its value behind."""
    names = [str(i) for i in range(len(values))]
    texts = [number(float(v)) for v in values]
    before = max(text_width(t, LABEL) for t in names) + 10
    behind = max(text_width(t, _VALUE) for t in texts) + 12
    plot_width = max(40, min(int(box.width) - before - behind, 640))
    axis = _Axis.of(levels, plot_width)
    # Upright bars turned a quarter to the right: up becomes right, and index by index goes down.
    flat = _bar_pixels(values, axis, _colors(values, levels, style, page))
    lying = flat[::-1].transpose(1, 0, 2)
    picture = np.full((len(values) * _ROW, before + plot_width + behind, 3), page, np.uint8)
    for index, line in enumerate(lying):
        picture[index * _ROW + 4 : index * _ROW + _ROW - 4, before : before + plot_width] = line
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for index, (name, text) in enumerate(zip(names, texts, strict=True)):
        middle = index * _ROW + _ROW // 2
        write(draw, (before - 10, middle), name, LABEL, FAINT, "rm")
        write(draw, (before + plot_width + behind, middle), text, _VALUE, TEXT, "rm")
    return image


def _bar_lines(n: int, box: Room) -> int:
    """How many lines of upright bars n values take; 0 where the box is too small for that."""
    for thin in _THIN:
        lines = ceil(n / max(1, (int(box.width) - _SCALE_ROOM) // thin))
        if lines * (_LOWEST + 2 * STRIP) <= box.height:
            return lines
    return 0


def _bars(values: Maps, levels: Levels, style: Style, box: Room, lines: int, page: RGB) -> Image.Image:
    """Upright bars, their numbers below, the scale to their left."""
    high = min(_HIGHEST, int(box.height) // lines - 2 * STRIP)
    axis = _Axis.of(levels, high)
    marks = sorted({axis.low, 0.0, axis.high})
    texts = dict(zip(marks, numbers(marks), strict=True))
    before = max(text_width(t, LABEL) for t in texts.values()) + 10
    per_line = ceil(len(values) / lines)
    pitch = max(1, min(_WIDEST, (int(box.width) - before) // per_line))
    thin = pitch - (pitch > 3) - (pitch > 12)
    colors = _colors(values, levels, style, page)
    picture = np.full((lines * (high + 2 * STRIP), before + per_line * pitch, 3), page, np.uint8)
    image_lines = []
    for line in range(lines):
        part = slice(line * per_line, (line + 1) * per_line)
        bars = _bar_pixels(values[part], axis, colors[part]).repeat(pitch, axis=1)
        between = np.arange(bars.shape[1]) % pitch >= thin
        bars[:, between] = PLOT
        bars[zero_row(axis), between] = RULE
        top = line * (high + 2 * STRIP) + STRIP // 2
        picture[top : top + high, before : before + bars.shape[1]] = bars
        image_lines.append((top, line * per_line, len(values[part])))
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for top, first, number_of in image_lines:
        _scale(draw, axis, texts, before, top)
        _indices(draw, first, number_of, before, pitch, top + high + 4)
    return image


def _scale(draw: ImageDraw.ImageDraw, axis: _Axis, texts: dict[float, str], before: int, top: int) -> None:
    """The lowest value, zero and the highest to the left of the bars; zero gives way where it has no room."""
    taken: list[float] = []
    for value in (axis.high, axis.low, 0.0):
        y = top + axis.pixels - 1 - float(axis.place(value))
        if all(abs(y - other) >= STRIP for other in taken):
            write(draw, (before - 8, y), texts[value], LABEL, FAINT, "rm")
            taken.append(y)


def _indices(draw: ImageDraw.ImageDraw, first: int, n: int, left: int, pitch: float, top: int) -> None:
    """The numbers of the bars below them, as many as have room."""
    room = text_width(str(first + n), LABEL) + 12
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if step * pitch >= room)
    for index in range(-(-first // every) * every, first + n, every):
        x = left + (index - first) * pitch + pitch / 2
        half = text_width(str(index), LABEL) / 2
        if x + half <= left + n * pitch:
            write(draw, (max(x, left + half), top), str(index), LABEL, FAINT, "ma")


def _long_vector(values: Maps, levels: Levels, style: Style, box: Room, page: RGB) -> Panel:
    """A vector too long for bars, broken into lines of equal length."""
    n = len(values)
    per_line = ceil((n * box.width / max(1.0, box.height)) ** 0.5)
    lines = ceil(n / per_line)
    padded = np.full(lines * per_line, np.nan, np.float32)
    padded[:n] = values
    image, how = _strip(padded.reshape(lines, per_line), levels, style, box, page, filled=n)
    how = f"Read line by line, {per_line:,} values a line. {how}"
    return Panel(image, levels, "value", count(n, "value"), how)


def _strip(
    values: Maps, levels: Levels, style: Style, box: Room, page: RGB, *, filled: int | None = None
) -> tuple[Image.Image, str]:
    """(T, N) values as coloured rectangles that fill the box; averaged where there are too many for it."""
    lines, n = values.shape
    down, across = ceil(lines / box.height), ceil(n / box.width)
    means, bad = shrink(values[None, :, :, None], down, across)
    cells = entries(means, bad, levels)[0, :, :, 0]
    if filled is not None:
        outside = np.arange(lines * n).reshape(lines, n)[::down, ::across] >= filled
        cells[outside] = EMPTY_ENTRY
    wide = max(1, min(_WIDEST, int(box.width) // cells.shape[1]))
    high = max(1, min(_WIDEST * 2, int(box.height) // cells.shape[0], max(wide * 4, 32)))
    if filled is not None:
        wide = high = min(wide, high)
    table = painter_table(style.colormap)
    table[EMPTY_ENTRY] = page
    pixels = table[cells.repeat(high, axis=0).repeat(wide, axis=1)]
    if down * across > 1:
        return Image.fromarray(pixels), f"Shrunk to fit: each colour is the mean of {across} x {down} values."
    return Image.fromarray(pixels), f"Each value is a rectangle of {wide} x {high} pixels."
