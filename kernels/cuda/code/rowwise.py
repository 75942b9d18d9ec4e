"""Functions of all values along one axis: softmax and its kin. A team of threads makes a row, as :mod:`.rows` says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from ... import ops
from .base import U, frame, part
from .rows import added, greatest, lane, row, sum_of_team, together, total

F = np.float32
ZERO, ONE, INF = F(0), F(1), F(np.inf)

largest_of_team = together(greatest)


@part
def first_of(row, length, inner):
    """Where row number `row` begins among (outer, length, inner) values."""
    outer = U(row // inner)
    return U(outer * length * inner + U(row - outer * inner))


@part
def largest(x, base, mine, length, inner, lanes, apart):
    """The largest value of a row of x that begins at `base`; NaN where there is one."""
    best = -INF
    j = mine
    while j < length:
        best = greatest(best, x[base + U(j * inner)])
        j = U(j + lanes)
    return largest_of_team(best, lanes, apart)


SOFTMAXES: dict[ops.Row, Callable[[Any, Any, Any], Any]] = {
    ops.Row.SOFTMAX: lambda d, high, low: math.exp(d) / total(high, low),
    ops.Row.LOG_SOFTMAX: lambda d, high, low: d - (math.log(high) + low / high),
}
"""What becomes of a value `d` beside the largest, where exp(d) of the whole row sums up to `high` and its `low`."""


def softmax(function: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that applies one of :data:`SOFTMAXES` along the middle axis."""
    apply = part(function)

    def run(x, y, rows, length, inner, lanes, apart, x_frame, y_frame):
        me, mine = row(lanes, apart), lane(lanes, apart)
        end = length if me < rows else U(0)  # a team beyond the last row has nothing to do but to meet the others
        from_x, from_y = frame(x_frame) + first_of(me, length, inner), frame(y_frame) + first_of(me, length, inner)
        most = largest(x, from_x, mine, end, inner, lanes, apart)
        high, low = ZERO, ZERO
        j = mine
        while j < end:
            high, low = added(high, low, math.exp(x[from_x + U(j * inner)] - most))
            j = U(j + lanes)
        high, low = sum_of_team(high, low, lanes, apart)
        j = mine
        while j < end:
            y[from_y + U(j * inner)] = apply(x[from_x + U(j * inner)] - most, high, low)
            j = U(j + lanes)

    return run


def f32_sparsemax(x, y, rows, length, inner, lanes, apart, x_frame, y_frame):
    """max(x - t, 0) along the middle axis, with t such that the values sum to 1.

    t is found by Michelot's algorithm (1986), which needs no sorted copy: take the mean excess over 1 of the values
    above t as the new t until their number stays. Values are taken relative to the largest, beside which a large
    one would swallow the 1. All teams of a block go on until the last of them is done.
    """
    me, mine = row(lanes, apart), lane(lanes, apart)
    end = length if me < rows else U(0)
    from_x, from_y = frame(x_frame) + first_of(me, length, inner), frame(y_frame) + first_of(me, length, inner)
    most = largest(x, from_x, mine, end, inner, lanes, apart)
    threshold, support, more = -ONE, ZERO, np.int32(1)
    while cuda.syncthreads_or(more):
        high, low, count = ZERO, ZERO, ZERO
        j = mine
        while j < end:
            one = x[from_x + U(j * inner)] - most
            if one > threshold:
                high, low = added(high, low, one)
                count += ONE
            j = U(j + lanes)
        high, low = sum_of_team(high, low, lanes, apart)
        count, _ = sum_of_team(count, ZERO, lanes, apart)
        more = np.int32(1) if count > ZERO and (support == ZERO or count < support) else np.int32(0)
        if more:
            threshold, support = ((high - ONE) + low) / count, count
    j = mine
    while j < end:
        excess = (x[from_x + U(j * inner)] - most) - threshold
        y[from_y + U(j * inner)] = ZERO if excess < ZERO else excess
        j = U(j + lanes)


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_sparsemax": f32_sparsemax,
    **{f"f32_{kind.name.lower()}": softmax(function) for kind, function in SOFTMAXES.items()},
}
