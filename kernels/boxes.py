"""Operations that move values, as boxes to be copied: what is read and written where, and nothing of how."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from . import ops
from .records import dataclass

Axis: TypeAlias = "tuple[int, int, int]"
"""How many values lie along an axis of a box, and how many floats apart where they are read and where written."""


@dataclass(frozen=True)
class Box:
    """Values copied from one of an operation's inputs, by number, or from an array, to its output.

    Attributes:
        x_start, y_start: floats before the first value, there and here.
        axes: none of length 1, and none that goes on where the next one ends.
    """

    source: int | ops.Floats
    axes: tuple[Axis, ...]
    x_start: int = 0
    y_start: int = 0

    def parts(self, most: int) -> Iterator[Box]:
        """The same values in boxes of at most `most` axes: one for every place along the shortest but the last."""
        if len(self.axes) <= most:
            yield self
            return
        shortest = min(range(len(self.axes) - 1), key=lambda a: self.axes[a][0])
        length, x_step, y_step = self.axes[shortest]
        rest = self.axes[:shortest] + self.axes[shortest + 1 :]
        for i in range(length):
            part = Box(self.source, rest, self.x_start + i * x_step, self.y_start + i * y_step)
            yield from part.parts(most)


class Frame(NamedTuple):
    """A frame of zeros along three axes: their lengths in x and in y, zeros before x, and what lies inside and outside
    of them."""

    x: list[int]
    y: list[int]
    before: list[int]
    inner: int
    outer: int


def frame(op: ops.Pad, x: ops.Shape, y: ops.Shape) -> Frame:
    """The frame that an operation puts around x; ValueError where its axes are more than three."""
    framed = [a for a, side in enumerate(op.sides) if any(side)]
    first, end = (framed[0], framed[-1] + 1) if framed else (0, 0)
    missing = 3 - (end - first)
    if missing < 0:
        raise ValueError(f"a frame along {end - first} axes is too much for one step")
    lengths = [[1] * missing + list(shape[first:end]) for shape in (x, y)]
    before = [0] * missing + [side[0] for side in op.sides[first:end]]
    return Frame(lengths[0], lengths[1], before, math.prod(x[end:]), math.prod(x[:first]))


MOVES = (ops.Crop, ops.Repeat, ops.Concat, ops.Interleave, ops.Slice, ops.Transpose)
"""The operations that :func:`boxes` knows."""


@functools.singledispatch
def boxes(op: ops.Op, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    """The boxes that make y, in the order in which they are to be copied."""
    raise TypeError(f"{type(op).__name__} does more than move values")


@boxes.register(ops.Crop)
def _crop(op: ops.Crop, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    steps = _steps(inputs[0])
    first = sum(before * step for (before, _), step in zip(op.sides, steps, strict=False))
    return [_box(0, y, steps, x_start=first)]


@boxes.register(ops.Repeat)
def _repeat(op: ops.Repeat, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    (x,) = inputs
    lengths: list[int] = []
    x_steps: list[int] = []
    times = (*op.times, *[1] * (len(x) - len(op.times)))
    for length, step, copies in zip(x, _steps(x), times, strict=True):
        lengths += [length, copies]
        x_steps += [step, 0]
    return [_box(0, lengths, x_steps)]


@boxes.register(ops.Concat)
def _concat(op: ops.Concat, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    steps, made, start = _steps(y), [], 0
    for number, x in enumerate(inputs):
        made.append(_box(number, x, _steps(x), steps, y_start=start))
        start += x[op.axis] * steps[op.axis]
    return made


@boxes.register(ops.Interleave)
def _interleave(op: ops.Interleave, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    made: list[Box] = []
    if sum(math.prod(x[:-1]) for x in inputs) < math.prod(op.size):
        made.append(_box(op.fill, y, [0] * len(op.size) + [1]))
    *cells, channel = _steps(y)
    steps = [*(stride * cell for stride, cell in zip(op.strides, cells, strict=True)), channel]
    for number, (origin, x) in enumerate(zip(op.origins, inputs, strict=True)):
        first = sum(place * cell for place, cell in zip(origin, cells, strict=True))
        made.append(_box(number, x, _steps(x), steps, y_start=first))
    return made


@boxes.register(ops.Slice)
def _slice(op: ops.Slice, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    steps = _steps(inputs[0])
    first = op.start * steps[op.axis]
    steps[op.axis] *= op.step
    return [_box(0, y, steps, x_start=first)]


@boxes.register(ops.Transpose)
def _transpose(op: ops.Transpose, inputs: Sequence[ops.Shape], y: ops.Shape) -> list[Box]:
    steps = _steps(inputs[0])
    return [_box(0, y, [steps[a] for a in op.axes])]


def _steps(shape: Sequence[int]) -> list[int]:
    """Floats from one value to the next along each axis of an array that lies in one piece."""
    return [math.prod(shape[a + 1 :]) for a in range(len(shape))]


def _box(
    source: int | ops.Floats,
    lengths: Sequence[int],
    x_steps: Sequence[int],
    y_steps: Sequence[int] | None = None,
    x_start: int = 0,
    y_start: int = 0,
) -> Box:
    """A box of `lengths` values, so far apart in x and in y (there in one piece if None)."""
    axes: list[Axis] = []
    for axis in zip(lengths, x_steps, _steps(lengths) if y_steps is None else y_steps, strict=True):
        if axis[0] == 1:
            continue
        if axes and all(axes[-1][i] == axis[0] * axis[i] for i in (1, 2)):
            axes[-1] = (axes[-1][0] * axis[0], *axis[1:])
        else:
            axes.append(axis)
    return Box(source, tuple(axes), x_start, y_start)
