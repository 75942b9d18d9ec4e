"""Value by value, or along one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ..steps import Buffer, Row
from .base import count, encoder


@encoder(ops.Elementwise)
def _elementwise(op: ops.Elementwise, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [[_name(op.function), x.place, y.place, count(x), np.array([op.a, op.b], np.float64)]]


@encoder(ops.Affine)
def _affine(op: ops.Affine, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    around = ops.axis_split(x.shape, op.axis)
    return [["f32_affine", x.place, y.place, *around, op.mean, op.scale, op.offset]]


@encoder(ops.RowWise)
def _row_wise(op: ops.RowWise, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [[_name(op.function), x.place, y.place, *ops.axis_split(x.shape, op.axis)]]


@encoder(ops.GatedLinear)
def _gated_linear(op: ops.GatedLinear, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return [["f32_gated_linear", x.place, y.place, *ops.axis_split(y.shape, op.axis)]]


@encoder(ops.Binary)
def _binary(op: ops.Binary, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    x, x2 = inputs
    if x.shape == y.shape == x2.shape:  # one long run, whatever the rank
        return [[_name(op.function), x.place, y.place, x2.place, 1, 1, 1, count(y), 0, 0, 0, 1, 0, 0, 0, 1]]
    axes = (1,) * (4 - len(y.shape)) + y.shape
    return [[_name(op.function), x.place, y.place, x2.place, *axes, *_strides(x, axes), *_strides(x2, axes)]]


def _name(function: ops.Unary | ops.Row | ops.Merge) -> str:
    return f"f32_{function.name.lower()}"


def _strides(buffer: Buffer, axes: tuple[int, ...]) -> list[int]:
    """Floats from one value to the next along each of the output's axes: 0 where the buffer is stretched."""
    shape = (1,) * (len(axes) - len(buffer.shape)) + buffer.shape
    strides, step = [0] * len(axes), 1
    for a in reversed(range(len(axes))):
        strides[a] = step if shape[a] > 1 else 0
        step *= shape[a]
    return strides
