"""Value by value, or along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ... import ops
from ...places import Buffer, Place
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
        axes, x_strides, x2_strides = _walk(y.shape, x_shape, x2_shape)
    return [_name(function), x, y.place, x2, *axes, *x_strides, *x2_strides]


def _name(function: ops.Unary | ops.Row | ops.Merge) -> str:
    return f"f32_{function.name.lower()}"


def _walk(shape: ops.Shape, *inputs: ops.Shape) -> tuple[list[int], ...]:
    """The output's axes, neighbours taken together where every input goes on evenly, and each input's strides."""
    axes, strides = list(shape), [_strides(i, len(shape)) for i in inputs]
    for a in reversed(range(len(axes) - 1)):
        if all(s[a] == s[a + 1] * axes[a + 1] for s in strides) or axes[a] == 1:
            axes[a] *= axes.pop(a + 1)
            for s in strides:
                del s[a]
    if len(axes) > 4:
        raise ValueError(f"inputs of {inputs} alternate too often")
    padding = 4 - len(axes)
    return [1] * padding + axes, *([0] * padding + s for s in strides)


def _strides(shape: ops.Shape, rank: int) -> list[int]:
    """Floats from one value to the next along each of the output's axes: 0 where the input is stretched."""
    shape = (1,) * (rank - len(shape)) + shape
    strides, step = [0] * rank, 1
    for a in reversed(range(rank)):
        strides[a] = step if shape[a] > 1 else 0
        step *= shape[a]
    return strides
