"""Value by value, or along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ...walks import walk
from ..launch import Launch
from .base import Source, Target, each_row, each_value, encoder, source, stride, team


@encoder(ops.Elementwise)
def _elementwise(op: ops.Elementwise, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    count = math.prod(y.shape)
    kernel = _name(op.function)
    return [each_value(kernel, y, x.place, y.place, count, float(op.a), float(op.b), stride(x), stride(y))]


@encoder(ops.Affine)
def _affine(op: ops.Affine, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    outer, length, inner = ops.axis_split(x.shape, op.axis)
    count = outer * length * inner
    parameters = (source(p).pointer for p in (op.mean, op.scale, op.offset))
    return [each_value("f32_affine", y, x.place, y.place, count, length, inner, *parameters, stride(x), stride(y))]


@encoder(ops.RowWise)
def _row_wise(op: ops.RowWise, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    outer, length, inner = ops.axis_split(x.shape, op.axis)
    rows, (lanes, apart) = outer * inner, team(length, inner)
    geometry = (rows, length, inner, lanes, apart)
    return [each_row(_name(op.function), rows, lanes, x.place, y.place, *geometry, stride(x), stride(y))]


@encoder(ops.GatedLinear)
def _gated_linear(op: ops.GatedLinear, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    outer, length, inner = ops.axis_split(y.shape, op.axis)
    run = length * inner
    return [each_value("f32_gated_linear", y, x.place, y.place, outer * run, run, stride(x), stride(y))]


@encoder(ops.Binary)
def _binary(op: ops.Binary, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    return [_merged(op.function, source(inputs[0]), source(inputs[1]), y)]


@encoder(ops.BinaryConstant)
def _binary_constant(op: ops.BinaryConstant, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    x, constant = source(inputs[0]), source(op.constant)
    return [_merged(op.function, *((constant, x) if op.constant_first else (x, constant)), y)]


def _merged(function: ops.Merge, x: Source, x2: Source, y: Buffer) -> Launch:
    count = math.prod(y.shape)
    if x.shape == y.shape == x2.shape:  # one long run, whatever the rank
        axes, x_strides, x2_strides = [1, 1, 1, count], [0, 0, 0, 1], [0, 0, 0, 1]
    else:
        axes, x_strides, x2_strides = walk(y.shape, x.shape, x2.shape)
    geometry = (count, *axes[1:], *x_strides, *x2_strides)
    return each_value(_name(function), y, x.pointer, x2.pointer, y.place, *geometry, x.stride, x2.stride, stride(y))


def _name(function: ops.Unary | ops.Row | ops.Merge) -> str:
    return f"f32_{function.name.lower()}"
