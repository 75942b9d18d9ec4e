"""Values moved, and nothing computed: bytes to floats, padding, cropping, joining."""

from __future__ import annotations

import numpy as np

from .. import ops
from .base import Array, reference


@reference(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, x: Array) -> Array:
    return x.astype(np.float64) / op.divisor


@reference(ops.Pad)
def _pad(op: ops.Pad, x: Array) -> Array:
    return pad(x, op.sides, 0.0)


@reference(ops.Crop)
def _crop(op: ops.Crop, x: Array) -> Array:
    return x[tuple(slice(before, n - after) for n, (before, after) in zip(x.shape, op.sides, strict=False))]


@reference(ops.Repeat)
def _repeat(op: ops.Repeat, x: Array) -> Array:
    for axis, times in enumerate(op.times):
        x = np.repeat(x, times, axis)
    return x


@reference(ops.Concat)
def _concat(op: ops.Concat, *inputs: Array) -> Array:
    return np.concatenate(inputs, axis=op.axis)


@reference(ops.Interleave)
def _interleave(op: ops.Interleave, *inputs: Array) -> Array:
    y = np.empty(op.shape(*(x.shape for x in inputs)), inputs[0].dtype)
    y[:] = op.fill
    for origin, x in zip(op.origins, inputs, strict=True):
        each = zip(origin, x.shape, op.strides, strict=False)
        y[tuple(slice(first, first + n * stride, stride) for first, n, stride in each)] = x
    return y


@reference(ops.Slice)
def _slice(op: ops.Slice, x: Array) -> Array:
    return np.take(x, range(op.start, op.start + op.count * op.step, op.step), axis=op.axis)


@reference(ops.Transpose)
def _transpose(op: ops.Transpose, x: Array) -> Array:
    return np.transpose(x, op.axes)


@reference(ops.Reshape)
def _reshape(op: ops.Reshape, x: Array) -> Array:
    return x.reshape(op.target)


def pad(x: Array, sides: ops.Sides, value: float) -> Array:
    """`x` in a frame of `value`."""
    return np.pad(x, (*sides, *[(0, 0)] * (x.ndim - len(sides))), constant_values=value)
