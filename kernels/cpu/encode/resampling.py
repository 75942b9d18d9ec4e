"""Values between values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ...places import Buffer
from ..steps import Row
from .base import encoder

FEW = 3
"""Taps for which there are loops of their own."""


@encoder(ops.Resample)
def _resample(op: ops.Resample, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    _, length, inner = ops.axis_split(x.shape, op.axis)
    cells = np.array(op.cells, np.int64)  # a copy, which lies at a multiple of 8 bytes
    taps = cells.shape[1]
    kernel = "f32_resample" if taps <= FEW or inner == 1 else "f32_resample_many"
    return [[kernel, x.place, y.place, *ops.axis_split(y.shape, op.axis), length, taps, cells, op.weights]]
