"""What every operation means, in plain NumPy: the specification the kernels are tested against.

Written to be read, not to be fast; checked against TensorFlow by the tests. The arithmetic is done in the dtype of the
inputs, so float64 inputs give the float64 reference that errors are measured from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from . import ops

Array: TypeAlias = npt.NDArray[Any]
O = TypeVar("O", bound=ops.Op)  # noqa: E741

_REFERENCES: dict[type[ops.Op], Callable[..., Array]] = {}


def run(op: ops.Op, *inputs: Array) -> Array:
    """The output of `op` for `inputs`, computed in their dtype (bytes: in float64)."""
    return _REFERENCES[type(op)](op, *inputs)


def _reference(kind: type[O]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    def register(function: Callable[..., Array]) -> Callable[..., Array]:
        _REFERENCES[kind] = function
        return function

    return register


@_reference(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, x: Array) -> Array:
    return x.astype(np.float64) / op.divisor


@_reference(ops.Conv2D)
def _conv2d(op: ops.Conv2D, x: Array) -> Array:
    weights, (sy, sx), (dy, dx) = op.weights.astype(x.dtype), op.strides, op.dilation
    kh, kw, depth, filters = weights.shape
    x = _pad(x, op.pads, 0.0)
    height, width, _ = ops.Conv2D(op.weights, op.bias, op.strides, ops.NO_PADS, op.dilation).shape(x.shape)
    y = np.empty((height, width, filters), x.dtype)
    per_group = filters // op.groups
    for g in range(op.groups):
        inputs, outputs = slice(g * depth, (g + 1) * depth), slice(g * per_group, (g + 1) * per_group)
        total = np.zeros((height, width, per_group), x.dtype) + op.bias[outputs].astype(x.dtype)
        for ky in range(kh):
            for kx in range(kw):
                rows = slice(ky * dy, ky * dy + (height - 1) * sy + 1, sy)
                columns = slice(kx * dx, kx * dx + (width - 1) * sx + 1, sx)
                total += x[rows, columns, inputs] @ weights[ky, kx, :, outputs]
        y[..., outputs] = total
    return np.asarray(np.clip(y, op.low, op.high), x.dtype)


@_reference(ops.Dense)
def _dense(op: ops.Dense, x: Array) -> Array:
    y = x @ op.weights.astype(x.dtype) + op.bias.astype(x.dtype)
    return np.asarray(np.clip(y, op.low, op.high), x.dtype)


@_reference(ops.Pool2D)
def _pool2d(op: ops.Pool2D, x: Array) -> Array:
    height, width, channels = op.shape(x.shape)
    padded = _pad(x, op.pads, math.nan)
    windows = np.empty((*op.size, height, width, channels), x.dtype)
    for ky in range(op.size[0]):
        for kx in range(op.size[1]):
            rows = slice(ky, ky + (height - 1) * op.strides[0] + 1, op.strides[0])
            columns = slice(kx, kx + (width - 1) * op.strides[1] + 1, op.strides[1])
            windows[ky, kx] = padded[rows, columns]
    reduce = np.nanmax if op.kind is ops.PoolKind.MAX else np.nanmean
    return np.asarray(reduce(windows, axis=(0, 1)))


@_reference(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, x: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    return np.asarray(flat.max(axis=0) if op.kind is ops.PoolKind.MAX else flat.mean(axis=0))


@_reference(ops.Pad2D)
def _pad2d(op: ops.Pad2D, x: Array) -> Array:
    return _pad(x, op.pads, 0.0)


@_reference(ops.Crop2D)
def _crop2d(op: ops.Crop2D, x: Array) -> Array:
    top, bottom, left, right = op.crops
    return x[top : x.shape[0] - bottom, left : x.shape[1] - right]


@_reference(ops.Affine)
def _affine(op: ops.Affine, x: Array) -> Array:
    along = [1] * x.ndim
    along[op.axis] = -1
    mean, scale, offset = (p.astype(x.dtype).reshape(along) for p in (op.mean, op.scale, op.offset))
    return np.asarray((x - mean) * scale + offset)


@_reference(ops.Elementwise)
def _elementwise(op: ops.Elementwise, x: Array) -> Array:
    with np.errstate(over="ignore"):
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
}


@_reference(ops.RowWise)
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


@_reference(ops.GatedLinear)
def _gated_linear(op: ops.GatedLinear, x: Array) -> Array:
    values, gates = np.split(x, 2, axis=op.axis)
    return np.asarray(values * _sigmoid(gates))


@_reference(ops.Binary)
def _binary(op: ops.Binary, x: Array, y: Array) -> Array:
    return np.asarray(x + y if op.function is ops.Merge.ADD else x * y)


@_reference(ops.Concat)
def _concat(op: ops.Concat, *inputs: Array) -> Array:
    return np.concatenate(inputs, axis=op.axis)


@_reference(ops.Reshape)
def _reshape(op: ops.Reshape, x: Array) -> Array:
    return x.reshape(op.target)


def _pad(x: Array, pads: ops.Pads, value: float) -> Array:
    top, bottom, left, right = pads
    return np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=value)
