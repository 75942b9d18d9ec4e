"""What maps are described by: sums, extremes and histograms of every channel, in one pass over the values."""

from __future__ import annotations

import math

from numba import njit

from .bins import BEFORE, BINS, HIGH, LOW, NONZERO, PLACE, ROWS, SHIFT, SQUARES, TOTAL
from .fields import HISTOGRAMS, INNER, LENGTH, SHIFTS, X, Y
from .simd import f64, i32, i64, set_f64, set_i64, wide

_BLOCK = 256  # places walked for one channel after the other, so that a line of the cache is fetched once


def summary(step, me, team):
    """Figures of finite values (LENGTH, INNER), LENGTH at least 1: float64 (ROWS, INNER), a column a channel.

    Sum and sum of squares of the distances from the channel's shift, how many values are not zero, the least and the
    largest, and the first place of the largest. Values other than zero are counted in the channel's bins, int64
    (INNER, 2, BINS): of negative values, from -inf on, then of positive ones.
    """
    channels = i64(step, INNER)
    first, last = channels * me // team, channels * (me + 1) // team
    for c in range(first, last):
        _begin(step, c)
    for block in range((i64(step, LENGTH) + _BLOCK - 1) // _BLOCK):
        for c in range(first, last):
            _block(step, c, block * _BLOCK, min((block + 1) * _BLOCK, i64(step, LENGTH)))


@njit(error_model="numpy", inline="always")
def _begin(step, c):
    y, channels = i64(step, Y), i64(step, INNER)
    for row in range(ROWS):
        set_f64(y, row * channels + c, 0.0)
    set_f64(y, LOW * channels + c, math.inf)
    set_f64(y, HIGH * channels + c, -math.inf)


@njit(error_model="numpy", inline="always")
def _block(step, c, start, stop):
    """Takes in the places start..stop-1 of one channel."""
    x, y, channels = i64(step, X), i64(step, Y), i64(step, INNER)
    shift, counts = f64(i64(step, SHIFTS), c), i64(step, HISTOGRAMS) + 8 * (2 * BINS * c + BINS)
    total, squares = f64(y, TOTAL * channels + c), f64(y, SQUARES * channels + c)
    low, high = f64(y, LOW * channels + c), f64(y, HIGH * channels + c)
    nonzero, place = 0, -1
    for p in range(start, stop):
        at = p * channels + c
        value, bits = wide(x, at), i32(x, at)
        apart = value - shift
        total += apart
        squares += apart * apart
        low = value if value < low else low
        place = p if value > high else place
        high = value if value > high else high
        size = bits & 0x7FFFFFFF
        counted = 1 if size != 0 else 0
        place_of_bin = min(max((size >> SHIFT) - BEFORE, 0), BINS - 1) ^ (bits >> 31)  # of a negative value: -b - 1
        set_i64(counts, place_of_bin, i64(counts, place_of_bin) + counted)
        nonzero += counted
    set_f64(y, TOTAL * channels + c, total)
    set_f64(y, SQUARES * channels + c, squares)
    set_f64(y, LOW * channels + c, low)
    set_f64(y, HIGH * channels + c, high)
    set_f64(y, NONZERO * channels + c, f64(y, NONZERO * channels + c) + nonzero)
    if place >= 0:
        set_f64(y, PLACE * channels + c, float(place))


KERNELS = {"f32_summary": summary}
