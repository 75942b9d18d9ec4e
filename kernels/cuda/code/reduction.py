"""Sums, means and extremes over some axes, and what is scaled by them.

The memory is seen as (k0, r0, k1, r1, k2), the axes r0 and r1 summed up, which any choice among four axes comes to. A
team of threads makes one row, as :mod:`.rows` says; its sums keep what rounding takes from them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from .base import U, frame, part
from .rows import added, greatest, lane, least, place, row, start, sum_of_team, together, total

F = np.float32
ZERO, ONE, INF = F(0), F(1), F(np.inf)


def f32_reduce_sum(x, y, rows, k1, k2, r0, r1, lanes, apart, divisor, x_frame, y_frame):
    """Sums divided by `divisor`: by how many values there are for a mean."""
    me, mine = row(lanes, apart), lane(lanes, apart)
    end = U(r0 * r1) if me < rows else U(0)
    source = frame(x_frame) + start(me, k1, k2, r0, r1)
    high, low = ZERO, ZERO
    j = mine
    while j < end:
        high, low = added(high, low, x[source + place(j, k1, k2, r0, r1)])
        j = U(j + lanes)
    high, low = sum_of_team(high, low, lanes, apart)
    if me < rows and mine == U(0):
        y[frame(y_frame) + me] = total(high, low) / divisor


def extreme(better: Callable[[Any, Any], Any], worst: np.float32) -> Callable[..., Any]:
    """The kernel that gives the value that is `better` than all others, or NaN where there is one."""
    best_of_team = together(better)

    def run(x, y, rows, k1, k2, r0, r1, lanes, apart, x_frame, y_frame):
        me, mine = row(lanes, apart), lane(lanes, apart)
        end = U(r0 * r1) if me < rows else U(0)
        source = frame(x_frame) + start(me, k1, k2, r0, r1)
        best = worst
        j = mine
        while j < end:
            best = better(best, x[source + place(j, k1, k2, r0, r1)])
            j = U(j + lanes)
        best = best_of_team(best, lanes, apart)
        if me < rows and mine == U(0):
            y[frame(y_frame) + me] = best

    return run


@part
def squares(x, source, mine, end, lanes, apart, k1, k2, r0, r1):
    """The sum of a row's squares."""
    high, low = ZERO, ZERO
    j = mine
    while j < end:
        one = x[source + place(j, k1, k2, r0, r1)]
        high, low = added(high, low, one * one)
        j = U(j + lanes)
    high, low = sum_of_team(high, low, lanes, apart)
    return total(high, low)


@part
def moments(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count):
    """The mean of a row, in two numbers, and its variance.

    The mean is rounded first. What the values are beyond it has a mean as well, which is small: the second number.
    """
    high, low = ZERO, ZERO
    j = mine
    while j < end:
        high, low = added(high, low, x[source + place(j, k1, k2, r0, r1)])
        j = U(j + lanes)
    high, low = sum_of_team(high, low, lanes, apart)
    mean = total(high, low) / count
    high, low, high2, low2 = ZERO, ZERO, ZERO, ZERO
    j = mine
    while j < end:
        one = x[source + place(j, k1, k2, r0, r1)]
        high, low = added(high, low, one)  # and less the mean, which is not beyond, a rounded difference
        high, low = added(high, low, -mean)
        beyond = one - mean
        high2, low2 = added(high2, low2, beyond * beyond)
        j = U(j + lanes)
    high, low = sum_of_team(high, low, lanes, apart)
    high2, low2 = sum_of_team(high2, low2, lanes, apart)
    further = total(high, low) / count
    variance = total(high2, low2) / count - further * further
    return mean, further, ZERO if variance < ZERO else variance


@part
def by_moments(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count, epsilon):
    """What :attr:`~fastact.kernels.ops.Scaling.MOMENTS` takes from values, twice, and multiplies them with."""
    mean, further, variance = moments(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count)
    return mean, further, ONE / math.sqrt(variance + epsilon)


@part
def by_variance(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count, epsilon):
    """The same for VARIANCE."""
    _, _, variance = moments(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count)
    return ZERO, ZERO, ONE / math.sqrt(variance + epsilon)


@part
def by_mean_square(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count, epsilon):
    """The same for MEAN_SQUARE."""
    whole = squares(x, source, mine, end, lanes, apart, k1, k2, r0, r1)
    return ZERO, ZERO, ONE / math.sqrt(whole / count + epsilon)


@part
def by_norm(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count, epsilon):
    """The same for NORM."""
    whole = squares(x, source, mine, end, lanes, apart, k1, k2, r0, r1)
    return ZERO, ZERO, ONE / math.sqrt(epsilon if whole < epsilon else whole)


SCALINGS: dict[ops.Scaling, Callable[..., Any]] = {
    ops.Scaling.MOMENTS: by_moments,
    ops.Scaling.VARIANCE: by_variance,
    ops.Scaling.MEAN_SQUARE: by_mean_square,
    ops.Scaling.NORM: by_norm,
}


def standardize(shift_and_scale: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`SCALINGS`."""

    def run(x, y, rows, k1, k2, r0, r1, lanes, apart, count, epsilon, x_frame, y_frame):
        me, mine = row(lanes, apart), lane(lanes, apart)
        end = U(r0 * r1) if me < rows else U(0)
        first = start(me, k1, k2, r0, r1)
        source, target = frame(x_frame) + first, frame(y_frame) + first
        mean, further, scale = shift_and_scale(x, source, mine, end, lanes, apart, k1, k2, r0, r1, count, epsilon)
        j = mine
        while j < end:
            at = place(j, k1, k2, r0, r1)
            y[target + at] = ((x[source + at] - mean) - further) * scale
            j = U(j + lanes)

    return run


def f32_contract(x, x2, y, rows, columns, shared, inner, inner2, lanes, apart, x_frame, x2_frame, y_frame):
    """y[a, b] = sum over s of x[a, s] * x2[b, s], a and b being the inputs' other axes; a team makes a value."""
    me, mine = row(lanes, apart), lane(lanes, apart)
    end = shared if me < rows else U(0)  # rows: all pairs (a, b)
    a = U(me // columns)
    b = U(me - a * columns)
    outer, outer2 = U(a // inner), U(b // inner2)
    source = frame(x_frame) + U(outer * shared * inner + U(a - outer * inner))
    source2 = frame(x2_frame) + U(outer2 * shared * inner2 + U(b - outer2 * inner2))
    high, low = ZERO, ZERO
    j = mine
    while j < end:
        high, low = added(high, low, x[source + U(j * inner)] * x2[source2 + U(j * inner2)])
        j = U(j + lanes)
    high, low = sum_of_team(high, low, lanes, apart)
    if me < rows and mine == U(0):
        y[frame(y_frame) + me] = total(high, low)


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_reduce_sum": f32_reduce_sum,
    "f32_reduce_max": extreme(greatest, -INF),
    "f32_reduce_min": extreme(least, INF),
    "f32_contract": f32_contract,
    **{f"f32_standardize_{kind.name.lower()}": standardize(function) for kind, function in SCALINGS.items()},
}
