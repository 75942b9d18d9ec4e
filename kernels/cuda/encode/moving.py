"""Values moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ... import ops
from ...places import Buffer
from ..launch import Launch
from .base import Target, each_value, encoder, stride


@encoder(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    count = math.prod(x.shape)
    return [each_value("u8_f32_scale", y, x.place, y.place, count, float(op.divisor), stride(x, 1), stride(y))]
