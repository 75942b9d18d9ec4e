"""Pools."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ..launch import Launch
from .base import Target, each_value, encoder, stride
from .reduction import reduced


@encoder(ops.Pool)
def _pool(op: ops.Pool, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    geometry = (math.prod(y.shape), *_windows(op, x.shape, y.shape))
    return [each_value(f"f32_{op.kind.name.lower()}_pool", y, x.place, y.place, *geometry, stride(x), stride(y))]


@encoder(ops.PoolGradient)
def _pool_gradient(op: ops.PoolGradient, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    gradient, x = inputs
    kernel = f"f32_{op.kind.name.lower()}_pool_gradient"
    geometry = (math.prod(y.shape), *_windows(op, x.shape, gradient.shape))
    frames = (stride(gradient), stride(x), stride(y))
    return [each_value(kernel, y, gradient.place, x.place, y.place, *geometry, *frames)]


def _windows(op: ops.Pool | ops.PoolGradient, x: ops.Shape, y: ops.Shape) -> list[int]:
    """How windows lie over a map of shape `x` and give one of shape `y`, as the kernels are told."""
    missing = [1] * (3 - len(op.size))
    before = [side[0] for side in op.sides]
    return [*missing, *x, *missing, *y[:-1], *[0] * len(missing), *before, *missing, *op.size, *missing, *op.strides]


@encoder(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    total = ops.Total.MAX if op.kind is ops.PoolKind.MAX else ops.Total.MEAN
    return [reduced(total, x, y, (1, math.prod(x.shape[:-1]), x.shape[-1], 1, 1))]
