"""Values moved."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ...boxes import MOVES, Axis, Box, boxes, frame
from ...places import Buffer, Place
from ..steps import Row
from .base import bits, count, encoder

AXES = 5
"""Axes of a box that one row copies."""
SHORT = 8
"""A run of fewer floats is too short for an inner loop where a longer one is to be had."""


@encoder(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [["u8_f32_scale", x.place, y.place, count(x), bits(op.divisor)]]


@encoder(ops.Pad)
def _pad(op: ops.Pad, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    around = frame(op, x.shape, y.shape)
    return [["f32_pad", x.place, y.place, *around.x, around.inner, *around.y, *around.before, around.outer]]


def _moved(op: ops.Op, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    found = boxes(op, [x.shape for x in inputs], y.shape)
    return [_copy(part, inputs, y) for box in found for part in _long_inside(box).parts(AXES)]


for kind in MOVES:
    encoder(kind)(_moved)


def _long_inside(box: Box) -> Box:
    """The box with an innermost axis along which it lies in one piece on both sides; where that is none or short, with
    its longest."""
    axes: list[Axis] = list(box.axes)
    if axes and (axes[-1][1:] != (1, 1) or axes[-1][0] < SHORT):
        axes.append(axes.pop(max(range(len(axes)), key=lambda a: axes[a][0])))
    return Box(box.source, tuple(axes), box.x_start, box.y_start)


def _copy(box: Box, inputs: Sequence[Buffer], y: Buffer) -> Row:
    x: Place | ops.Floats
    if isinstance(box.source, int):
        x = inputs[box.source].place + 4 * box.x_start
    else:
        assert not box.x_start, "an array is copied whole"
        x = box.source
    axes = [(1, 0, 0)] * (AXES - len(box.axes)) + list(box.axes)
    return ["f32_copy", x, y.place + 4 * box.y_start, *(n for part in zip(*axes, strict=True) for n in part)]
