"""Pools."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ..steps import Buffer, Row
from .base import count, encoder


@encoder(ops.Pool)
def _pool(op: ops.Pool, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    missing = [1] * (3 - len(op.size))
    before = [side[0] for side in op.sides]
    return [[
        f"f32_{op.kind.name.lower()}_pool", x.place, y.place, *missing, *x.shape, *missing, *y.shape[:-1],
        *[0] * len(missing), *before, *missing, *op.size, *missing, *op.strides,
    ]]  # fmt: skip


@encoder(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    channels = x.shape[-1]
    kernel = f"f32_global_{op.kind.name.lower()}_pool"
    return [[kernel, x.place, y.place, 1, count(x) // channels, 1, channels]]
