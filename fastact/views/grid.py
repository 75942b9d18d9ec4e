"""Where each filter's map goes: columns, enlargement by whole numbers, and limits on the picture's size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

MAX_SCALE = 48
MAX_ENLARGED = 320
"""A map is not enlarged beyond this many pixels."""

STEP_GAP, STEP_GAP_LINES = 4, 14
_FEW = 4096


@dataclass(frozen=True)
class Room:
    """What a grid must keep within, in pixels: a width, a height, and an area that counts `beside` and
    `below`, the pixels the picture adds to the grid's width and height. `aspect` is the proportion of width
    to height that a grid in it should come close to; the area counts a grid as at least `narrowest` wide."""

    width: float
    height: float
    area: float = inf
    beside: int = 0
    below: int = 0
    aspect: float = 1.4
    narrowest: int = 0


@dataclass(frozen=True)
class Grid:
    """A grid of `count` maps of `height` x `width` values, once for each of `steps` time steps.

    Each map takes `cell_width` x `cell_height` pixels: `scale` pixels a value and side where the map is
    enlarged, one pixel for `shrink` x `shrink` values where it is not. `strip` pixels above each map are left
    for its label.
    """

    steps: int
    height: int
    width: int
    count: int
    columns: int
    scale: int
    shrink: int
    strip: int

    @property
    def lines(self) -> int:
        """Lines of maps a step."""
        return ceil(self.count / self.columns)

    @property
    def cell_width(self) -> int:
        """Pixels a map is wide."""
        return ceil(self.width / self.shrink) * self.scale

    @property
    def cell_height(self) -> int:
        """Pixels a map is high, without its label."""
        return ceil(self.height / self.shrink) * self.scale

    @property
    def gap(self) -> int:
        """Pixels between two maps."""
        return _gap(self.cell_width, self.cell_height)

    @property
    def pitch_x(self) -> int:
        """Pixels from one column to the next."""
        return self.cell_width + self.gap

    @property
    def pitch_y(self) -> int:
        """Pixels from one line to the next."""
        return self.strip + self.cell_height + self.gap

    @property
    def step_gap(self) -> int:
        """Pixels between the last line of a step and the first of the next, beyond the usual gap."""
        return STEP_GAP_LINES if self.lines > 1 else STEP_GAP

    @property
    def step_height(self) -> int:
        """Pixels of one step's lines."""
        return self.lines * self.pitch_y - self.gap

    @property
    def pixels_wide(self) -> int:
        """Pixels the grid is wide."""
        return self.columns * self.pitch_x - self.gap

    @property
    def pixels_high(self) -> int:
        """Pixels the grid is high."""
        between = self.gap + self.step_gap
        return self.steps * (self.step_height + between) - between

    def corner(self, step: int, index: int) -> tuple[int, int]:
        """Left and top of the strip above a filter's map."""
        line, column = divmod(index, self.columns)
        top = step * (self.step_height + self.gap + self.step_gap) + line * self.pitch_y
        return column * self.pitch_x, top


def _gap(width: int, height: int) -> int:
    longest = max(width, height)
    return 6 if longest >= 40 else 4 if longest >= 24 else 2 if longest >= 8 else 1


def arrange(one: Grid, box: Room, limit: Room, *, min_cell: int, max_columns: int | None) -> Grid:
    """The grid for maps whose number and size `one` gives; its columns, scale and shrink are not looked at.

    The maps are enlarged as far as the box takes them, and at least to `min_cell` pixels where the limit
    allows; else they get one pixel a value; where that is beyond the limit they are shrunk until it is not;
    and where one pixel a map is too much, the last maps, then the last steps, are left out.
    """
    longest = max(one.width, one.height)
    most = max(1, min(MAX_SCALE, MAX_ENLARGED // longest))
    least = min(MAX_SCALE, ceil(min_cell / longest))
    for scale in range(most, least, -1):
        if found := _best(replace(one, scale=scale, shrink=1), box, max_columns):
            return found
    for scale in range(least, 0, -1):
        if found := _best(replace(one, scale=scale, shrink=1), limit, max_columns):
            return found
    while True:
        for shrink in _shrinks(longest):
            if found := _best(replace(one, scale=1, shrink=shrink), limit, max_columns):
                return found
        if one.count > 1:
            one = replace(one, count=one.count * 3 // 4)
        elif one.steps > 1:
            one = replace(one, steps=one.steps * 3 // 4)
        else:
            return replace(one, columns=1, scale=1, shrink=longest)


def _shrinks(longest: int) -> Iterator[int]:
    """Numbers of values a pixel to try, from 2 to all in one."""
    shrink = 2
    while shrink < longest:
        yield shrink
        shrink += max(1, shrink // 8)
    yield longest


def _best(grid: Grid, room: Room, max_columns: int | None) -> Grid | None:
    """The grid with the columns that keep within the room, make it most nearly square and leave few gaps."""
    columns = _candidates(min(grid.count, max_columns or grid.count))
    lines = -(-grid.count // columns)
    wide = columns * grid.pitch_x - grid.gap
    step = lines * grid.pitch_y + np.where(lines > 1, STEP_GAP_LINES, STEP_GAP)
    high = grid.steps * step - grid.gap - np.where(lines > 1, STEP_GAP_LINES, STEP_GAP)
    fits = (wide <= room.width) & (high <= room.height)
    fits &= (np.maximum(wide, room.narrowest) + room.beside) * (high + room.below) <= room.area
    if not fits.any():
        return None
    unused = (lines * columns - grid.count) / grid.count
    ugliness = np.abs(np.log(wide / high / room.aspect)) + unused
    return replace(grid, columns=int(columns[np.where(fits, ugliness, np.inf).argmin()]))


def _candidates(most: int) -> NDArray[np.int64]:
    """Numbers of columns to try: all where there are few."""
    if most <= _FEW:
        return np.arange(1, most + 1)
    return np.unique(np.geomspace(1, most, _FEW).astype(np.int64))
