"""Back through operations that move values: each moved the other way."""

from __future__ import annotations

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers import Tape, Value
from fastact.saliency.gradients.base import Term, gradient


@gradient(ops.Pad)
def _pad(tape: Tape, op: ops.Pad, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    return (tape.emit(ops.Crop(op.sides), back),)


@gradient(ops.Crop)
def _crop(tape: Tape, op: ops.Crop, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    return (tape.emit(ops.Pad(op.sides), back),)


@gradient(ops.Repeat)
def _repeat(tape: Tape, op: ops.Repeat, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    term = Term(tape, back)
    for axis, times in enumerate(op.times):  # one axis at a time, since sums know few axes between each other
        shape = term.value.shape
        apart = (*shape[:axis], shape[axis] // times, times, *shape[axis + 1 :])
        summed = term.reshaped(apart).total(ops.Total.SUM, (axis + 1,))
        term = summed.reshaped((*apart[: axis + 1], *apart[axis + 2 :]))
    return (term.value,)


@gradient(ops.Concat)
def _concat(tape: Tape, op: ops.Concat, back: Value, y: Value, *inputs: Value) -> tuple[Value, ...]:
    starts = np.cumsum([0, *(x.shape[op.axis] for x in inputs)]).tolist()
    each = zip(starts, inputs, strict=False)
    return tuple(tape.emit(ops.Slice(op.axis, start, x.shape[op.axis]), back) for start, x in each)


@gradient(ops.Interleave)
def _interleave(tape: Tape, op: ops.Interleave, back: Value, y: Value, *inputs: Value) -> tuple[Value, ...]:
    made: list[Value] = []
    for origin, x in zip(op.origins, inputs, strict=True):
        part = back
        for axis, (first, stride) in enumerate(zip(origin, op.strides, strict=True)):
            part = tape.emit(ops.Slice(axis, first, x.shape[axis], stride), part)
        made.append(part)
    return tuple(made)


@gradient(ops.Slice)
def _slice(tape: Tape, op: ops.Slice, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    axis = op.axis % len(x.shape)
    if abs(op.step) != 1 and op.count > 1:
        raise UnsupportedError("fastact has no gradient of a slice that leaves out values")
    first = op.start
    if op.step == -1:
        back, first = tape.emit(ops.Slice(axis, op.count - 1, op.count, -1), back), op.start - op.count + 1
    sides = ((0, 0),) * axis + ((first, x.shape[axis] - first - op.count),)
    return (tape.emit(ops.Pad(sides), back),)


@gradient(ops.Transpose)
def _transpose(tape: Tape, op: ops.Transpose, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    return (tape.emit(ops.Transpose(tuple(np.argsort(op.axes).tolist())), back),)


@gradient(ops.Resample)
def _resample(tape: Tape, op: ops.Resample, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    takers: list[list[tuple[int, float]]] = [[] for _ in range(op.length)]
    for (output, tap), cell in np.ndenumerate(op.cells):
        takers[cell].append((output, float(op.weights[output, tap])))
    most = max(map(len, takers))
    full = [[*each, *[(0, 0.0)] * (most - len(each))] for each in takers]
    cells = np.array([[output for output, _ in each] for each in full], np.int64)
    weights = np.array([[weight for _, weight in each] for each in full], np.float32)
    return (tape.emit(ops.Resample(op.axis, len(op.cells), cells, weights), back),)
