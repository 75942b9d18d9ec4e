"""Convolutions along three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ..steps import Row
from .base import encoder
from .convolution import multiplied


@encoder(ops.Conv3D)
def _conv3d(op: ops.Conv3D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    step, plane = 4 * op.strides[0] * math.prod(x.shape[1:]), 4 * math.prod(y.shape[1:])
    made: list[Row] = []
    for n in range(y.shape[0]):
        seen, result = Buffer(x.place + n * step, x.shape), Buffer(y.place + n * plane, y.shape[1:])
        made += multiplied(op, seen, result, registers)
    return made
