"""Convolutions along three axes."""

from __future__ import annotations

import math

from ..records import dataclass
from .base import INF, Floats, Op, Shape, Window, span


@dataclass(frozen=True, eq=False)
class Conv3D(Op):
    """Cross-correlation of (D, H, W, C) with weights (kd, kh, kw, C / groups, filters), as Conv2D along two axes.

    There is no padding: that is an operation of its own.
    """

    weights: Floats
    bias: Floats
    strides: tuple[int, ...] = (1, 1, 1)
    dilation: tuple[int, ...] = (1, 1, 1)
    groups: int = 1
    low: float = -INF
    high: float = INF

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        each = zip(inputs[0][:3], self.weights.shape[:3], self.strides, self.dilation, strict=True)
        return (*(span(*window) for window in each), self.weights.shape[4])

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        return math.prod(self.shape(*inputs)) * math.prod(self.weights.shape[:4])

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        reach = [(k - 1) * d + 1 for k, d in zip(self.weights.shape[:3], self.dilation, strict=True)]
        return Window.of(reach, self.strides)
