"""Convolutions of each channel by itself."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ..steps import Buffer, Row
from .base import bits, encoder


@encoder(ops.DepthwiseConv2D)
def _depthwise_conv2d(op: ops.DepthwiseConv2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    (rows, columns, _), (kh, kw, _, multiplier) = y.shape, op.weights.shape
    kernel = "f32_depthwise_conv" if multiplier == 1 else "f32_depthwise_conv_multiplied"
    return [[
        kernel, x.place, y.place, 1, *x.shape, 1, rows, columns, 0, op.pads[0], op.pads[2],
        1, kh, kw, 1, *op.strides, *op.dilation, multiplier, op.weights, op.bias, bits(op.low), bits(op.high),
    ]]  # fmt: skip
