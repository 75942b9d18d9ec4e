"""How far float32 arithmetic may take a kernel's result from the exact one."""

from __future__ import annotations

import numpy as np
from cuda_simulation import exact
from kernel_checks import EPSILON

from fastact.kernels import ops


def assert_near(actual: np.ndarray, wanted: np.ndarray, units: float, slack: np.ndarray | float = 0.0) -> None:
    """`actual` is `wanted` within so many units in the last place of float32, and `slack` beside them.

    NaN stands where it stands in `wanted`, and so do infinities; what is no more a normal number may be 0.
    """
    rounded = wanted.astype(np.float32)
    assert actual.shape == wanted.shape
    assert np.array_equal(np.isnan(actual), np.isnan(rounded))
    unit = np.spacing(np.maximum(np.abs(rounded), np.float32(2**-126))).astype(np.float64)
    near = np.abs(actual.astype(np.float64) - wanted) <= units * unit + slack
    wrong = ~((actual == rounded) | near | np.isnan(rounded))
    assert not wrong.any(), (actual[wrong][:5], wanted[wrong][:5])


def shift(op: ops.Op, x: np.ndarray, units: float) -> np.ndarray:
    """How far the exact result of a function moves when its input does by so many units in the last place."""
    here, wide = exact(op, x), x.astype(np.float64)
    moved = [np.abs(exact(op, wide * (1 + sign * 2 * EPSILON * units)) - here) for sign in (1, -1)]
    return np.nan_to_num(np.maximum(*moved), nan=0.0, posinf=0.0)
