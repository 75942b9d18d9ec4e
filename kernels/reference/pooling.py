"""Windows and whole maps summed up in one value."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from .base import Array, reference
from .moving import pad


@reference(ops.Pool)
def _pool(op: ops.Pool, x: Array) -> Array:
    shape = op.shape(x.shape)
    padded = pad(x, op.sides, math.nan)
    windows = []
    for place in np.ndindex(*op.size):
        each = zip(place, shape, op.strides, strict=False)
        windows.append(padded[tuple(slice(k, k + (n - 1) * stride + 1, stride) for k, n, stride in each)])
    reduce = np.nanmax if op.kind is ops.PoolKind.MAX else np.nanmean
    return np.asarray(reduce(np.stack(windows), axis=0))


@reference(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, x: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    return np.asarray(flat.max(axis=0) if op.kind is ops.PoolKind.MAX else flat.mean(axis=0))
