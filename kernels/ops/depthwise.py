"""Convolutions of each channel by itself."""

from __future__ import annotations

import math

from ..records import dataclass
from .base import INF, Shape
from .convolution import Windowed


@dataclass(frozen=True, eq=False)
class DepthwiseConv2D(Windowed):
    """Cross-correlation of each channel of (H, W, C) with weights (kh, kw, C, multiplier) of its own.

    Channel c of the input gives channels c * multiplier to (c + 1) * multiplier - 1 of the output. Then comes the bias
    (C * multiplier), then clipping to low..high; NaN passes through. Padding is with zeros.
    """

    low: float = -INF
    high: float = INF

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        height, width, channels = inputs[0]
        return (*self.positions(height, width), channels * self.weights.shape[3])

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        return math.prod(self.shape(*inputs)) * math.prod(self.weights.shape[:2])
