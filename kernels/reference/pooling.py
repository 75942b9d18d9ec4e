"""Windows and whole maps summed up in one value."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from .base import Array, reference
from .moving import pad


@reference(ops.Pool2D)
def _pool2d(op: ops.Pool2D, x: Array) -> Array:
    height, width, channels = op.shape(x.shape)
    padded = pad(x, op.pads, math.nan)
    windows = np.empty((*op.size, height, width, channels), x.dtype)
    for ky in range(op.size[0]):
        for kx in range(op.size[1]):
            rows = slice(ky, ky + (height - 1) * op.strides[0] + 1, op.strides[0])
            columns = slice(kx, kx + (width - 1) * op.strides[1] + 1, op.strides[1])
            windows[ky, kx] = padded[rows, columns]
    reduce = np.nanmax if op.kind is ops.PoolKind.MAX else np.nanmean
    return np.asarray(reduce(windows, axis=(0, 1)))


@reference(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, x: Array) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    return np.asarray(flat.max(axis=0) if op.kind is ops.PoolKind.MAX else flat.mean(axis=0))
