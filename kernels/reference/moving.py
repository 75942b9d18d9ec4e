"""Values moved, and nothing computed: bytes to floats, padding, cropping, joining."""

from __future__ import annotations

import numpy as np

from .. import ops
from .base import Array, reference


@reference(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, x: Array) -> Array:
    return x.astype(np.float64) / op.divisor


@reference(ops.Pad2D)
def _pad2d(op: ops.Pad2D, x: Array) -> Array:
    return pad(x, op.pads, 0.0)


@reference(ops.Crop2D)
def _crop2d(op: ops.Crop2D, x: Array) -> Array:
    top, bottom, left, right = op.crops
    return x[top : x.shape[0] - bottom, left : x.shape[1] - right]


@reference(ops.Concat)
def _concat(op: ops.Concat, *inputs: Array) -> Array:
    return np.concatenate(inputs, axis=op.axis)


@reference(ops.Slice)
def _slice(op: ops.Slice, x: Array) -> Array:
    return np.take(x, range(op.start, op.start + op.count * op.step, op.step), axis=op.axis)


@reference(ops.Transpose)
def _transpose(op: ops.Transpose, x: Array) -> Array:
    return np.transpose(x, op.axes)


@reference(ops.Reshape)
def _reshape(op: ops.Reshape, x: Array) -> Array:
    return x.reshape(op.target)


def pad(x: Array, pads: ops.Pads, value: float) -> Array:
    """(H, W, C) with rows and columns of `value` around it."""
    top, bottom, left, right = pads
    return np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=value)
