"""Value by value, or along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ... import ops
from ...places import Buffer, Place
from ...walks import walk
from ..steps import Row
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
    (x, x2) = ((i.place, i.shape) for i in inputs)
    return [_merged(op.function, x, x2, y)]


@encoder(ops.BinaryConstant)
def _binary_constant(op: ops.BinaryConstant, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    x, constant = (inputs[0].place, inputs[0].shape), (np.ascontiguousarray(op.constant), op.constant.shape)
    return [_merged(op.function, constant, x, y) if op.constant_first else _merged(op.function, x, constant, y)]


Operand: TypeAlias = "tuple[Place | npt.NDArray[Any], ops.Shape]"
"""An input of a merge: where it lies, or the array itself, and its shape."""


def _merged(function: ops.Merge, a: Operand, b: Operand, y: Buffer) -> Row:
    (x, x_shape), (x2, x2_shape) = a, b
    if x_shape == y.shape == x2_shape:  # one long run, whatever the rank
        axes, x_strides, x2_strides = [1, 1, 1, count(y)], [0, 0, 0, 1], [0, 0, 0, 1]
    else:
        axes, x_strides, x2_strides = walk(y.shape, x_shape, x2_shape)
    return [_name(function), x, y.place, x2, *axes, *x_strides, *x2_strides]


def _name(function: ops.Unary | ops.Row | ops.Merge) -> str:
    return f"f32_{function.name.lower()}"
