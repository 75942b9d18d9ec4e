"""Windows and whole maps summed up in one value."""

from __future__ import annotations

import enum
from dataclasses import replace

from ..records import dataclass
from .base import Op, Shape, Sides, Strip, Window, span, window_rows


class PoolKind(enum.IntEnum):
    """How a pool sums up its window; an average counts only cells inside the input, as TensorFlow does."""

    MAX = 0
    AVERAGE = 1


@dataclass(frozen=True, eq=False)
class Pool(Op):
    """Largest or mean value of each window over one to three axes before the channels.

    Padding takes part in neither; every window holds a cell of the input.
    """

    kind: PoolKind
    size: tuple[int, ...]
    strides: tuple[int, ...]
    sides: Sides

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        *lengths, channels = inputs[0]
        each = zip(lengths, self.sides, self.size, self.strides, strict=True)
        return (*(span(n + sum(side), k, stride) for n, side, k, stride in each), channels)

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        seen = window_rows(first, last, inputs[0][0], self.size[0], self.strides[0], self.sides[0])
        return seen and Strip(replace(self, sides=(seen[2:], *self.sides[1:])), *seen[:2])

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        return Window.of(self.size, self.strides)


@dataclass(frozen=True, eq=False)
class PoolGradient(Op):
    """What comes back through a :class:`Pool`: inputs are its output's gradient and its input, whose shape it has.

    A largest value's gradient goes to the first cell of the window that has it, a mean's to all its cells in equal
    shares.
    """

    kind: PoolKind
    size: tuple[int, ...]
    strides: tuple[int, ...]
    sides: Sides
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[1]


@dataclass(frozen=True, eq=False)
class GlobalPool(Op):
    """Largest or mean value over all but the last axis: (..., C) to (C,)."""

    kind: PoolKind
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0][-1:]
