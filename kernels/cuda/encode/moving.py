"""Values moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ..launch import Launch
from .base import Source, Target, each_of, each_value, encoder, source, stride

Axis = tuple[int, int, int]
"""How many values lie along an axis of a box, and how many floats apart in x and in y."""


@encoder(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    count = math.prod(x.shape)
    return [each_value("u8_f32_scale", y, x.place, y.place, count, float(op.divisor), stride(x, 1), stride(y))]


@encoder(ops.Pad)
def _pad(op: ops.Pad, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    framed = [a for a, side in enumerate(op.sides) if any(side)]
    first, end = (framed[0], framed[-1] + 1) if framed else (0, 0)
    before = [side[0] for side in op.sides[first:end]]
    missing = 3 - len(before)
    if missing < 0:
        raise ValueError(f"a frame along {len(before)} axes is too much for one launch")
    around = [[1] * missing + list(shape[first:end]) for shape in (x.shape, y.shape)]
    before = [0] * missing + before
    inner = math.prod(x.shape[end:])  # what lies behind the last framed axis moves with its cells
    for lengths in (*around, before):
        lengths[2] *= inner
    count = math.prod(y.shape)
    return [each_value("f32_pad", y, x.place, y.place, count, *around[0], *around[1], *before, stride(x), stride(y))]


@encoder(ops.Crop)
def _crop(op: ops.Crop, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    steps = strides(x.shape)
    first = sum(before * step for (before, _), step in zip(op.sides, steps, strict=False))
    return copied(source(x), y, y.shape, steps, x_start=first)


@encoder(ops.Repeat)
def _repeat(op: ops.Repeat, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    lengths: list[int] = []
    x_steps: list[int] = []
    times = (*op.times, *[1] * (len(x.shape) - len(op.times)))
    for length, step, copies in zip(x.shape, strides(x.shape), times, strict=True):
        lengths += [length, copies]
        x_steps += [step, 0]
    return copied(source(x), y, lengths, x_steps)


@encoder(ops.Concat)
def _concat(op: ops.Concat, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    steps = strides(y.shape)
    made: list[Launch] = []
    start = 0
    for x in inputs:
        made += copied(source(x), y, x.shape, strides(x.shape), steps, y_start=start)
        start += x.shape[op.axis] * steps[op.axis]
    return made


@encoder(ops.Interleave)
def _interleave(op: ops.Interleave, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    made: list[Launch] = []
    if sum(math.prod(x.shape[:-1]) for x in inputs) < math.prod(op.size):
        made += copied(source(op.fill), y, y.shape, [0] * len(op.size) + [1])
    *cells, channel = strides(y.shape)
    steps = [*(stride * cell for stride, cell in zip(op.strides, cells, strict=True)), channel]
    for origin, x in zip(op.origins, inputs, strict=True):
        first = sum(place * cell for place, cell in zip(origin, cells, strict=True))
        made += copied(source(x), y, x.shape, strides(x.shape), steps, y_start=first)
    return made


@encoder(ops.Slice)
def _slice(op: ops.Slice, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    steps = strides(x.shape)
    first = op.start * steps[op.axis]
    steps[op.axis] *= op.step
    return copied(source(x), y, y.shape, steps, x_start=first)


@encoder(ops.Transpose)
def _transpose(op: ops.Transpose, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    steps = strides(x.shape)
    return copied(source(x), y, y.shape, [steps[a] for a in op.axes])


def strides(shape: Sequence[int]) -> list[int]:
    """Floats from one value to the next along each axis of an array that lies in one piece."""
    return [math.prod(shape[a + 1 :]) for a in range(len(shape))]


def copied(
    x: Source,
    y: Buffer,
    lengths: Sequence[int],
    x_steps: Sequence[int],
    y_steps: Sequence[int] | None = None,
    x_start: int = 0,
    y_start: int = 0,
) -> list[Launch]:
    """The launches that copy a box of `lengths` values, so far apart in x and in y (there in one piece if None).

    The box begins `x_start` floats into x and `y_start` into y. Axes that lie behind each other in both become one.
    Where more are left than a kernel has, there is a launch for every place along the shortest of the others.
    """
    axes: list[Axis] = []
    for axis in zip(lengths, x_steps, strides(lengths) if y_steps is None else y_steps, strict=True):
        if axis[0] == 1:
            continue
        if axes and all(axes[-1][i] == axis[0] * axis[i] for i in (1, 2)):
            axes[-1] = (axes[-1][0] * axis[0], *axis[1:])
        else:
            axes.append(axis)
    return _box(x, y, axes, x_start, y_start)


def _box(x: Source, y: Buffer, axes: list[Axis], x_start: int, y_start: int) -> list[Launch]:
    if len(axes) > 5:
        shortest = min(range(len(axes) - 1), key=lambda a: axes[a][0])
        length, x_step, y_step = axes[shortest]
        rest = axes[:shortest] + axes[shortest + 1 :]
        each = ((x_start + i * x_step, y_start + i * y_step) for i in range(length))
        return [launch for starts in each for launch in _box(x, y, rest, *starts)]
    kernel, most = ("f32_copy", 3) if len(axes) <= 3 else ("f32_copy_5", 5)
    lengths, x_steps, y_steps = zip(*[(1, 0, 0)] * (most - len(axes)), *axes, strict=True)
    count = math.prod(lengths)
    of_x, of_y = (x_start, *(step % 2**32 for step in x_steps)), (y_start, *y_steps)
    return [each_of(kernel, count, x.pointer, y.place, count, *lengths[1:], *of_x, *of_y, x.stride, stride(y))]
