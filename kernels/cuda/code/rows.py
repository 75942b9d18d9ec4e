"""What kernels share in which several threads, a team, sum up one row of values.

A block's threads are teams of `lanes` threads, a power of two. Lanes of a team are `apart` threads from each other: 1
where a row lies in one piece, so that neighbours read neighbours; as many as there are teams where rows lie side by
side, so that neighbouring threads read the same value of neighbouring rows. Every thread of a block takes part in every
step, those whose row is none at its end as well, since all meet at each barrier. The order of all sums is fixed by the
shape alone: every run gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numba import cuda, float32

from ..catalog import THREADS
from .base import U, part

__all__ = ["added", "greatest", "lane", "least", "place", "row", "start", "sum_of_team", "together", "total"]

ZERO = np.float32(0)


@part
def lane(lanes, apart):
    """The number of this thread in its team."""
    return U(U(U(cuda.threadIdx.x) // apart) % lanes)


@part
def row(lanes, apart):
    """The number of this team among all of its frame, which is the row it sums up."""
    thread = U(cuda.threadIdx.x)
    team = U(U(thread % apart) + U(thread // U(apart * lanes)))
    return U(U(cuda.blockIdx.x) * U(U(cuda.blockDim.x) // lanes) + team)


@part
def start(row, k1, k2, r0, r1):
    """Where row number `row` begins in an array of shape (k0, r0, k1, r1, k2), whose axes r0 and r1 are summed up."""
    plane = U(row // k2)
    outer = U(plane // k1)
    return U((outer * r0 * k1 + U(plane - outer * k1)) * r1 * k2 + U(row - plane * k2))


@part
def place(j, k1, k2, r0, r1):
    """Value number j of a row, counted from where the row begins."""
    if r0 == U(1):
        return U(j * k2)
    outer = U(j // r1)
    return U(outer * k1 * r1 * k2 + U(j - outer * r1) * k2)


@part
def added(high, low, value):
    """high + low + value as two numbers: high + value, and in `low` what rounding took from it (Knuth's two-sum)."""
    new = np.float32(high + value)
    taken = np.float32(new - high)
    return new, np.float32(low + ((high - (new - taken)) + (value - taken)))


@part
def total(high, low):
    """high + low in one number; once `high` is infinite, `low` means nothing."""
    return high if low != low else np.float32(high + low)


@part
def sum_of_team(high, low, lanes, apart):
    """The sum of high + low over a team's lanes, in two numbers as well, for each of them."""
    highs = cuda.shared.array(THREADS, float32)
    lows = cuda.shared.array(THREADS, float32)
    thread = U(cuda.threadIdx.x)
    me = lane(lanes, apart)
    highs[thread] = high
    lows[thread] = low
    cuda.syncthreads()
    half = U(lanes // U(2))
    while half > U(0):
        if me < half:
            other = U(thread + half * apart)
            new, left = added(highs[thread], np.float32(lows[thread] + lows[other]), highs[other])
            highs[thread] = new
            lows[thread] = left
        cuda.syncthreads()
        half = U(half // U(2))
    first = U(thread - me * apart)
    high, low = highs[first], lows[first]
    cuda.syncthreads()  # until all have read it
    return high, low


@part
def greatest(a, b):
    """The greater of two; NaN where either is."""
    return a if a > b or a != a else b


@part
def least(a, b):
    """The lesser of two; NaN where either is."""
    return a if a < b or a != a else b


def together(better):
    """The part that gives the value that is `better` than those of all other lanes of a team, for each of them."""

    @part
    def best(value, lanes, apart):
        values = cuda.shared.array(THREADS, float32)
        thread = U(cuda.threadIdx.x)
        me = lane(lanes, apart)
        values[thread] = value
        cuda.syncthreads()
        half = U(lanes // U(2))
        while half > U(0):
            if me < half:
                values[thread] = better(values[thread], values[U(thread + half * apart)])
            cuda.syncthreads()
            half = U(half // U(2))
        value = values[U(thread - me * apart)]
        cuda.syncthreads()
        return value

    return best
