"""Receptive fields, cell by cell: which pixels of the picture each cell of a map is computed from.

:mod:`fastact.cost` says how large they are and how far apart. Here is where they lie: for each row of a map the first
and the last row of the picture that it sees, and the same for columns, followed through padding, strides and
transposed convolutions operation by operation. Two numbers a row and a column are enough, since what a cell sees of
one axis never depends on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import singledispatch
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.cost import PICTURE_RANKS
from fastact.graph import Model
from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers import Tape, Value

Spans: TypeAlias = npt.NDArray[np.int64]
"""(cells, 2): the first cell that is seen and the one after the last."""

_NOTHING = (np.iinfo(np.int64).max, 0)
"""The span of what sees nothing, such as padding: neutral where the least and the largest of spans are taken."""


@dataclass(frozen=True)
class Field:
    """What the cells of a map see: pixels of each of its rows and of each of its columns, (cells, 2).

    A cell that sees padding alone has a span of (0, 0).
    """

    rows: Spans
    columns: Spans

    def rectangle(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of what a cell sees, the last two exclusive, inside the picture."""
        (top, bottom), (left, right) = self.rows[row].tolist(), self.columns[column].tolist()
        return top, left, bottom, right


@dataclass(frozen=True)
class _Seen:
    """A value's field, and which of its axes are rows and columns."""

    field: Field
    axes: tuple[int, int]


@dataclass
class _Follower(Tape):
    """Runs nothing: follows where fields lie."""

    seen: list[_Seen | None] = field(default_factory=list)

    def add(self, shape: ops.Shape, seen: _Seen | None) -> Value:
        self.seen.append(seen)
        return Value(len(self.seen) - 1, shape)

    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        shapes = [i.shape for i in inputs]
        return self.add(op.shape(*shapes), _through(op, shapes, [self.seen[i.number] for i in inputs]))


def receptive_fields(model: Model) -> Mapping[str, Field | None]:
    """The field of every layer that is computed; None where each value sees all of the picture, or no picture.

    A model with several pictures as inputs has fields for none: whose pixels they are would not be said.
    """
    pictures = [n for n, shape in model.input_shapes.items() if len(shape) in PICTURE_RANKS]
    follower, values, found = _Follower(), dict[int, Value](), dict[str, Field | None]()
    for place, node in enumerate(model.nodes):
        if node.reason is not None or node.shape is None or None in node.shape:
            continue
        if any(i not in values for i in node.inputs):
            continue
        shape = tuple(n for n in node.shape if n is not None)
        if node.is_input:
            one = [node.name] == pictures
            values[place] = follower.add(shape, _picture(shape, model.channels_first) if one else None)
        elif node.layer is None:
            values[place] = values[node.inputs[0]]
        else:
            values[place] = node.layer.lower(follower, *(values[i] for i in node.inputs))
        seen = follower.seen[values[place].number]
        found[node.name] = None if seen is None else Field(_plain(seen.field.rows), _plain(seen.field.columns))
    return found


def _plain(spans: Spans) -> Spans:
    """With (0, 0) for nothing."""
    return np.where(spans[:, :1] < spans[:, 1:], spans, 0)


def _picture(shape: ops.Shape, channels_first: bool) -> _Seen:
    """Each pixel sees itself."""
    axes = (len(shape) - 2, len(shape) - 1) if channels_first else (len(shape) - 3, len(shape) - 2)
    rows, columns = (np.arange(shape[a])[:, None] + (0, 1) for a in axes)
    return _Seen(Field(rows, columns), axes)


def _through(op: ops.Op, shapes: Sequence[ops.Shape], inputs: Sequence[_Seen | None]) -> _Seen | None:
    """What the operation's output sees whose inputs see `inputs`; None for everything."""
    known = [seen for seen in inputs if seen is not None]
    if len(known) < len(inputs) or not known or len({seen.axes for seen in known}) > 1:
        return None
    before = known[0].axes
    after = _moved(op, shapes[0], before)
    if after is None:
        return None
    target, along = op.shape(*shapes), list[Spans]()
    for old, new, name in zip(before, after, ("rows", "columns"), strict=True):
        spans = [
            _joined(_taps(op, old, number, list(shapes), target[new]), getattr(seen.field, name))
            for number, seen in enumerate(known)
        ]
        along.append(_union(spans))
    return _Seen(Field(*along), after)


def _moved(op: ops.Op, shape: ops.Shape, axes: tuple[int, int]) -> tuple[int, int] | None:
    """The axes of rows and columns after an operation; None where that, or what is seen along them, is not followed."""
    last = axes == (len(shape) - 3, len(shape) - 2)
    if isinstance(op, ops.Transpose):
        row, column = (op.axes.index(a) for a in axes)
        return row, column
    if isinstance(op, ops.Reshape):
        more = len(op.target) - len(shape)
        whole = last and op.target[-3:] == shape[-3:]
        return (axes[0] + more, axes[1] + more) if whole else None
    if isinstance(op, (ops.Pad, ops.Crop, ops.Slice, ops.Concat, ops.Resample)):
        return axes
    return axes if op.window is not None and (last or op.window == ops.Op.window) else None


def _joined(taps: Spans, seen: Spans) -> Spans:
    """What cells see that take the cells `taps` of an input whose cells see `seen`."""
    first, stop = taps.clip(0, len(seen)).T
    some = first < stop
    joined = np.full_like(taps, _NOTHING)
    joined[some, 0] = _extreme(np.minimum, seen[:, 0], first[some], stop[some])
    joined[some, 1] = _extreme(np.maximum, seen[:, 1], first[some], stop[some])
    return joined


def _extreme(of: np.ufunc, values: npt.NDArray[np.int64], first: npt.NDArray[np.int64], stop: Spans) -> Spans:
    """The least or the largest of `values` in each range first..stop-1, of which none is empty."""
    padded = np.append(values, values[-1:])  # reduceat takes no end beyond the last value
    pairs = np.stack([first, stop], axis=1).ravel()
    extremes: Spans = of.reduceat(padded, pairs)[::2] if len(pairs) else values[:0]
    return extremes


def _union(spans: Sequence[Spans]) -> Spans:
    """The least span around those of every input."""
    each = np.stack(spans)
    return np.stack([each[..., 0].min(axis=0), each[..., 1].max(axis=0)], axis=1)


@singledispatch
def _taps(op: ops.Op, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    """Which cells along `axis` of input `number` each of `count` cells of the output is made of: by its window."""
    one = np.arange(count)[:, None] + (0, 1)
    if shapes[number][axis] == 1 < count:  # one cell for all
        return one - one[:, :1]
    return one


def _windows(count: int, size: int, stride: int, pad: int) -> Spans:
    first = np.arange(count) * stride - pad
    return np.stack([first, first + size], axis=1)


@_taps.register(ops.Conv2D)
@_taps.register(ops.DepthwiseConv2D)
def _(op: ops.Conv2D, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    a = axis - len(shapes[0]) + 3
    return _windows(count, op.window.size[a], op.strides[a], op.pads[2 * a])


@_taps.register
def _(op: ops.Conv3D, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    return _windows(count, (op.weights.shape[axis] - 1) * op.dilation[axis] + 1, op.strides[axis], 0)


@_taps.register
def _(op: ops.Pool, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    return _windows(count, op.size[axis], op.strides[axis], op.sides[axis][0])


@_taps.register
def _(op: ops.Pad, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    return _windows(count, 1, 1, op.sides[axis][0] if axis < len(op.sides) else 0)


@_taps.register
def _(op: ops.Crop, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    return _windows(count, 1, 1, -op.sides[axis][0] if axis < len(op.sides) else 0)


@_taps.register
def _(op: ops.Repeat, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    times = op.times[axis] if axis < len(op.times) else 1
    return np.arange(count)[:, None] // times + (0, 1)


@_taps.register
def _(op: ops.Slice, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    here = op.axis % len(shapes[0]) == axis
    first = op.start + op.step * np.arange(count) if here else np.arange(count)
    return first[:, None] + (0, 1)


@_taps.register
def _(op: ops.Concat, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    here = op.axis % len(shapes[0]) == axis
    shift = sum(shape[axis] for shape in shapes[:number]) if here else 0
    return _windows(count, 1, 1, shift)


@_taps.register
def _(op: ops.Resample, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    if op.axis % len(shapes[0]) != axis:
        return _windows(count, 1, 1, 0)
    used = op.weights != 0
    first = np.where(used, op.cells, np.iinfo(np.int64).max).min(axis=1)
    last = np.where(used, op.cells, -1).max(axis=1)
    return np.stack([np.minimum(first, last + 1), last + 1], axis=1)


@_taps.register
def _(op: ops.Interleave, axis: int, number: int, shapes: Sequence[ops.Shape], count: int) -> Spans:
    a = axis - len(shapes[0]) + 3
    steps = np.arange(count) - op.origins[number][a]
    first = steps // op.strides[a]
    here = (steps % op.strides[a] == 0) & (first >= 0) & (first < shapes[number][axis])
    return np.where(here[:, None], first[:, None] + (0, 1), 0)
