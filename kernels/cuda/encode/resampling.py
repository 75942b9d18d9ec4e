"""Values between values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ... import ops
from ...places import Buffer
from ..launch import Launch
from .base import Target, each_value, encoder, source, stride


@encoder(ops.Resample)
def _resample(op: ops.Resample, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    _, length, inner = ops.axis_split(y.shape, op.axis)
    cells = np.ascontiguousarray(op.cells, np.int32)
    geometry = (math.prod(y.shape), length, inner, op.length, cells.shape[1])
    taps = (cells, source(op.weights).pointer)
    return [each_value("f32_resample", y, x.place, y.place, *geometry, *taps, stride(x), stride(y))]
