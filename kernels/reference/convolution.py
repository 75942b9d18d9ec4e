"""Sums of products: convolutions and dense layers."""

from __future__ import annotations

import numpy as np

from .. import ops
from .base import Array, reference
from .moving import pad


@reference(ops.Conv2D)
def _conv2d(op: ops.Conv2D, x: Array) -> Array:
    weights, (sy, sx), (dy, dx) = op.weights.astype(x.dtype), op.strides, op.dilation
    kh, kw, depth, filters = weights.shape
    x = pad(x, (op.pads[:2], op.pads[2:]), 0.0)
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


@reference(ops.Dense)
def _dense(op: ops.Dense, x: Array) -> Array:
    y = x @ op.weights.astype(x.dtype) + op.bias.astype(x.dtype)
    return np.asarray(np.clip(y, op.low, op.high), x.dtype)
