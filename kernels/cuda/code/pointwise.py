"""Operations value by value: activations, affine maps, sums and products of two inputs; a thread makes one value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from .base import U, frame, part, value
from .functions import elu, gelu, mish, sigmoid, softplus, squareplus, tanh_shrink

F = np.float32
ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)


@part
def clip(x, a, b):
    """min(max(x, a), b); NaN passes through."""
    x = a if x < a else x
    return b if x > b else x


@part
def power(x, y):
    """x to the power of y."""
    return math.pow(x, y)


UNARY: dict[ops.Unary, Callable[[Any, Any, Any], Any]] = {
    ops.Unary.CLIP: lambda x, a, b: clip(x, a, b),
    ops.Unary.LEAKY_RELU: lambda x, a, b: a * x if x < ZERO else x,
    ops.Unary.RELU: lambda x, a, b: a * (x - b) if x <= b else x,
    ops.Unary.ELU: lambda x, a, b: elu(x, a),
    ops.Unary.SELU: lambda x, a, b: F(1.0507009873554805) * x if x > ZERO else F(1.7580993408473766) * math.expm1(x),
    ops.Unary.CELU: lambda x, a, b: x if x > ZERO else a * math.expm1(x / a),
    ops.Unary.SOFTPLUS: lambda x, a, b: softplus(x),
    ops.Unary.SOFTSIGN: lambda x, a, b: x / (ONE + abs(x)),
    ops.Unary.SQUAREPLUS: lambda x, a, b: squareplus(x, a),
    ops.Unary.SOFT_SHRINK: lambda x, a, b: x - a if x > a else (x + a if x < -a else ZERO),
    ops.Unary.HARD_SHRINK: lambda x, a, b: x if abs(x) > a else ZERO,
    ops.Unary.TANH_SHRINK: lambda x, a, b: tanh_shrink(x),
    ops.Unary.SPARSE_PLUS: lambda x, a, b: ZERO if x <= -ONE else ((x + ONE) * (x + ONE) * F(0.25) if x < ONE else x),
    ops.Unary.SPARSE_SIGMOID: lambda x, a, b: ZERO if x <= -ONE else ((x + ONE) * HALF if x < ONE else ONE),
    ops.Unary.THRESHOLD: lambda x, a, b: x if x > a else b,
    ops.Unary.SIGMOID: lambda x, a, b: sigmoid(x),
    ops.Unary.LOG_SIGMOID: lambda x, a, b: -softplus(-x),
    ops.Unary.SILU: lambda x, a, b: x * sigmoid(x),
    ops.Unary.GELU: lambda x, a, b: gelu(x),
    ops.Unary.GELU_TANH: lambda x, a, b: x * sigmoid(F(1.5957691216057308) * (x + F(0.044715) * x * x * x)),
    ops.Unary.TANH: lambda x, a, b: math.tanh(x),
    ops.Unary.HARD_SIGMOID: lambda x, a, b: clip(a * x + b, ZERO, ONE),
    ops.Unary.HARD_SILU: lambda x, a, b: x * clip(x / F(6) + HALF, ZERO, ONE),
    ops.Unary.EXPONENTIAL: lambda x, a, b: math.exp(x),
    ops.Unary.MISH: lambda x, a, b: mish(x),
    ops.Unary.ABSOLUTE: lambda x, a, b: abs(x),
    ops.Unary.SQUARE: lambda x, a, b: x * x,
    ops.Unary.SQRT: lambda x, a, b: math.sqrt(x),
    ops.Unary.RSQRT: lambda x, a, b: ONE / math.sqrt(x),
    ops.Unary.LOG: lambda x, a, b: math.log(x),
    ops.Unary.ERF: lambda x, a, b: math.erf(x),
}
"""The element-wise functions in float32."""


def elementwise(function: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`UNARY` to every value."""
    apply = part(function)

    def run(x, y, count, a, b, x_frame, y_frame):
        i = value()
        if i < count:
            y[frame(y_frame) + i] = apply(x[frame(x_frame) + i], a, b)

    return run


def f32_affine(x, y, count, length, inner, mean, scale, offset, x_frame, y_frame):
    """(x - mean) * scale + offset, the parameters along the middle axis; the sum is rounded with the product."""
    i = value()
    if i < count:
        c = U(U(i // inner) % length)
        y[frame(y_frame) + i] = (x[frame(x_frame) + i] - mean[c]) * scale[c] + offset[c]


def f32_gated_linear(x, y, count, run, x_frame, y_frame):
    """The first half of the middle axis times the sigmoid of the second, `run` values further on."""
    i = value()
    if i < count:
        first = frame(x_frame) + U(i + U(i // run) * run)
        y[frame(y_frame) + i] = x[first] * sigmoid(x[first + run])


BINARY: dict[ops.Merge, Callable[[Any, Any], Any]] = {
    ops.Merge.ADD: lambda a, b: a + b,
    ops.Merge.MULTIPLY: lambda a, b: a * b,
    ops.Merge.SUBTRACT: lambda a, b: a - b,
    ops.Merge.DIVIDE: lambda a, b: a / b,
    ops.Merge.MAXIMUM: lambda a, b: a if a > b or a != a else b,
    ops.Merge.MINIMUM: lambda a, b: a if a < b or a != a else b,
    ops.Merge.POWER: lambda a, b: power(a, b),
    ops.Merge.PRELU: lambda a, b: a if a > ZERO else a * b,
    ops.Merge.GATE: lambda a, b: a if b > ZERO else ZERO,
}


def binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that merges two inputs over four axes, each input with its own strides (0 stretches it)."""
    merge = part(function)

    def run(x, x2, y, count, n1, n2, n3, p0, p1, p2, p3, q0, q1, q2, q3, x_frame, x2_frame, y_frame):
        i = value()
        if i < count:
            first, second = U(i * p3), U(i * q3)
            if n3 != count:  # else one long run, the usual case
                row = U(i // n3)
                plane = U(row // n2)
                a3, a2, a1, a0 = U(i - row * n3), U(row - plane * n2), U(plane % n1), U(plane // n1)
                first = U(a0 * p0 + a1 * p1 + a2 * p2 + a3 * p3)
                second = U(a0 * q0 + a1 * q1 + a2 * q2 + a3 * q3)
            y[frame(y_frame) + i] = merge(x[frame(x_frame) + first], x2[frame(x2_frame) + second])

    return run


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_affine": f32_affine,
    "f32_gated_linear": f32_gated_linear,
    **{f"f32_{kind.name.lower()}": elementwise(function) for kind, function in UNARY.items()},
    **{f"f32_{kind.name.lower()}": binary(function) for kind, function in BINARY.items()},
}
