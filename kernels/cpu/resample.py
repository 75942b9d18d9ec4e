"""Values between values: sums of weighted cells along one axis, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .fields import CELLS, IN_LENGTH, INNER, LENGTH, OUTER, TAP_WEIGHTS, TAPS, X, Y
from .simd import i64, set_f32, wide


def resample(step, me, team):
    """Each place along the middle axis from TAPS places of the input; most often there are one to three."""
    length, inner, in_length, taps = i64(step, LENGTH), i64(step, INNER), i64(step, IN_LENGTH), i64(step, TAPS)
    lines = i64(step, OUTER) * length
    if inner == 1:  # along the last axis of a map without channels
        _along_last(step, lines * me // team, lines * (me + 1) // team)
        return
    for line in range(lines * me // team, lines * (me + 1) // team):
        outer = line // length
        first = (line - outer * length) * taps
        cells, weights = i64(step, CELLS) + 8 * first, i64(step, TAP_WEIGHTS) + 4 * first
        source, target = i64(step, X) + 4 * outer * in_length * inner, i64(step, Y) + 4 * line * inner
        if taps == 1:
            a, weight_a = source + 4 * i64(cells, 0) * inner, wide(weights, 0)
            for i in range(inner):
                set_f32(target, i, wide(a, i) * weight_a)
        elif taps == 2:
            a, b = source + 4 * i64(cells, 0) * inner, source + 4 * i64(cells, 1) * inner
            weight_a, weight_b = wide(weights, 0), wide(weights, 1)
            for i in range(inner):
                set_f32(target, i, wide(a, i) * weight_a + wide(b, i) * weight_b)
        elif taps == 3:  # what a window of 5 leaves where it moves by 2
            a, b = source + 4 * i64(cells, 0) * inner, source + 4 * i64(cells, 1) * inner
            c = source + 4 * i64(cells, 2) * inner
            weight_a, weight_b, weight_c = wide(weights, 0), wide(weights, 1), wide(weights, 2)
            for i in range(inner):
                set_f32(target, i, wide(a, i) * weight_a + wide(b, i) * weight_b + wide(c, i) * weight_c)
        else:
            for i in range(inner):
                total = 0.0
                for t in range(taps):
                    total += wide(source + 4 * i64(cells, t) * inner, i) * wide(weights, t)
                set_f32(target, i, total)


@njit(error_model="numpy", inline="always")
def _along_last(step, first, last):
    """Values number first to last-1 of the output, whose lines are one value wide."""
    length, in_length, taps = i64(step, LENGTH), i64(step, IN_LENGTH), i64(step, TAPS)
    cells, weights, y = i64(step, CELLS), i64(step, TAP_WEIGHTS), i64(step, Y)
    outer = first // length
    place = first - outer * length
    source = i64(step, X) + 4 * outer * in_length
    for value in range(first, last):
        total = 0.0
        for t in range(place * taps, (place + 1) * taps):
            total += wide(source, i64(cells, t)) * wide(weights, t)
        set_f32(y, value, total)
        place += 1
        if place == length:
            place = 0
            source += 4 * in_length


KERNELS: dict[str, Callable[..., Any]] = {"f32_resample": resample}
