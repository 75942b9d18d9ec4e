"""Convolutions along three axes."""

from __future__ import annotations

import numpy as np

from .. import ops
from .base import Array, reference


@reference(ops.Conv3D)
def _conv3d(op: ops.Conv3D, x: Array) -> Array:
    weights = op.weights.astype(x.dtype)
    *shape, filters = op.shape(x.shape)
    *kernel, depth, _ = weights.shape
    per_group = filters // op.groups
    y = np.zeros((*shape, filters), x.dtype) + op.bias.astype(x.dtype)
    for place in np.ndindex(*kernel):
        starts = [k * d for k, d in zip(place, op.dilation, strict=True)]
        each = zip(starts, shape, op.strides, strict=True)
        cells = x[tuple(slice(start, start + (n - 1) * stride + 1, stride) for start, n, stride in each)]
        for g in range(op.groups):
            outputs = slice(g * per_group, (g + 1) * per_group)
            y[..., outputs] += cells[..., g * depth : (g + 1) * depth] @ weights[place][:, outputs]
    return np.asarray(np.clip(y, op.low, op.high), x.dtype)
