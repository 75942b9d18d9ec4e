"""Values moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
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
    framed = [a for a, side in enumerate(op.sides) if any(side)]
    first, end = (framed[0], framed[-1] + 1) if framed else (0, 0)
    before = [side[0] for side in op.sides[first:end]]
    missing = 3 - len(before)
    if missing < 0:
        raise ValueError(f"a frame along {len(before)} axes is too much for one step")
    around = [[1] * missing + list(shape[first:end]) for shape in (x.shape, y.shape)]
    channels, maps = math.prod(x.shape[end:]), math.prod(x.shape[:first])
    return [["f32_pad", x.place, y.place, *around[0], channels, *around[1], *[0] * missing, *before, maps]]


@encoder(ops.Crop)
def _crop(op: ops.Crop, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    steps = strides(x.shape)
    first = sum(before * step for (before, _), step in zip(op.sides, steps, strict=False))
    return copied(x.place + 4 * first, y.place, y.shape, steps)


@encoder(ops.Repeat)
def _repeat(op: ops.Repeat, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    lengths: list[int] = []
    x_steps: list[int] = []
    times = (*op.times, *[1] * (len(x.shape) - len(op.times)))
    for length, step, copies in zip(x.shape, strides(x.shape), times, strict=True):
        lengths += [length, copies]
        x_steps += [step, 0]
    return copied(x.place, y.place, lengths, x_steps)


@encoder(ops.Concat)
def _concat(op: ops.Concat, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    steps = strides(y.shape)
    made: list[Row] = []
    start = 0
    for x in inputs:
        made += copied(x.place, y.place + 4 * start, x.shape, strides(x.shape), steps)
        start += x.shape[op.axis] * steps[op.axis]
    return made


@encoder(ops.Interleave)
def _interleave(op: ops.Interleave, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    made: list[Row] = []
    if sum(math.prod(x.shape[:-1]) for x in inputs) < math.prod(op.size):
        made += copied(op.fill, y.place, y.shape, [0] * len(op.size) + [1])
    *cells, channel = strides(y.shape)
    steps = [*(stride * cell for stride, cell in zip(op.strides, cells, strict=True)), channel]
    for origin, x in zip(op.origins, inputs, strict=True):
        first = sum(place * cell for place, cell in zip(origin, cells, strict=True))
        made += copied(x.place, y.place + 4 * first, x.shape, strides(x.shape), steps)
    return made


@encoder(ops.Slice)
def _slice(op: ops.Slice, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    steps = strides(x.shape)
    first = x.place + 4 * op.start * steps[op.axis]
    steps[op.axis] *= op.step
    return copied(first, y.place, y.shape, steps)


@encoder(ops.Transpose)
def _transpose(op: ops.Transpose, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    steps = strides(x.shape)
    return copied(x.place, y.place, y.shape, [steps[a] for a in op.axes])


def strides(shape: Sequence[int]) -> list[int]:
    """Floats from one value to the next along each axis of an array that lies in one piece."""
    return [math.prod(shape[a + 1 :]) for a in range(len(shape))]


def copied(
    x: Place | ops.Floats,
    y: Place,
    lengths: Sequence[int],
    x_steps: Sequence[int],
    y_steps: Sequence[int] | None = None,
) -> list[Row]:
    """The rows that copy a box of `lengths` values, so many floats apart in x and in y (there in one piece if None).

    Axes that lie behind each other in both become one. The innermost is the one along which both lie in one piece, or,
    where that is none or short, the longest. Where more are left than a row has, there is a row for every place along
    the shortest of the others.
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
    return _rows_of_box(x, y, axes)


def _rows_of_box(x: Place | ops.Floats, y: Place, axes: list[tuple[int, int, int]]) -> list[Row]:
    if len(axes) > AXES:
        assert isinstance(x, Place), "a box of weights has few axes"
        shortest = min(range(len(axes) - 1), key=lambda a: axes[a][0])
        length, x_step, y_step = axes[shortest]
        rest = axes[:shortest] + axes[shortest + 1 :]
        return [row for i in range(length) for row in _rows_of_box(x + 4 * i * x_step, y + 4 * i * y_step, rest)]
    axes = [(1, 0, 0)] * (AXES - len(axes)) + axes
    return [["f32_copy", x, y, *(n for part in zip(*axes, strict=True) for n in part)]]
