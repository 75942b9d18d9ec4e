"""Back through what works value by value, or along one axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.ops import Merge, Row, Total, Unary
from fastact.layers import Tape, Value
from fastact.saliency.gradients.base import Term, gathered, gradient
from fastact.saliency.gradients.convolution import unclipped


@gradient(ops.Affine)
def _affine(tape: Tape, op: ops.Affine, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    zeros = np.zeros_like(op.scale)
    return (tape.emit(ops.Affine(zeros, op.scale, zeros, op.axis), back),)


def _selu(y: Term, x: Term) -> Term:
    return _split(x, 1.0507009873554805, y + 1.0507009873554805 * 1.6732632423543772)


def _split(x: Term, above: Term | float, below: Term | float) -> Term:
    """`above` where x is above 0, else `below`."""
    positive = x.step()
    return positive * above + (1.0 - positive) * below


def _gelu(x: Term) -> Term:
    share = (x * math.sqrt(0.5)).apply(Unary.ERF) * 0.5 + 0.5
    bell = (x.apply(Unary.SQUARE) * -0.5).apply(Unary.EXPONENTIAL)
    return share + x * bell * (1 / math.sqrt(2 * math.pi))


def _gelu_tanh(x: Term) -> Term:
    square, c = x.apply(Unary.SQUARE), math.sqrt(2 / math.pi)
    t = (x * (square * (0.044715 * c) + c)).apply(Unary.TANH)
    return (t + 1.0) * 0.5 + x * (1.0 - t * t) * (square * (3 * 0.044715 * c) + c) * 0.5


def _mish(x: Term) -> Term:
    t = x.apply(Unary.SOFTPLUS).apply(Unary.TANH)
    return t + x * x.apply(Unary.SIGMOID) * (1.0 - t * t)


def _silu(x: Term) -> Term:
    s = x.apply(Unary.SIGMOID)
    return s + x * s * (1.0 - s)


def _inside(y: Term, low: float, high: float) -> Term:
    """1 where y is between the two, else 0."""
    return (y - low).step() * (high - y).step()


def _hard_silu(x: Term) -> Term:
    return _inside(x, -3.0, 3.0) * (x * (1 / 3) + 0.5) + (x - 3.0).step()


_DERIVATIVES: dict[Unary, Callable[[Term, Term, float, float], Term]] = {
    Unary.LEAKY_RELU: lambda y, x, a, b: _split(x, 1.0, a),
    Unary.RELU: lambda y, x, a, b: _split(x - b, 1.0, a),
    Unary.THRESHOLD: lambda y, x, a, b: (x - a).step(),
    Unary.ELU: lambda y, x, a, b: _split(x, 1.0, y + a),
    Unary.SELU: lambda y, x, a, b: _selu(y, x),
    Unary.CELU: lambda y, x, a, b: _split(x, 1.0, y * (1 / a) + 1.0),
    Unary.SOFTPLUS: lambda y, x, a, b: x.apply(Unary.SIGMOID),
    Unary.SOFTSIGN: lambda y, x, a, b: (1.0 - y.apply(Unary.ABSOLUTE)).apply(Unary.SQUARE),
    Unary.SQUAREPLUS: lambda y, x, a, b: y / (y * 2.0 - x),
    Unary.SOFT_SHRINK: lambda y, x, a, b: y.apply(Unary.ABSOLUTE).step(),
    Unary.HARD_SHRINK: lambda y, x, a, b: y.apply(Unary.ABSOLUTE).step(),
    Unary.TANH_SHRINK: lambda y, x, a, b: x.apply(Unary.TANH).apply(Unary.SQUARE),
    Unary.SPARSE_PLUS: lambda y, x, a, b: x.apply(Unary.SPARSE_SIGMOID),
    Unary.SPARSE_SIGMOID: lambda y, x, a, b: _inside(y, 0.0, 1.0) * 0.5,
    Unary.SIGMOID: lambda y, x, a, b: y * (1.0 - y),
    Unary.LOG_SIGMOID: lambda y, x, a, b: 1.0 - x.apply(Unary.SIGMOID),
    Unary.SILU: lambda y, x, a, b: _silu(x),
    Unary.GELU: lambda y, x, a, b: _gelu(x),
    Unary.GELU_TANH: lambda y, x, a, b: _gelu_tanh(x),
    Unary.TANH: lambda y, x, a, b: 1.0 - y * y,
    Unary.HARD_SIGMOID: lambda y, x, a, b: _inside(y, 0.0, 1.0) * a,
    Unary.HARD_SILU: lambda y, x, a, b: _hard_silu(x),
    Unary.EXPONENTIAL: lambda y, x, a, b: y,
    Unary.MISH: lambda y, x, a, b: _mish(x),
    Unary.ABSOLUTE: lambda y, x, a, b: x.step() - (x * -1.0).step(),
    Unary.SQUARE: lambda y, x, a, b: x * 2.0,
    Unary.SQRT: lambda y, x, a, b: 0.5 / y,
    Unary.RSQRT: lambda y, x, a, b: y * y * y * -0.5,
    Unary.LOG: lambda y, x, a, b: 1.0 / x,
    Unary.ERF: lambda y, x, a, b: (x.apply(Unary.SQUARE) * -1.0).apply(Unary.EXPONENTIAL) * (2 / math.sqrt(math.pi)),
}
"""The derivatives of the element-wise functions, by what they gave and took. Where one has a step, the side is
TensorFlow's: that of relu is 0 at 0."""


@gradient(ops.Elementwise)
def _elementwise(tape: Tape, op: ops.Elementwise, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    g, result, value = Term(tape, back), Term(tape, y), Term(tape, x)
    if op.function is Unary.CLIP:
        return (unclipped(g, result, op.a, op.b).value,)
    return ((g * _DERIVATIVES[op.function](result, value, op.a, op.b)).value,)


@gradient(ops.RowWise)
def _row_wise(tape: Tape, op: ops.RowWise, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    g, result = Term(tape, back), Term(tape, y)
    if op.function is Row.SOFTMAX:
        return ((result * (g - (g * result).total(Total.SUM, (op.axis,)))).value,)
    if op.function is Row.LOG_SOFTMAX:
        return ((g - result.apply(Unary.EXPONENTIAL) * g.total(Total.SUM, (op.axis,))).value,)
    chosen = result.step()  # sparsemax: the mean over what is not cut off is taken away
    shared = (g * chosen).total(Total.SUM, (op.axis,)) / chosen.total(Total.SUM, (op.axis,))
    return ((chosen * (g - shared)).value,)


@gradient(ops.GatedLinear)
def _gated_linear(tape: Tape, op: ops.GatedLinear, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    half = y.shape[op.axis]
    values, gates = (Term(tape, tape.emit(ops.Slice(op.axis, start, half), x)) for start in (0, half))
    g, share = Term(tape, back), gates.apply(Unary.SIGMOID)
    of_values = g * share
    of_gates = of_values * values * (1.0 - share)
    return (tape.emit(ops.Concat(op.axis), of_values.value, of_gates.value),)


@gradient(ops.Binary)
def _binary(tape: Tape, op: ops.Binary, back: Value, y: Value, a: Value, b: Value) -> tuple[Value, ...]:
    g, first, second, result = (Term(tape, v) for v in (back, a, b, y))
    each = _merged(op.function, g, first, second, result)
    return tuple(gathered(term, value.shape) for term, value in zip(each, (a, b), strict=True))


def _merged(function: Merge, g: Term, a: Term, b: Term, y: Term) -> tuple[Term, Term]:
    match function:
        case Merge.ADD:
            return g, g
        case Merge.SUBTRACT:
            return g, g * -1.0
        case Merge.MULTIPLY:
            return g * b, g * a
        case Merge.DIVIDE:
            return g / b, g * -1.0 * y / b
        case Merge.MAXIMUM:  # of equal values the first takes it, as in TensorFlow
            of_b = g.where(b - a)
            return g - of_b, of_b
        case Merge.MINIMUM:
            of_b = g.where(a - b)
            return g - of_b, of_b
    raise UnsupportedError(f"fastact has no gradient of {function.name.lower()} of two inputs")


@gradient(ops.BinaryConstant)
def _binary_constant(tape: Tape, op: ops.BinaryConstant, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    g, value = Term(tape, back), Term(tape, x)

    def with_constant(function: Merge, term: Term, *, first: bool = False) -> Term:
        return Term(tape, tape.emit(ops.BinaryConstant(function, op.constant, first), term.value))

    match op.function:
        case Merge.ADD:
            made = g
        case Merge.SUBTRACT:
            made = g * -1.0 if op.constant_first else g
        case Merge.MULTIPLY:
            made = with_constant(Merge.MULTIPLY, g)
        case Merge.DIVIDE:
            made = g * -1.0 * Term(tape, y) / value if op.constant_first else with_constant(Merge.DIVIDE, g)
        case Merge.PRELU if not op.constant_first:
            above = g.where(value)
            made = above + with_constant(Merge.MULTIPLY, g - above)
        case Merge.MAXIMUM:
            made = g - g.where(with_constant(Merge.SUBTRACT, value, first=True))
        case Merge.MINIMUM:
            made = g - g.where(with_constant(Merge.SUBTRACT, value))
        case Merge.POWER if not op.constant_first:
            less = np.asarray(op.constant - 1, np.float32)
            power = Term(tape, tape.emit(ops.BinaryConstant(Merge.POWER, less), x))
            made = g * with_constant(Merge.MULTIPLY, power)
        case _:
            raise UnsupportedError(f"fastact has no gradient of {op.function.name.lower()} with a constant")
    return (gathered(made, x.shape),)
