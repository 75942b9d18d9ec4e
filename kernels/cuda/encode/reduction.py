"""Values along some axes summed up, or scaled by what they sum up to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ..catalog import THREADS
from ..launch import Launch
from .base import Target, each_row, encoder, stride, team

ENOUGH = 16384
"""Values that each have a thread of its own: more threads would not make a GPU any faster."""


@encoder(ops.Reduce)
def _reduce(op: ops.Reduce, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    return [reduced(op.total, x, y, ops.kept_and_reduced(x.shape, op.axes))]


def reduced(total: ops.Total, x: Buffer, y: Buffer, lengths: tuple[int, ...]) -> Launch:
    """The launch that sums up x, seen as (kept, reduced, kept, reduced, kept) lengths."""
    rows, lanes, geometry = _rows(lengths)
    if total in (ops.Total.MAX, ops.Total.MIN):
        kernel = f"f32_reduce_{total.name.lower()}"
        return each_row(kernel, rows, lanes, x.place, y.place, *geometry, stride(x), stride(y))
    divisor = float(lengths[1] * lengths[3]) if total is ops.Total.MEAN else 1.0
    return each_row("f32_reduce_sum", rows, lanes, x.place, y.place, *geometry, divisor, stride(x), stride(y))


@encoder(ops.Standardize)
def _standardize(op: ops.Standardize, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    lengths = ops.kept_and_reduced(x.shape, op.axes)
    rows, lanes, geometry = _rows(lengths)
    kernel = f"f32_standardize_{op.scaling.name.lower()}"
    numbers = (float(lengths[1] * lengths[3]), float(op.epsilon))
    return [each_row(kernel, rows, lanes, x.place, y.place, *geometry, *numbers, stride(x), stride(y))]


def _rows(lengths: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
    """How many rows are summed up, by how many threads each, and what a kernel is told of both."""
    k0, r0, k1, r1, k2 = lengths
    if r1 == 1 == k2:  # along one axis, the kernels' last
        k1, r0, r1, k2 = 1, 1, r0, k1
    rows, (lanes, apart) = k0 * k1 * k2, team(r0 * r1, k2)
    return rows, lanes, (rows, k1, k2, r0, r1, lanes, apart)


@encoder(ops.Contract)
def _contract(op: ops.Contract, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    x, x2 = inputs
    _, shared, inner = ops.axis_split(x.shape, op.axis)
    outer2, _, inner2 = ops.axis_split(x2.shape, op.axis2)
    count, columns = math.prod(y.shape), outer2 * inner2
    lanes, apart = team(shared, inner * inner2)
    if count >= ENOUGH:  # as neighbours make values that lie side by side
        lanes, apart = 1, THREADS
    geometry = (count, columns, shared, inner, inner2, lanes, apart)
    frames = (stride(x), stride(x2), stride(y))
    return [each_row("f32_contract", count, lanes, x.place, x2.place, y.place, *geometry, *frames)]
