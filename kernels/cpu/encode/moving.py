"""Values moved."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ..steps import Buffer, Row
from .base import bits, count, encoder


@encoder(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [["u8_f32_scale", x.place, y.place, count(x), bits(op.divisor)]]


@encoder(ops.Pad2D)
def _pad2d(op: ops.Pad2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [["f32_nhwc_pad", x.place, y.place, *x.shape, *y.shape[:2], op.pads[0], op.pads[2]]]


@encoder(ops.Crop2D)
def _crop2d(op: ops.Crop2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    stride = x.shape[1] * x.shape[2]
    first = x.place + 4 * (op.crops[0] * stride + op.crops[2] * x.shape[2])
    length = y.shape[1] * y.shape[2]
    return [["f32_copy", first, y.place, y.shape[0], length, stride, length]]


@encoder(ops.Concat)
def _concat(op: ops.Concat, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    _, total, inner = ops.axis_split(y.shape, op.axis)
    made: list[Row] = []
    start = 0
    for x in inputs:
        outer, length, _ = ops.axis_split(x.shape, op.axis)
        run = length * inner
        made.append(["f32_copy", x.place, y.place + 4 * start, outer, run, run, total * inner])
        start += run
    return made
