"""Pools."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ..steps import Buffer, Row
from .base import count, encoder


@encoder(ops.Pool2D)
def _pool2d(op: ops.Pool2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    top, _, left, _ = op.pads
    kernel = f"f32_nhwc_{op.kind.name.lower()}_pool"
    return [[kernel, x.place, y.place, *x.shape, *y.shape[:2], top, left, *op.size, *op.strides]]


@encoder(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    channels = x.shape[-1]
    kernel = f"f32_nhwc_global_{op.kind.name.lower()}_pool"
    return [[kernel, x.place, y.place, count(x) // channels, 1, channels]]
