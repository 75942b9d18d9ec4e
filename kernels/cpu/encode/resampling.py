"""Values between values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ...places import Buffer
from ..steps import Row
from .base import encoder


@encoder(ops.Resample)
def _resample(op: ops.Resample, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    _, length, _ = ops.axis_split(x.shape, op.axis)
    cells = np.array(op.cells, np.int64)  # a copy, which lies at a multiple of 8 bytes
    return [
        ["f32_resample", x.place, y.place, *ops.axis_split(y.shape, op.axis), length, cells.shape[1], cells, op.weights]
    ]
