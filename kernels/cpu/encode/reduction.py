"""Values along some axes summed up, or scaled by what they sum up to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ...places import Buffer
from ..steps import Row
from .base import encoder


@encoder(ops.Reduce)
def _reduce(op: ops.Reduce, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    lengths = ops.kept_and_reduced(x.shape, op.axes)
    if op.total in (ops.Total.MAX, ops.Total.MIN):
        return [[f"f32_reduce_{op.total.name.lower()}", x.place, y.place, *lengths]]
    divisor = lengths[1] * lengths[3] if op.total is ops.Total.MEAN else 1
    return [["f32_reduce_sum", x.place, y.place, *lengths, np.array([divisor], np.float64)]]


@encoder(ops.Standardize)
def _standardize(op: ops.Standardize, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    lengths = ops.kept_and_reduced(x.shape, op.axes)
    kernel = f"f32_standardize_{op.scaling.name.lower()}"
    return [[kernel, x.place, y.place, *lengths, np.array([op.epsilon], np.float64)]]


@encoder(ops.Contract)
def _contract(op: ops.Contract, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    x, x2 = inputs
    outer, shared, inner = ops.axis_split(x.shape, op.axis)
    outer2, _, inner2 = ops.axis_split(x2.shape, op.axis2)
    return [["f32_contract", x.place, y.place, x2.place, outer, shared, inner, outer2, inner2]]
