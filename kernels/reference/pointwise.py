"""Value by value, or along one axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import ops
from .base import Array, reference


@reference(ops.Affine)
def _affine(op: ops.Affine, x: Array) -> Array:
    along = [1] * x.ndim
    along[op.axis] = -1
    mean, scale, offset = (p.astype(x.dtype).reshape(along) for p in (op.mean, op.scale, op.offset))
    return np.asarray((x - mean) * scale + offset)


@reference(ops.Elementwise)
def _elementwise(op: ops.Elementwise, x: Array) -> Array:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.asarray(_UNARY[op.function](x, op.a, op.b)).astype(x.dtype)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


def _elu(x: Array, a: float) -> Array:
    return np.where(x > 0, x, a * np.expm1(np.minimum(x, 0)))


_erf = np.vectorize(math.erf, otypes=[np.float64])


_UNARY: dict[ops.Unary, Callable[[Array, float, float], Array]] = {
    ops.Unary.CLIP: lambda x, a, b: np.clip(x, a, b),
    ops.Unary.LEAKY_RELU: lambda x, a, b: np.where(x >= 0, x, a * x),
    ops.Unary.RELU: lambda x, a, b: np.where(x > b, x, a * (x - b)),
    ops.Unary.ELU: lambda x, a, b: _elu(x, a),
    ops.Unary.SELU: lambda x, a, b: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    ops.Unary.CELU: lambda x, a, b: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
    ops.Unary.SOFTPLUS: lambda x, a, b: _softplus(x),
    ops.Unary.SOFTSIGN: lambda x, a, b: x / (1 + np.abs(x)),
    ops.Unary.SQUAREPLUS: lambda x, a, b: (x + np.sqrt(x * x + a)) / 2,
    ops.Unary.SOFT_SHRINK: lambda x, a, b: np.where(x > a, x - a, np.where(x < -a, x + a, 0)),
    ops.Unary.HARD_SHRINK: lambda x, a, b: np.where(np.abs(x) > a, x, 0),
    ops.Unary.TANH_SHRINK: lambda x, a, b: x - np.tanh(x),
    ops.Unary.SPARSE_PLUS: lambda x, a, b: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    ops.Unary.SPARSE_SIGMOID: lambda x, a, b: np.where(x <= -1, 0, np.where(x < 1, (x + 1) / 2, 1)),
    ops.Unary.THRESHOLD: lambda x, a, b: np.where(x > a, x, b),
    ops.Unary.SIGMOID: lambda x, a, b: _sigmoid(x),
    ops.Unary.LOG_SIGMOID: lambda x, a, b: -_softplus(-x),
    ops.Unary.SILU: lambda x, a, b: x * _sigmoid(x),
    ops.Unary.GELU: lambda x, a, b: x * (1 + _erf(x / math.sqrt(2))) / 2,
    ops.Unary.GELU_TANH: lambda x, a, b: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    ops.Unary.TANH: lambda x, a, b: np.tanh(x),
    ops.Unary.HARD_SIGMOID: lambda x, a, b: np.clip(a * x + b, 0, 1),
    ops.Unary.HARD_SILU: lambda x, a, b: x * np.clip(x / 6 + 0.5, 0, 1),
    ops.Unary.EXPONENTIAL: lambda x, a, b: np.exp(x),
    ops.Unary.MISH: lambda x, a, b: x * np.tanh(_softplus(x)),
    ops.Unary.ABSOLUTE: lambda x, a, b: np.abs(x),
    ops.Unary.SQUARE: lambda x, a, b: x * x,
    ops.Unary.SQRT: lambda x, a, b: np.sqrt(x),
    ops.Unary.RSQRT: lambda x, a, b: 1 / np.sqrt(x),
    ops.Unary.LOG: lambda x, a, b: np.log(x),
    ops.Unary.ERF: lambda x, a, b: _erf(x),
}


@reference(ops.RowWise)
def _row_wise(op: ops.RowWise, x: Array) -> Array:
    shifted = x - x.max(axis=op.axis, keepdims=True)
    if op.function is ops.Row.SPARSEMAX:
        return np.asarray(np.apply_along_axis(_sparsemax, op.axis, x))
    log_sum = np.log(np.exp(shifted).sum(axis=op.axis, keepdims=True))
    return np.asarray(shifted - log_sum if op.function is ops.Row.LOG_SOFTMAX else np.exp(shifted - log_sum))


def _sparsemax(x: Array) -> Array:
    """The Euclidean projection of `x` onto the probability simplex (Martins and Astudillo, 2016, algorithm 1)."""
    x = x - x.max()  # the same result, and large values do not swallow the 1
    ordered = np.sort(x)[::-1]
    sums = np.cumsum(ordered)
    support = np.arange(1, len(x) + 1)
    size = int(np.count_nonzero(1 + support * ordered > sums))
    return np.asarray(np.maximum(x - (sums[size - 1] - 1) / size, 0), x.dtype)


@reference(ops.GatedLinear)
def _gated_linear(op: ops.GatedLinear, x: Array) -> Array:
    values, gates = np.split(x, 2, axis=op.axis)
    return np.asarray(values * _sigmoid(gates))


_MERGES: dict[ops.Merge, Callable[[Array, Array], Array]] = {
    ops.Merge.ADD: np.add,
    ops.Merge.MULTIPLY: np.multiply,
    ops.Merge.SUBTRACT: np.subtract,
    ops.Merge.DIVIDE: np.divide,
    ops.Merge.MAXIMUM: np.maximum,
    ops.Merge.MINIMUM: np.minimum,
    ops.Merge.POWER: np.power,
    ops.Merge.PRELU: lambda x, y: np.where(x > 0, x, x * y),
    ops.Merge.GATE: lambda x, y: np.where(y > 0, x, 0),
}


@reference(ops.Binary)
def _binary(op: ops.Binary, x: Array, y: Array) -> Array:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.asarray(_MERGES[op.function](x, y))


@reference(ops.BinaryConstant)
def _binary_constant(op: ops.BinaryConstant, x: Array) -> Array:
    constant = op.constant.astype(x.dtype)
    both = (constant, x) if op.constant_first else (x, constant)
    return _binary(ops.Binary(op.function), *both)
