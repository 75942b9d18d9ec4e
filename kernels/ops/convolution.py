"""Sums of products: convolutions and dense layers."""

from __future__ import annotations

import math
from dataclasses import replace

from ..records import dataclass
from .base import INF, NO_PADS, Floats, Op, Pads, Shape, Strip, Window, span, window_rows


@dataclass(frozen=True, eq=False)
class Windowed(Op):
    """What convolutions of (H, W, C) share: windows of weights (kh, kw, …), a bias, zeros around the input.

    Every window reaches over a row and a column of the input itself.
    """

    weights: Floats
    bias: Floats
    strides: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    dilation: tuple[int, int] = (1, 1)

    def positions(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the output."""
        (top, bottom, left, right), (kh, kw) = self.pads, self.weights.shape[:2]
        return (
            span(height + top + bottom, kh, self.strides[0], self.dilation[0]),
            span(width + left + right, kw, self.strides[1], self.dilation[1]),
        )

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        seen = window_rows(first, last, inputs[0][0], self.window.size[0], self.strides[0], self.pads[:2])
        return seen and Strip(replace(self, pads=(*seen[2:], *self.pads[2:])), *seen[:2])

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        reach = [(k - 1) * d + 1 for k, d in zip(self.weights.shape[:2], self.dilation, strict=True)]
        return Window.of(reach, self.strides)


@dataclass(frozen=True, eq=False)
class Conv2D(Windowed):
    """Cross-correlation of (H, W, C) with weights (kh, kw, C / groups, filters), bias, then clipping to low..high.

    `low` and `high` carry relu (0, inf) and relu6 (0, 6) for free; NaN passes through. Padding is with zeros.
    """

    groups: int = 1
    low: float = -INF
    high: float = INF

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        height, width, _ = inputs[0]
        return (*self.positions(height, width), self.weights.shape[3])

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        kh, kw, depth, _ = self.weights.shape
        return math.prod(self.shape(*inputs)) * int(kh * kw * depth)


@dataclass(frozen=True, eq=False)
class Dense(Op):
    """(..., inputs) times weights (inputs, units) plus bias, then clipping to low..high as in :class:`Conv2D`."""

    weights: Floats
    bias: Floats
    low: float = -INF
    high: float = INF

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (*inputs[0][:-1], self.weights.shape[1])

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        return math.prod(inputs[0]) * int(self.weights.shape[1])
