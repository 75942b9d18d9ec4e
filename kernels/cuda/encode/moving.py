"""Values moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...boxes import MOVES, Box, boxes, frame
from ...places import Buffer
from ..launch import Launch
from .base import Target, each_of, each_value, encoder, source, stride

_COPIES = (("f32_copy", 3), ("f32_copy_5", 5))
"""The kernels that copy a box, and how many axes it may have."""


@encoder(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    count = math.prod(x.shape)
    return [each_value("u8_f32_scale", y, x.place, y.place, count, float(op.divisor), stride(x, 1), stride(y))]


@encoder(ops.Pad)
def _pad(op: ops.Pad, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    around = frame(op, x.shape, y.shape)
    lengths = around.x, around.y, around.before
    geometry = [n for *outer, last in lengths for n in (*outer, last * around.inner)]  # what lies inside moves along
    return [each_value("f32_pad", y, x.place, y.place, math.prod(y.shape), *geometry, stride(x), stride(y))]


def _moved(op: ops.Op, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    found = boxes(op, [x.shape for x in inputs], y.shape)
    return [_copy(part, inputs, y) for box in found for part in box.parts(_COPIES[-1][1])]


for kind in MOVES:
    encoder(kind)(_moved)


def _copy(box: Box, inputs: Sequence[Buffer], y: Buffer) -> Launch:
    x = source(inputs[box.source] if isinstance(box.source, int) else box.source)
    kernel, most = next((kernel, most) for kernel, most in _COPIES if len(box.axes) <= most)
    lengths, x_steps, y_steps = zip(*[(1, 0, 0)] * (most - len(box.axes)), *box.axes, strict=True)
    count = math.prod(lengths)
    of_x, of_y = (box.x_start, *(step % 2**32 for step in x_steps)), (box.y_start, *y_steps)
    return each_of(kernel, count, x.pointer, y.place, count, *lengths[1:], *of_x, *of_y, x.stride, stride(y))
