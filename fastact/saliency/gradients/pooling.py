"""Back through pools."""

from __future__ import annotations

import math

from fastact.kernels import ops
from fastact.layers import Tape, Value
from fastact.saliency.gradients.base import Term, gradient
from fastact.saliency.gradients.reduction import through_total


@gradient(ops.Pool)
def _pool(tape: Tape, op: ops.Pool, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    return (tape.emit(ops.PoolGradient(op.kind, op.size, op.strides, op.sides), back, x),)


@gradient(ops.GlobalPool)
def _global_pool(tape: Tape, op: ops.GlobalPool, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    total = ops.Total.MAX if op.kind is ops.PoolKind.MAX else ops.Total.MEAN
    cells, channels = math.prod(x.shape[:-1]), x.shape[-1]
    flat = Term(tape, x).reshaped((cells, channels))
    kept = through_total(total, (0,), Term(tape, back).reshaped((1, channels)), Term(tape, y), flat)
    return (kept.reshaped(x.shape).value,)
