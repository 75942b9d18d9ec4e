"""Convolutions of each channel by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .base import INF, NO_PADS, Floats, Op, Pads, Shape, Strip, Window, span, window_rows


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Op):
    """Cross-correlation of each channel of (H, W, C) with weights (kh, kw, C, multiplier) of its own.

    Channel c of the input gives channels c * multiplier to (c + 1) * multiplier - 1 of the output. Then comes the bias
    (C * multiplier), then clipping to low..high; NaN passes through. Padding is with zeros.
    """

    weights: Floats
    bias: Floats
    strides: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    dilation: tuple[int, int] = (1, 1)
    low: float = -INF
    high: float = INF

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (height, width, channels), (kh, kw, _, multiplier) = inputs[0], self.weights.shape
        top, bottom, left, right = self.pads
        return (
            span(height + top + bottom, kh, self.strides[0], self.dilation[0]),
            span(width + left + right, kw, self.strides[1], self.dilation[1]),
            channels * multiplier,
        )

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        return math.prod(self.shape(*inputs)) * math.prod(self.weights.shape[:2])

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        seen = window_rows(first, last, inputs[0][0], self.window.size[0], self.strides[0], self.pads[:2])
        return seen and Strip(replace(self, pads=(*seen[2:], *self.pads[2:])), *seen[:2])

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        reach = [(k - 1) * d + 1 for k, d in zip(self.weights.shape[:2], self.dilation, strict=True)]
        return Window.of(reach, self.strides)
