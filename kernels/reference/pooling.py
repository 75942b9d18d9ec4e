"""Windows and whole maps summed up in one value."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from .base import Array, reference
from .moving import pad


@reference(ops.Pool)
def _pool(op: ops.Pool, x: Array) -> Array:
    if op.kind is ops.PoolKind.MAX:  # a NaN is never the largest beside numbers, in TensorFlow too
        return np.asarray(np.fmax.reduce(_windows(op, pad(x, op.sides, math.nan))))
    cells = _windows(op, pad(np.ones_like(x), op.sides, 0.0)).sum(axis=0)
    return np.asarray(_windows(op, pad(x, op.sides, 0.0)).sum(axis=0) / cells)


def _windows(op: ops.Pool, padded: Array) -> Array:
    """The first cell of every window, then every second one, and so on: (cells of a window, *output)."""
    found = []
    for place in np.ndindex(*op.size):
        each = zip(place, padded.shape, op.size, op.strides, strict=False)
        found.append(padded[tuple(slice(k, n - size + k + 1, stride) for k, n, size, stride in each)])
    return np.stack(found)


@reference(ops.PoolGradient)
def _pool_gradient(op: ops.PoolGradient, gradient: Array, x: Array) -> Array:
    before = [side[0] for side in op.sides]
    total = np.zeros_like(x)
    for place in np.ndindex(*gradient.shape[:-1]):
        starts = [i * stride - first for i, stride, first in zip(place, op.strides, before, strict=True)]
        each = zip(starts, op.size, x.shape, strict=False)
        window = tuple(slice(max(start, 0), min(start + k, n)) for start, k, n in each)
        cells = x[window].reshape(-1, x.shape[-1])
        shares = np.full(cells.shape, 1 / len(cells), x.dtype)
        if op.kind is ops.PoolKind.MAX:
            shares = (np.arange(len(cells))[:, None] == np.argmax(cells, axis=0)).astype(x.dtype)
        total[window] += (shares * gradient[place]).reshape(x[window].shape)
    return total


@reference(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, x: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    return np.asarray(flat.max(axis=0) if op.kind is ops.PoolKind.MAX else flat.mean(axis=0))
