"""Values along some axes summed up, or scaled by what they sum up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from .base import Array, reference

_TOTALS: dict[ops.Total, Callable[..., Any]] = {
    ops.Total.SUM: np.sum,
    ops.Total.MEAN: np.mean,
    ops.Total.MAX: np.max,
    ops.Total.MIN: np.min,
}


@reference(ops.Reduce)
def _reduce(op: ops.Reduce, x: Array) -> Array:
    return np.asarray(_TOTALS[op.total](x, axis=op.axes))


@reference(ops.Standardize)
def _standardize(op: ops.Standardize, x: Array) -> Array:
    if op.scaling is ops.Scaling.NORM:
        return np.asarray(x / np.sqrt(np.maximum(np.sum(x * x, axis=op.axes, keepdims=True), op.epsilon)))
    if op.scaling is ops.Scaling.MEAN_SQUARE:
        return np.asarray(x / np.sqrt(np.mean(x * x, axis=op.axes, keepdims=True) + op.epsilon))
    mean = np.mean(x, axis=op.axes, keepdims=True)
    deviation = np.sqrt(np.mean((x - mean) ** 2, axis=op.axes, keepdims=True) + op.epsilon)
    return np.asarray((x - mean if op.scaling is ops.Scaling.MOMENTS else x) / deviation)


@reference(ops.Contract)
def _contract(op: ops.Contract, x: Array, y: Array) -> Array:
    return np.atleast_1d(np.tensordot(x, y, axes=(op.axis, op.axis2)))
