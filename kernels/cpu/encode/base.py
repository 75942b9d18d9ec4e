"""What an encoder is, and what encoders share."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from ... import ops
from ...places import Buffer
from ..pairing import PairedConv2D
from ..steps import Row

Encoder = Callable[..., list[Row]]
O = TypeVar("O", bound=ops.Op)  # noqa: E741
_ENCODERS: dict[type[ops.Op], Encoder] = {}


def encoder(kind: type[O]) -> Callable[[Encoder], Encoder]:
    """Makes a function the encoder of `kind`: called as function(op, inputs, output, registers), it gives rows."""

    def register(function: Encoder) -> Encoder:
        _ENCODERS[kind] = function
        return function

    return register


def encode(op: ops.Op, inputs: Sequence[Buffer], output: Buffer, registers: str) -> list[Row]:
    """The rows that run `op`; `registers` names the tile table of the convolutions."""
    return _ENCODERS[type(op)](op, inputs, output, registers)


def legalize(op: ops.Op) -> tuple[ops.Op, ...]:
    """`op` as a chain of operations the kernels have.

    A padded convolution pads first; one with several filters for each channel is a convolution in groups.
    """
    if isinstance(op, ops.DepthwiseConv2D) and op.weights.shape[-1] > 1:
        kh, kw, channels, multiplier = op.weights.shape
        weights = op.weights.reshape(kh, kw, 1, channels * multiplier)
        return legalize(ops.Conv2D(weights, op.bias, op.strides, op.pads, op.dilation, channels, op.low, op.high))
    if isinstance(op, PairedConv2D):
        *before, conv = legalize(op.conv)
        return *before, op.of(conv)
    if isinstance(op, ops.Conv2D | ops.DepthwiseConv2D) and op.pads != ops.NO_PADS:
        return ops.Pad((op.pads[:2], op.pads[2:])), dataclasses.replace(op, pads=ops.NO_PADS)
    return (op,)


def room(op: ops.Op) -> int:
    """Bytes that each member of a team needs to work in, given to the encoder as one input more: (members, floats)."""
    return op.room if isinstance(op, PairedConv2D) else 0


def runs_in_place(op: ops.Op) -> bool:
    """Whether the output may lie where the first input does, if that has the output's shape."""
    return isinstance(
        op, ops.Affine | ops.Elementwise | ops.RowWise | ops.Binary | ops.BinaryConstant | ops.Standardize
    )


def bits(value: float) -> int:
    """A float32's bits as a number."""
    return int(struct.unpack("<i", struct.pack("<f", value))[0])


def count(buffer: Buffer) -> int:
    """How many values a buffer holds."""
    return int(np.prod(buffer.shape, dtype=np.int64))
