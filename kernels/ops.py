"""The operations a plan is made of: what is computed, in arrays and integers.

Each class below is one operation on arrays without a batch axis, channels last. It holds its weights and its
geometry (padding is always four numbers) and knows the shape it gives; it computes nothing. What it means is written
once in :mod:`.reference` (plain NumPy, the specification); how it is computed fast lies in :mod:`.cpu`.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Shape: TypeAlias = tuple[int, ...]
Floats: TypeAlias = npt.NDArray[np.float32]
Pads: TypeAlias = tuple[int, int, int, int]
"""Rows above, rows below, columns left, columns right."""

NO_PADS: Pads = (0, 0, 0, 0)
INF = math.inf


def span(length: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Positions a window of `kernel` cells, `dilation` apart, takes over `length` cells in steps of `stride`.

    floor((length - ((kernel - 1) * dilation + 1)) / stride) + 1, with `length` already padded; never below 0.
    """
    return max(0, (length - (kernel - 1) * dilation - 1) // stride + 1)


@dataclass(frozen=True)
class Window:
    """What one value of an output sees of the input along rows and columns."""

    size: tuple[int, int]
    strides: tuple[int, int]


class Op:
    """One operation: `shape(*inputs)` is the output's shape for the inputs' shapes."""

    window: Window | None = Window((1, 1), (1, 1))
    """What one output value sees of the input; None if all of it."""

    def shape(self, *inputs: Shape) -> Shape:
        """The output's shape; the first input's unless a subclass says otherwise."""
        return inputs[0]

    def multiply_adds(self, *inputs: Shape) -> int:
        """Multiplications each followed by an addition: convolutions and dense layers alone are counted."""
        return 0


@dataclass(frozen=True, eq=False)
class FromBytes(Op):
    """uint8 to float32, divided by `divisor` (255 for a picture scaled to 0..1, 1 for raw values)."""

    divisor: float


@dataclass(frozen=True, eq=False)
class Conv2D(Op):
    """Cross-correlation of (H, W, C) with weights (kh, kw, C / groups, filters), bias, then clipping to low..high.

    `low` and `high` carry relu (0, inf) and relu6 (0, 6) for free; NaN passes through. Padding is with zeros.
    """

    weights: Floats
    bias: Floats
    strides: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    low: float = -INF
    high: float = INF

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        height, width, _ = inputs[0]
        (top, bottom, left, right), (kh, kw, _, filters) = self.pads, self.weights.shape
        return (
            span(height + top + bottom, kh, self.strides[0], self.dilation[0]),
            span(width + left + right, kw, self.strides[1], self.dilation[1]),
            filters,
        )

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        kh, kw, depth, _ = self.weights.shape
        return math.prod(self.shape(*inputs)) * int(kh * kw * depth)

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        reach = [(k - 1) * d + 1 for k, d in zip(self.weights.shape[:2], self.dilation, strict=True)]
        return Window((reach[0], reach[1]), self.strides)


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


@dataclass(frozen=True, eq=False)
class Pad2D(Op):
    """(H, W, C) with rows and columns of zeros around it."""

    pads: Pads

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.pads
        return (height + top + bottom, width + left + right, channels)


@dataclass(frozen=True, eq=False)
class Crop2D(Op):
    """(H, W, C) less rows above, below and columns left, right."""

    crops: Pads

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.crops
        return (height - top - bottom, width - left - right, channels)


@dataclass(frozen=True, eq=False)
class Affine(Op):
    """(x - mean) * scale + offset along one axis; each parameter is (shape[axis],) float32."""

    mean: Floats
    scale: Floats
    offset: Floats
    axis: int = -1


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


@dataclass(frozen=True, eq=False)
class Elementwise(Op):
    """One of :class:`Unary` on every value."""

    function: Unary
    a: float = 0.0
    b: float = 0.0


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


@dataclass(frozen=True, eq=False)
class GatedLinear(Op):
    """Keras's glu: the first half of `axis` times the sigmoid of its second half."""

    axis: int = -1

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = list(inputs[0])
        shape[self.axis] //= 2
        return tuple(shape)


class Merge(enum.IntEnum):
    """Element-wise functions of two inputs."""

    ADD = 0
    MULTIPLY = 1


@dataclass(frozen=True, eq=False)
class Binary(Op):
    """One of :class:`Merge` on two inputs of equal rank, an axis of length 1 stretched as NumPy does."""

    function: Merge

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return np.broadcast_shapes(*inputs)


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """Inputs one after the other along `axis`; their other axes are equal."""

    axis: int = -1

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = list(inputs[0])
        shape[self.axis] = sum(i[self.axis] for i in inputs)
        return tuple(shape)


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same values in the same order under another shape; costs nothing."""

    target: Shape
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.target


def axis_split(shape: Shape, axis: int) -> tuple[int, int, int]:
    """A shape seen as (outer, length of `axis`, inner): how row-major memory lies around one axis."""
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
