"""Windows and whole maps summed up in one value."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from .base import NO_PADS, Op, Pads, Shape, Strip, Window, span, window_rows


class PoolKind(enum.IntEnum):
    """How a pool sums up its window; an average counts only cells inside the input, as TensorFlow does."""

    MAX = 0
    AVERAGE = 1


@dataclass(frozen=True, eq=False)
class Pool2D(Op):
    """Largest or mean value of each `size` window of (H, W, C); padding never takes part in either."""

    kind: PoolKind
    size: tuple[int, int]
    strides: tuple[int, int]
    pads: Pads = NO_PADS

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        height, width, channels = inputs[0]
        top, bottom, left, right = self.pads
        return (
            span(height + top + bottom, self.size[0], self.strides[0]),
            span(width + left + right, self.size[1], self.strides[1]),
            channels,
        )

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        seen = window_rows(first, last, inputs[0][0], self.size[0], self.strides[0], self.pads[:2])
        return seen and Strip(replace(self, pads=(*seen[2:], *self.pads[2:])), *seen[:2])

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        return Window(self.size, self.strides)


@dataclass(frozen=True, eq=False)
class GlobalPool(Op):
    """Largest or mean value over all but the last axis: (..., C) to (C,)."""

    kind: PoolKind
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0][-1:]
