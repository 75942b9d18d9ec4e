"""Pools."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ..steps import Row
from .base import count, encoder


@encoder(ops.Pool)
def _pool(op: ops.Pool, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [[f"f32_{op.kind.name.lower()}_pool", x.place, y.place, *_windows(op, x.shape, y.shape)]]


@encoder(ops.PoolGradient)
def _pool_gradient(op: ops.PoolGradient, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    gradient, x = inputs
    kernel = f"f32_{op.kind.name.lower()}_pool_gradient"
    return [[kernel, gradient.place, y.place, *_windows(op, x.shape, gradient.shape), x.place]]


def _windows(op: ops.Pool | ops.PoolGradient, x: ops.Shape, y: ops.Shape) -> list[int]:
    """The fields that say how windows lie over a map of shape `x` and give one of shape `y`."""
    missing = [1] * (3 - len(op.size))
    before = [side[0] for side in op.sides]
    return [*missing, *x, *missing, *y[:-1], *[0] * len(missing), *before, *missing, *op.size, *missing, *op.strides]


@encoder(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    channels = x.shape[-1]
    kernel = f"f32_global_{op.kind.name.lower()}_pool"
    return [[kernel, x.place, y.place, 1, count(x) // channels, 1, channels]]
