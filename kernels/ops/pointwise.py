"""Value by value, or along one axis."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np

from ..records import dataclass
from .base import Floats, Op, Shape, Strip, same_rows


@dataclass(frozen=True, eq=False)
class Affine(Op):
    """(x - mean) * scale + offset along one axis; each parameter is (shape[axis],) float32."""

    mean: Floats
    scale: Floats
    offset: Floats
    axis: int = -1

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs) if self.axis % len(inputs[0]) else None


class Unary(enum.IntEnum):
    """Element-wise functions; `a` and `b` are their parameters, formulas as Keras 3 documents them."""

    CLIP = 0  # min(max(x, a), b)
    LEAKY_RELU = 1  # x if x >= 0 else a * x
    RELU = 2  # x if x > b else a * (x - b): Keras's relu with negative_slope a and threshold b
    ELU = 3  # x if x > 0 else a * (exp(x) - 1)
    SELU = 4  # 1.0507009873554805 * elu(x, 1.6732632423543772)
    CELU = 5  # max(x, 0) + min(0, a * (exp(x / a) - 1))
    SOFTPLUS = 6  # log(1 + exp(x))
    SOFTSIGN = 7  # x / (1 + |x|)
    SQUAREPLUS = 8  # (x + sqrt(x^2 + a)) / 2
    SOFT_SHRINK = 9  # x - a above a, x + a below -a, else 0
    HARD_SHRINK = 10  # x where |x| > a, else 0
    TANH_SHRINK = 11  # x - tanh(x)
    SPARSE_PLUS = 12  # 0 below -1, (x + 1)^2 / 4 to 1, then x
    SPARSE_SIGMOID = 13  # 0 below -1, (x + 1) / 2 to 1, then 1
    THRESHOLD = 14  # x where x > a, else b
    SIGMOID = 15  # 1 / (1 + exp(-x))
    LOG_SIGMOID = 16  # -log(1 + exp(-x))
    SILU = 17  # x * sigmoid(x)
    GELU = 18  # x * (1 + erf(x / sqrt 2)) / 2
    GELU_TANH = 19  # x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
    TANH = 20
    HARD_SIGMOID = 21  # clip(a * x + b, 0, 1): a, b = 0.2, 0.5 in Keras 2 and 1/6, 0.5 in Keras 3
    HARD_SILU = 22  # x * clip(x / 6 + 0.5, 0, 1)
    EXPONENTIAL = 23
    MISH = 24  # x * tanh(softplus(x))
    ABSOLUTE = 25
    SQUARE = 26
    SQRT = 27
    RSQRT = 28  # 1 / sqrt(x)
    LOG = 29
    ERF = 30


@dataclass(frozen=True, eq=False)
class Elementwise(Op):
    """One of :class:`Unary` on every value."""

    function: Unary
    a: float = 0.0
    b: float = 0.0

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs)


class Row(enum.IntEnum):
    """Functions of all values along one axis."""

    SOFTMAX = 0
    LOG_SOFTMAX = 1
    SPARSEMAX = 2


@dataclass(frozen=True, eq=False)
class RowWise(Op):
    """One of :class:`Row` along `axis`."""

    function: Row
    axis: int = -1

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs) if self.axis % len(inputs[0]) else None


@dataclass(frozen=True, eq=False)
class GatedLinear(Op):
    """Keras's glu: the first half of `axis` times the sigmoid of its second half."""

    axis: int = -1

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = list(inputs[0])
        shape[self.axis] //= 2
        return tuple(shape)

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs) if self.axis % len(inputs[0]) else None


class Merge(enum.IntEnum):
    """Element-wise functions of two inputs."""

    ADD = 0
    MULTIPLY = 1
    SUBTRACT = 2
    DIVIDE = 3
    MAXIMUM = 4  # NaN where either is
    MINIMUM = 5
    POWER = 6
    PRELU = 7  # x if x > 0 else x * y
    GATE = 8  # x where y > 0, else 0: what a gradient x is before a relu that gave y


@dataclass(frozen=True, eq=False)
class Binary(Op):
    """One of :class:`Merge` on two inputs of equal rank, an axis of length 1 stretched as NumPy does."""

    function: Merge

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return np.broadcast_shapes(*inputs)

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs)


@dataclass(frozen=True, eq=False)
class BinaryConstant(Op):
    """One of :class:`Merge` on the input and an array, or, where `constant_first`, on the array and the input."""

    function: Merge
    constant: Floats
    constant_first: bool = False

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return np.broadcast_shapes(inputs[0], self.constant.shape)

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        constant = self.constant
        if constant.ndim < len(inputs[0]) or len(constant) == 1:  # the same for all rows
            return same_rows(self, first, last, *inputs)
        own = dataclasses.replace(self, constant=constant[first:last])
        return same_rows(own, first, last, *inputs) if len(constant) == inputs[0][0] else None
