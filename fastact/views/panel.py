"""A layer as a picture without its surroundings: the grid of maps, and the facts a caption needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan

import numpy as np
from PIL import Image, ImageDraw

from fastact.views.colors import BAD, DIM, EMPTY_ENTRY, FAINT, RGB, Pixels, hatch, painter_table
from fastact.views.grid import Grid, Room, arrange
from fastact.views.levels import Entries, Levels, Maps, entries, measure, shrink
from fastact.views.style import Style
from fastact.views.text import count, line_height, number, text_width, write

LABEL = 11
STRIP = line_height(LABEL)


@dataclass(frozen=True)
class Panel:
    """A drawn layer, and what there is to say about it.

    `shape` is the layer's shape in words, `how` says how values became pixels, `subset` which filters are
    shown where not all are, `labels` what stands above each map, `shrunk` how many
    values share a pixel where several do.
    """

    image: Image.Image
    levels: Levels
    noun: str
    shape: str
    how: str
    shrunk: str = ""
    subset: str = ""
    labels: str = ""

    @property
    def span(self) -> str:
        """The layer's range in words."""
        low, high = self.levels.lowest, self.levels.highest
        if isnan(low):
            return "no finite value"
        if low == high:
            return f"all {number(low)}" if self.levels.values > 1 else number(low)
        return f"{'values ' if self.noun == 'filter' else ''}from {number(low)} to {number(high)}"


def maps_panel(maps: Maps, style: Style, box: Room, limit: Room, *, page: RGB, at_most: int | None = None) -> Panel:
    """The filters of (H, W, C) or (..., H, W, C) maps as a grid.

    Leading axes are taken as time steps, one group of lines each. With `at_most`, only that many filters are
    drawn, those whose values vary most (standard deviation over positions), in their order.
    """
    values = maps.reshape(-1, *maps.shape[-3:])
    steps, height, width, filters = values.shape
    levels = measure(values, style)
    shape = f"{count(filters, 'filter')}, {width} x {height}"
    if maps.ndim > 3:
        shape = f"{count(steps, 'step')} of {shape}"
    chosen = np.arange(filters) if at_most is None else most_active(values, at_most)
    one = Grid(steps, height, width, len(chosen), 1, 1, 1, STRIP)
    grid = arrange(one, box, limit, min_cell=style.min_cell, max_columns=style.max_columns)
    texts, meaning = _labels(levels, chosen, grid.cell_width)
    if not texts:
        one = replace(one, strip=0)
        grid = arrange(one, box, limit, min_cell=style.min_cell, max_columns=style.max_columns)
    subset = ""
    if at_most is not None and len(chosen) < filters:
        subset = f"{len(chosen)} of {count(filters, 'filter')}, the most active"
    if grid.count < len(chosen) or grid.steps < steps:
        chosen = chosen[: grid.count]
        subset = f"the first {grid.count} of {count(filters, 'filter')}"
        if grid.steps < steps:
            subset += f", the first {grid.steps} of {count(steps, 'step')}"
    drawn = levels.of(chosen)
    part = values[: grid.steps] if len(chosen) == filters else values[: grid.steps, ..., chosen]
    means, bad = shrink(part, grid.shrink, grid.shrink)
    pixels = paint(entries(means, bad, drawn), drawn, grid, style, page)
    image = Image.fromarray(pixels)
    if texts:
        _write_labels(image, grid, texts, drawn)
    gutter = _gutter(image, grid, chosen, page, stepped=maps.ndim > 3, numbered=bool(texts))
    shrunk = f"1 pixel for {grid.shrink} x {grid.shrink} values" if grid.shrink > 1 else ""
    return Panel(gutter, levels, "filter", shape, _how(grid), shrunk, subset, meaning)


def most_active(values: Maps, n: int) -> np.ndarray:
    """The n filters with the largest standard deviation, ascending; filters with NaN or infinity first."""
    with np.errstate(invalid="ignore"):
        spread = values.std(axis=tuple(range(values.ndim - 1)), dtype=np.float64)
    spread = np.where(np.isnan(spread), np.inf, spread)
    return np.sort(np.argsort(-spread, kind="stable")[:n])


def paint(filled: Entries, levels: Levels, grid: Grid, style: Style, page: RGB) -> Pixels:
    """(T, h, w, C) entries of the colour table as one picture: uint8 (pixels high, pixels wide, 3)."""
    table = painter_table(style.colormap)
    table[EMPTY_ENTRY] = page
    picture = np.full((grid.pixels_high, grid.pixels_wide, 3), page, np.uint8)
    for step, cells in enumerate(filled):
        picture_step = _lines(cells, grid, table, page)
        top = grid.corner(step, 0)[1]
        picture[top : top + grid.step_height] = picture_step[: grid.step_height, : grid.pixels_wide]
    pattern = hatch(grid.cell_height, grid.cell_width)
    for index in np.flatnonzero(levels.flat):
        for step in range(grid.steps):
            _cell(picture, grid, step, int(index))[:] = pattern
    for index in np.flatnonzero(levels.bad):
        for step in range(grid.steps):
            _outline(picture, grid, step, int(index))
    return picture


def _lines(cells: Entries, grid: Grid, table: Pixels, page: RGB) -> Pixels:
    """One step's maps in their lines, each with its strip above and its gap to the right and below."""
    height, width, filters = cells.shape
    lines, columns = grid.lines, grid.columns
    full = np.full((lines * columns, height, width), EMPTY_ENTRY, np.uint16)
    full[:filters] = cells.transpose(2, 0, 1)
    rows = full.reshape(lines, columns, height, width).transpose(0, 2, 1, 3)
    large = rows.repeat(grid.scale, axis=1).repeat(grid.scale, axis=3)
    block = np.full((lines, grid.pitch_y, columns, grid.pitch_x, 3), page, np.uint8)
    block[:, grid.strip : grid.strip + grid.cell_height, :, : grid.cell_width] = table[large]
    return block.reshape(lines * grid.pitch_y, columns * grid.pitch_x, 3)


def _cell(picture: Pixels, grid: Grid, step: int, index: int) -> Pixels:
    """The pixels of one map, to be written to."""
    left, top = grid.corner(step, index)
    top += grid.strip
    return picture[top : top + grid.cell_height, left : left + grid.cell_width]


def _outline(picture: Pixels, grid: Grid, step: int, index: int) -> None:
    """A line around a map that has a value which is not a number, so that a single one is found; at the
    grid's own edges there is no room for it."""
    left, top = grid.corner(step, index)
    top += grid.strip
    bottom, right = top + grid.cell_height, left + grid.cell_width
    above, before = max(top - 1, 0), max(left - 1, 0)
    if top:
        picture[above, before : right + 1] = BAD
    if bottom < picture.shape[0]:
        picture[bottom, before : right + 1] = BAD
    if left:
        picture[above : bottom + 1, before] = BAD
    if right < picture.shape[1]:
        picture[above : bottom + 1, right] = BAD


def _labels(levels: Levels, chosen: np.ndarray, width: int) -> tuple[list[tuple[str, str]], str]:
    """For each map what stands above it, left and right, as full as all of them have room for, and what that
    means; nothing where not even the filter's number has room."""
    if text_width(str(chosen[-1]), LABEL) > width:
        return [], ""
    lows, highs = levels.low[chosen], levels.high[chosen]
    names = [str(i) for i in chosen]
    tops = ["n/a" if isnan(h) else number(h) for h in highs]
    ranges = [
        top if isnan(low) or low == high else f"{number(low)} … {top}"
        for low, high, top in zip(lows, highs, tops, strict=True)
    ]
    nothing = [""] * len(names)
    for right, meaning in (
        (ranges, "Above each map: the filter's number, its minimum … its maximum."),
        (tops, "Above each map: the filter's number and its maximum."),
        (nothing, "Above each map: the filter's number."),
    ):
        widest = max(text_width(n, LABEL) + text_width(r, LABEL) for n, r in zip(names, right, strict=True))
        if widest + (10 if right is not nothing else 2) <= width:
            return list(zip(names, right, strict=True)), meaning
    return [], ""


def _write_labels(image: Image.Image, grid: Grid, texts: list[tuple[str, str]], levels: Levels) -> None:
    draw = ImageDraw.Draw(image)
    for step in range(grid.steps):
        for index, (name, value) in enumerate(texts[: grid.count]):
            left, top = grid.corner(step, index)
            base = top + grid.strip - 4
            write(draw, (left, base), name, LABEL, DIM, "ls")
            if value:
                write(draw, (left + grid.cell_width, base), value, LABEL, FAINT, "rs")


def _gutter(
    image: Image.Image, grid: Grid, chosen: np.ndarray, page: RGB, *, stepped: bool, numbered: bool
) -> Image.Image:
    """The picture with a margin to its left that numbers steps, and lines where maps have no number of their
    own; as it is where there is nothing to number."""
    marks: list[tuple[int, str]] = []
    for step in range(grid.steps):
        if stepped:
            marks.append((grid.corner(step, 0)[1] + grid.strip, f"step {step}"))
        elif not numbered and grid.count > 1:
            for index in range(0, grid.count, grid.columns):
                marks.append((grid.corner(step, index)[1], str(chosen[index])))
    if not marks:
        return image
    gutter = max(text_width(text, LABEL) for _, text in marks) + 10
    high = max(image.height, STRIP)
    wider = Image.new("RGB", (image.width + gutter, high), page)
    wider.paste(image, (gutter, 0))
    draw = ImageDraw.Draw(wider)
    free = 0
    for top, text in marks:
        if top >= free and top + STRIP <= high:
            write(draw, (gutter - 10, top + LABEL), text, LABEL, FAINT, "rs")
            free = top + STRIP
    return wider


def _how(grid: Grid) -> str:
    if grid.shrink > 1:
        return f"Shrunk to fit: each pixel is the mean of {grid.shrink} x {grid.shrink} values."
    if grid.scale > 1:
        return f"Each value is a square of {grid.scale} x {grid.scale} pixels."
    return "Each value is one pixel."
