"""Sums, means and extremes over some axes, and what is scaled by them; all sums in float64.

The memory is seen as (KEPT_0, REDUCED_0, KEPT_1, REDUCED_1, KEPT_2), which any choice among four axes comes to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import njit

from .. import ops
from .fields import (
    INNER_1,
    INNER_2,
    KEPT_0,
    KEPT_1,
    KEPT_2,
    OUTER_1,
    OUTER_2,
    PARAMETER,
    REDUCED_0,
    REDUCED_1,
    SHARED,
    X2,
    X,
    Y,
)
from .simd import f32, f64, i64, set_f32, wide


@njit(error_model="numpy", inline="always")
def _start(step, row):
    """Where row number `row` of those that are summed up begins, in floats."""
    k1, k2 = i64(step, KEPT_1), i64(step, KEPT_2)
    plane, c = row // k2, row % k2
    outer, middle = plane // k1, plane % k1
    return (outer * i64(step, REDUCED_0) * k1 + middle) * i64(step, REDUCED_1) * k2 + c


@njit(error_model="numpy", inline="always")
def _sum(step, x, start, apply, shift):
    """The sum of apply(value - shift) over one row."""
    r1, k2 = i64(step, REDUCED_1), i64(step, KEPT_2)
    total, base, far = 0.0, start, i64(step, KEPT_1) * r1 * k2
    for _ in range(i64(step, REDUCED_0)):
        for j in range(r1):
            total += apply(wide(x, base + j * k2) - shift)
        base += far
    return total


@njit(error_model="numpy", inline="always")
def _sum_of_run(x, length):
    """The sum of `length` floats side by side, in four sums, which need not wait for each other."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    quarters = length // 4
    for i in range(quarters):
        a += wide(x, 4 * i)
        b += wide(x, 4 * i + 1)
        c += wide(x, 4 * i + 2)
        d += wide(x, 4 * i + 3)
    for i in range(4 * quarters, length):
        a += wide(x, i)
    return (a + b) + (c + d)


@njit(error_model="numpy", inline="always")
def _itself(x):
    return x


@njit(error_model="numpy", inline="always")
def _squared(x):
    return x * x


def reduce_sum(step, me, team):
    """Sums divided by the parameter: by how many values there are for a mean."""
    x, y, divisor = i64(step, X), i64(step, Y), f64(i64(step, PARAMETER), 0)
    rows = i64(step, KEPT_0) * i64(step, KEPT_1) * i64(step, KEPT_2)
    if i64(step, KEPT_1) * i64(step, REDUCED_1) * i64(step, KEPT_2) == 1:  # runs of values, such as a cell's channels
        length = i64(step, REDUCED_0)
        for row in range(rows * me // team, rows * (me + 1) // team):
            set_f32(y, row, _sum_of_run(x + 4 * row * length, length) / divisor)
        return
    for row in range(rows * me // team, rows * (me + 1) // team):
        set_f32(y, row, _sum(step, x, _start(step, row), _itself, 0.0) / divisor)


def extreme(better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that gives the value that is `better` than all others, or NaN where there is one."""
    beats = njit(error_model="numpy", inline="always")(better)

    def run(step, me, team):
        x, y, r1, k2 = i64(step, X), i64(step, Y), i64(step, REDUCED_1), i64(step, KEPT_2)
        rows, far = i64(step, KEPT_0) * i64(step, KEPT_1) * k2, i64(step, KEPT_1) * r1 * k2
        for row in range(rows * me // team, rows * (me + 1) // team):
            base = _start(step, row)
            best = f32(x, base)
            for _ in range(i64(step, REDUCED_0)):
                for j in range(r1):
                    value = f32(x, base + j * k2)
                    best = value if beats(value, best) or value != value else best
                base += far
            set_f32(y, row, best)

    return run


def _moments(step, x, start, count, epsilon):
    mean = _sum(step, x, start, _itself, 0.0) / count
    return mean, 1.0 / math.sqrt(_sum(step, x, start, _squared, mean) / count + epsilon)


def _variance(step, x, start, count, epsilon):
    mean = _sum(step, x, start, _itself, 0.0) / count
    return 0.0, 1.0 / math.sqrt(_sum(step, x, start, _squared, mean) / count + epsilon)


def _mean_square(step, x, start, count, epsilon):
    return 0.0, 1.0 / math.sqrt(_sum(step, x, start, _squared, 0.0) / count + epsilon)


def _norm(step, x, start, count, epsilon):
    total = _sum(step, x, start, _squared, 0.0)
    return 0.0, 1.0 / math.sqrt(epsilon if total < epsilon else total)


SCALINGS: dict[ops.Scaling, Callable[..., Any]] = {
    ops.Scaling.MOMENTS: _moments,
    ops.Scaling.VARIANCE: _variance,
    ops.Scaling.MEAN_SQUARE: _mean_square,
    ops.Scaling.NORM: _norm,
}
"""What is taken from the values of one row, and what they are multiplied with."""


def standardize(scaling: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`SCALINGS`."""
    shift_and_scale = njit(error_model="numpy", inline="always")(scaling)

    def run(step, me, team):
        x, y, r1, k2 = i64(step, X), i64(step, Y), i64(step, REDUCED_1), i64(step, KEPT_2)
        epsilon = f64(i64(step, PARAMETER), 0)
        rows, far = i64(step, KEPT_0) * i64(step, KEPT_1) * k2, i64(step, KEPT_1) * r1 * k2
        count = float(i64(step, REDUCED_0) * r1)
        for row in range(rows * me // team, rows * (me + 1) // team):
            base = _start(step, row)
            shift, scale = shift_and_scale(step, x, base, count, epsilon)
            for _ in range(i64(step, REDUCED_0)):
                for j in range(r1):
                    set_f32(y, base + j * k2, (wide(x, base + j * k2) - shift) * scale)
                base += far

    return run


def contract(step, me, team):
    """y[a, b] = sum over s of x[a, s] * x2[b, s], a and b being the inputs' other axes."""
    x, x2, y, shared = i64(step, X), i64(step, X2), i64(step, Y), i64(step, SHARED)
    inner1, inner2 = i64(step, INNER_1), i64(step, INNER_2)
    rows, columns = i64(step, OUTER_1) * inner1, i64(step, OUTER_2) * inner2
    for value in range(rows * columns * me // team, rows * columns * (me + 1) // team):
        row, column = value // columns, value % columns
        a = row // inner1 * shared * inner1 + row % inner1
        b = column // inner2 * shared * inner2 + column % inner2
        total = 0.0
        for s in range(shared):
            total += wide(x, a + s * inner1) * wide(x2, b + s * inner2)
        set_f32(y, value, total)


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_reduce_sum": reduce_sum,
    "f32_reduce_max": extreme(lambda a, b: a > b),
    "f32_reduce_min": extreme(lambda a, b: a < b),
    "f32_contract": contract,
    **{f"f32_standardize_{kind.name.lower()}": standardize(function) for kind, function in SCALINGS.items()},
}
