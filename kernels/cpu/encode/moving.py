"""Values moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ..steps import Buffer, Place, Row
from .base import bits, count, encoder

AXES = 5
"""Axes of a box that one row copies."""
SHORT = 8
"""A run of fewer floats is too short for an inner loop where a longer one is to be had."""


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
    steps = strides(x.shape)
    return [copied(x.place + 4 * (op.crops[0] * steps[0] + op.crops[2] * steps[1]), y.place, y.shape, steps)]


@encoder(ops.Concat)
def _concat(op: ops.Concat, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    steps = strides(y.shape)
    made: list[Row] = []
    start = 0
    for x in inputs:
        made.append(copied(x.place, y.place + 4 * start, x.shape, strides(x.shape), steps))
        start += x.shape[op.axis] * steps[op.axis]
    return made


@encoder(ops.Slice)
def _slice(op: ops.Slice, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    steps = strides(x.shape)
    first = x.place + 4 * op.start * steps[op.axis]
    steps[op.axis] *= op.step
    return [copied(first, y.place, y.shape, steps)]


@encoder(ops.Transpose)
def _transpose(op: ops.Transpose, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    steps = strides(x.shape)
    return [copied(x.place, y.place, y.shape, [steps[a] for a in op.axes])]


def strides(shape: Sequence[int]) -> list[int]:
    """Floats from one value to the next along each axis of an array that lies in one piece."""
    return [math.prod(shape[a + 1 :]) for a in range(len(shape))]


def copied(
    x: Place, y: Place, lengths: Sequence[int], x_steps: Sequence[int], y_steps: Sequence[int] | None = None
) -> Row:
    """The row that copies a box of `lengths` values, so many floats apart in x and in y (there in one piece if None).

    Axes that lie behind each other in both become one. The innermost is the one along which both lie in one piece, or,
    where that is none or short, the longest.
    """
    axes: list[tuple[int, int, int]] = []
    for axis in zip(lengths, x_steps, strides(lengths) if y_steps is None else y_steps, strict=True):
        if axis[0] == 1:
            continue
        if axes and all(axes[-1][i] == axis[0] * axis[i] for i in (1, 2)):
            axes[-1] = (axes[-1][0] * axis[0], *axis[1:])
        else:
            axes.append(axis)
    if axes and (axes[-1][1:] != (1, 1) or axes[-1][0] < SHORT):
        axes.append(axes.pop(max(range(len(axes)), key=lambda a: axes[a][0])))
    if len(axes) > AXES:
        raise ValueError(f"a box of {len(axes)} axes is too much for one copy")
    axes = [(1, 0, 0)] * (AXES - len(axes)) + axes
    return ["f32_copy", x, y, *(n for part in zip(*axes, strict=True) for n in part)]
