"""Operations value by value: activations, affine maps, sums and products, softmax along an axis.

What is more than a comparison, an affine map or one operation on two inputs is computed in float64 and rounded once.
An operation in place has loops of its own, in which LLVM sees that input and output are one: it vectorises no loop in
which a value may be read after it was written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import float32, float64, njit

from .. import ops
from .exponential import elu, exp, expm1, mish, sigmoid, softplus, tanh
from .fields import (
    AXES,
    COUNT,
    INNER,
    LENGTH,
    MEAN,
    OFFSET,
    OUTER,
    PARAMETERS,
    SCALE,
    X2,
    X2_STRIDES,
    X_STRIDES,
    X,
    Y,
)  # fmt: skip
from .simd import f32, f64, fma, i64, set_f32, wide


@njit(error_model="numpy", inline="always")
def _max0(x):
    """max(x, 0); NaN stays."""
    return 0.0 if x <= 0.0 else x


@njit(error_model="numpy", inline="always")
def _clip(x, a, b):
    x = a if x < a else x
    return b if x > b else x


@njit(error_model="numpy", inline="always")
def _above(x, y):
    """x above zero, else y, which is computed either way: no branch."""
    return x if x > 0.0 else y


BINARY: dict[ops.Merge, Callable[[Any, Any], Any]] = {
    ops.Merge.ADD: lambda a, b: a + b,
    ops.Merge.MULTIPLY: lambda a, b: a * b,
    ops.Merge.SUBTRACT: lambda a, b: a - b,
    ops.Merge.DIVIDE: lambda a, b: a / b,
    ops.Merge.MAXIMUM: lambda a, b: a if a > b or a != a else b,
    ops.Merge.MINIMUM: lambda a, b: a if a < b or a != a else b,
    ops.Merge.POWER: lambda a, b: math.pow(float64(a), float64(b)),
    ops.Merge.PRELU: lambda a, b: a if a > float32(0.0) else a * b,
    ops.Merge.GATE: lambda a, b: a if b > float32(0.0) else float32(0.0),
}

UNARY: dict[ops.Unary, Callable[[Any, Any, Any], Any]] = {
    ops.Unary.LEAKY_RELU: lambda x, a, b: a * x if x < 0.0 else x,
    ops.Unary.RELU: lambda x, a, b: a * (x - b) if x <= b else x,
    ops.Unary.ELU: lambda x, a, b: elu(x, a),
    ops.Unary.SELU: lambda x, a, b: 1.0507009873554805 * elu(x, 1.6732632423543772),
    ops.Unary.CELU: lambda x, a, b: _above(x, a * expm1(x / a)),
    ops.Unary.SOFTPLUS: lambda x, a, b: softplus(x),
    ops.Unary.SOFTSIGN: lambda x, a, b: x / (1.0 + abs(x)),
    ops.Unary.SQUAREPLUS: lambda x, a, b: (x + math.sqrt(x * x + a)) * 0.5,
    ops.Unary.SOFT_SHRINK: lambda x, a, b: x - a if x > a else (x + a if x < -a else 0.0),
    ops.Unary.HARD_SHRINK: lambda x, a, b: x if abs(x) > a else 0.0,
    ops.Unary.TANH_SHRINK: lambda x, a, b: x - tanh(x),
    ops.Unary.SPARSE_PLUS: lambda x, a, b: 0.0 if x <= -1.0 else ((x + 1.0) * (x + 1.0) * 0.25 if x < 1.0 else x),
    ops.Unary.SPARSE_SIGMOID: lambda x, a, b: 0.0 if x <= -1.0 else ((x + 1.0) * 0.5 if x < 1.0 else 1.0),
    ops.Unary.THRESHOLD: lambda x, a, b: x if x > a else b,
    ops.Unary.SIGMOID: lambda x, a, b: sigmoid(x),
    ops.Unary.LOG_SIGMOID: lambda x, a, b: -softplus(-x),
    ops.Unary.SILU: lambda x, a, b: x * sigmoid(x),
    ops.Unary.GELU: lambda x, a, b: x * 0.5 * math.erfc(-x * 0.7071067811865476),
    ops.Unary.GELU_TANH: lambda x, a, b: x * sigmoid(2.0 * 0.7978845608028654 * (x + 0.044715 * x * x * x)),
    ops.Unary.TANH: lambda x, a, b: tanh(x),
    ops.Unary.HARD_SIGMOID: lambda x, a, b: _clip(a * x + b, 0.0, 1.0),
    ops.Unary.HARD_SILU: lambda x, a, b: x * _clip(x / 6.0 + 0.5, 0.0, 1.0),
    ops.Unary.EXPONENTIAL: lambda x, a, b: exp(x),
    ops.Unary.MISH: lambda x, a, b: mish(x),
    ops.Unary.SQRT: lambda x, a, b: math.sqrt(x),
    ops.Unary.RSQRT: lambda x, a, b: 1.0 / math.sqrt(x),
    ops.Unary.LOG: lambda x, a, b: math.log(x),
    ops.Unary.ERF: lambda x, a, b: math.erf(x),
}
"""The element-wise functions in float64, written so that no intermediate overflows or loses small values."""


def elementwise(function: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`UNARY` to every value."""
    apply = njit(error_model="numpy", inline="always")(function)

    def run(step, me, team):
        x, y, count, parameters = i64(step, X), i64(step, Y), i64(step, COUNT), i64(step, PARAMETERS)
        a, b = f64(parameters, 0), f64(parameters, 1)
        first, last = count * me // team, count * (me + 1) // team
        if x == y:  # LLVM sees that no value is read that was written, and vectorises this, too
            for i in range(first, last):
                set_f32(y, i, apply(wide(y, i), a, b))
        else:
            for i in range(first, last):
                set_f32(y, i, apply(wide(x, i), a, b))

    return run


NARROW: dict[ops.Unary, Callable[[Any, Any, Any], Any]] = {
    ops.Unary.CLIP: lambda x, a, b: _clip(x, a, b),
    ops.Unary.ABSOLUTE: lambda x, a, b: abs(x),
    ops.Unary.SQUARE: lambda x, a, b: x * x,
}
"""Those that give the same in float32."""


def narrow(function: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`NARROW` to every value."""
    apply = njit(error_model="numpy", inline="always")(function)

    def run(step, me, team):
        x, y, count, parameters = i64(step, X), i64(step, Y), i64(step, COUNT), i64(step, PARAMETERS)
        a, b = float32(f64(parameters, 0)), float32(f64(parameters, 1))
        first, last = count * me // team, count * (me + 1) // team
        if x == y:
            for i in range(first, last):
                set_f32(y, i, apply(f32(y, i), a, b))
        else:
            for i in range(first, last):
                set_f32(y, i, apply(f32(x, i), a, b))

    return run


def affine(step, me, team):
    """y = (x - mean) * scale + offset, the parameters along the middle axis.

    In float32 with two roundings: that of the difference is one of x beside the mean, not of a product with it.
    """
    x, y, length, inner = i64(step, X), i64(step, Y), i64(step, LENGTH), i64(step, INNER)
    mean, scale, offset = i64(step, MEAN), i64(step, SCALE), i64(step, OFFSET)
    outer = i64(step, OUTER)
    for o in range(outer * me // team, outer * (me + 1) // team):
        source, target = x + 4 * o * length * inner, y + 4 * o * length * inner
        if inner == 1 and x == y:  # one loop over contiguous channels, which vectorises
            for c in range(length):
                set_f32(target, c, fma(f32(target, c) - f32(mean, c), f32(scale, c), f32(offset, c)))
        elif inner == 1:
            for c in range(length):
                set_f32(target, c, fma(f32(source, c) - f32(mean, c), f32(scale, c), f32(offset, c)))
        else:
            for c in range(length):
                m, s, b = f32(mean, c), f32(scale, c), f32(offset, c)
                for i in range(c * inner, (c + 1) * inner):
                    set_f32(target, i, fma(f32(source, i) - m, s, b))


def binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that merges two inputs over four axes, each input with its own strides (0 stretches it)."""
    merge = njit(error_model="numpy", inline="always")(function)

    def run(step, me, team):
        x, x2, y = i64(step, X), i64(step, X2), i64(step, Y)
        n1, n2, n3 = i64(step, AXES + 1), i64(step, AXES + 2), i64(step, AXES + 3)
        step_x, step_x2 = i64(step, X_STRIDES + 3), i64(step, X2_STRIDES + 3)
        rows = i64(step, AXES) * n1 * n2
        # A team shares the rows; where there is one long row, it shares its values.
        first, last, start, stop = rows * me // team, rows * (me + 1) // team, 0, n3
        if rows == 1:
            first, last, start, stop = 0, 1, n3 * me // team, n3 * (me + 1) // team
        for row in range(first, last):
            plane = row // n2
            i0, i2 = plane // n1, row - plane * n2
            i1 = plane - i0 * n1
            a, b, target = x, x2, y + 4 * row * n3
            a += 4 * (i0 * i64(step, X_STRIDES) + i1 * i64(step, X_STRIDES + 1) + i2 * i64(step, X_STRIDES + 2))
            b += 4 * (i0 * i64(step, X2_STRIDES) + i1 * i64(step, X2_STRIDES + 1) + i2 * i64(step, X2_STRIDES + 2))
            if step_x == 1 and step_x2 == 1 and a == target:  # the usual cases, which vectorise
                for i in range(start, stop):
                    set_f32(target, i, merge(f32(target, i), f32(b, i)))
            elif step_x == 1 and step_x2 == 1:
                for i in range(start, stop):
                    set_f32(target, i, merge(f32(a, i), f32(b, i)))
            elif step_x == 1 and step_x2 == 0 and a == target:
                one = f32(b, 0)
                for i in range(start, stop):
                    set_f32(target, i, merge(f32(target, i), one))
            elif step_x == 1 and step_x2 == 0:
                one = f32(b, 0)
                for i in range(start, stop):
                    set_f32(target, i, merge(f32(a, i), one))
            else:
                for i in range(start, stop):
                    set_f32(target, i, merge(f32(a, i * step_x), f32(b, i * step_x2)))

    return run


SOFTMAXES: dict[ops.Row, Callable[[Any], Any]] = {
    ops.Row.SOFTMAX: lambda x: exp(x),
    ops.Row.LOG_SOFTMAX: lambda x: x,
}
"""What becomes of x - log(sum of exp(x))."""


def softmax(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`SOFTMAXES` along the middle axis."""
    apply = njit(error_model="numpy", inline="always")(function)

    def run(step, me, team):
        x, y, length, inner = i64(step, X), i64(step, Y), i64(step, LENGTH), i64(step, INNER)
        rows = i64(step, OUTER) * inner
        for row in range(rows * me // team, rows * (me + 1) // team):
            base = _row_start(row, length, inner)
            shift = _log_sum(x, base, length, inner)
            for c in range(length):
                set_f32(y, base + c * inner, apply(wide(x, base + c * inner) - shift))

    return run


def sparsemax(step, me, team):
    """max(x - t, 0) along the middle axis, with t such that the values sum to 1.

    t is found by Michelot's algorithm (1986), which needs no sorted copy: take the mean excess over 1 of the values
    above t as the new t until their number stays. Values are taken relative to the largest, beside which a large
    one would swallow the 1.
    """
    x, y, length, inner = i64(step, X), i64(step, Y), i64(step, LENGTH), i64(step, INNER)
    rows = i64(step, OUTER) * inner
    for row in range(rows * me // team, rows * (me + 1) // team):
        base = _row_start(row, length, inner)
        largest = _or_nan(_largest(x, base, length, inner), x, base, length, inner)
        threshold, support, count = -1.0, 0, -1
        while count != support and count != 0:
            support, total, count = count, 0.0, 0
            for c in range(length):
                value = wide(x, base + c * inner) - largest
                if value > threshold:
                    total += value
                    count += 1
            if count > 0:
                threshold = (total - 1.0) / count
        for c in range(length):
            set_f32(y, base + c * inner, _max0(wide(x, base + c * inner) - largest - threshold))


@njit(error_model="numpy", inline="always")
def _row_start(row, length, inner):
    outer = row // inner
    return outer * length * inner + row - outer * inner


@njit(error_model="numpy", inline="always")
def _largest(x, base, length, inner):
    """The largest value of a row that has no NaN."""
    largest = wide(x, base)
    for c in range(1, length):
        value = wide(x, base + c * inner)
        largest = value if value > largest else largest
    return largest


@njit(error_model="numpy", inline="always")
def _or_nan(largest, x, base, length, inner):
    """`largest`, or NaN where a row has one."""
    for c in range(length):
        value = wide(x, base + c * inner)
        largest = value if value != value else largest
    return largest


@njit(error_model="numpy", inline="always")
def _log_sum(x, base, length, inner):
    largest, total = _largest(x, base, length, inner), 0.0
    for c in range(length):
        total += exp(wide(x, base + c * inner) - largest)
    return largest + math.log(total)


def gated_linear(step, me, team):
    """y = first half * sigmoid(second half) of the middle axis; LENGTH is the output's."""
    x, y, length, inner = i64(step, X), i64(step, Y), i64(step, LENGTH), i64(step, INNER)
    run, outer = length * inner, i64(step, OUTER)
    for o in range(outer * me // team, outer * (me + 1) // team):
        values, gates = x + 8 * o * run, x + 8 * o * run + 4 * run
        for i in range(run):
            set_f32(y + 4 * o * run, i, wide(values, i) * sigmoid(wide(gates, i)))


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_affine": affine,
    "f32_sparsemax": sparsemax,
    "f32_gated_linear": gated_linear,
    **{f"f32_{kind.name.lower()}": softmax(function) for kind, function in SOFTMAXES.items()},
    **{f"f32_{kind.name.lower()}": binary(function) for kind, function in BINARY.items()},
    **{f"f32_{kind.name.lower()}": elementwise(function) for kind, function in UNARY.items()},
    **{f"f32_{kind.name.lower()}": narrow(function) for kind, function in NARROW.items()},
}
