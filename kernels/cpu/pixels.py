"""Pictures in bytes, three for a pixel: covered with colours, enlarged, and split into planes for a video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .fields import (
    ACROSS,
    BLUE_DIFFERENCE,
    COLOR_STEP,
    COUNT,
    LEVEL,
    LINE,
    LINES,
    LUMA_STEP,
    MATRIX,
    PALETTE,
    RED_DIFFERENCE,
    SHARES,
    TIMES,
    TO_STEP,
    X,
    Y,
)  # fmt: skip
from .simd import byte, f32, fma, i64, set_f32, set_u8, u8


def cover(step, me, team):
    """Each pixel times what its level leaves of it, plus its level's colour: PALETTE has float32 (256, 4), red, green
    and blue, times how much they cover, and what is left of the picture."""
    x, y, levels, palette, count = i64(step, X), i64(step, Y), i64(step, LEVEL), i64(step, PALETTE), i64(step, COUNT)
    for i in range(count * me // team, count * (me + 1) // team):
        color = palette + 16 * byte(levels, i)
        left = f32(color, 3)
        for c in range(3):
            set_u8(y, 3 * i + c, fma(u8(x, 3 * i + c), left, f32(color, c)))


def enlarge(step, me, team):
    """A picture TIMES as large each way, bilinearly: pixels lie in the middle of their squares.

    Between the middles of two neighbours there are TIMES pixels, and SHARES says how much of the second each has.
    """
    x, lines, across, times = i64(step, X), i64(step, LINES), i64(step, ACROSS), i64(step, TIMES)
    width, half, shares = 3 * across * times, times // 2, i64(step, SHARES)
    wide = i64(step, LINE) + 8 * width * me  # two lines: of rows with even numbers, and with odd ones
    even = odd = -1
    for row in range(lines * times * me // team, lines * times * (me + 1) // team):
        above = (row - half) // times if row >= half else 0
        share = row - half - above * times if row >= half and above < lines - 1 else 0
        for line in range(above, min(above + 2, lines)):
            if line % 2 == 0 and even != line:
                _widen(x + 3 * across * line, wide, across, times, shares)
                even = line
            if line % 2 == 1 and odd != line:
                _widen(x + 3 * across * line, wide + 4 * width, across, times, shares)
                odd = line
        first, second = wide + 4 * width * (above % 2), wide + 4 * width * (1 - above % 2)
        if row < half or above == lines - 1:
            second = first
        _mix(first, second, f32(shares, share), i64(step, Y) + i64(step, TO_STEP) * row, width)


@njit(error_model="numpy", inline="always")
def _mix(first, second, weight, y, count):
    """Two lines of float32 as one of bytes, the second with its weight."""
    for i in range(count):
        value = f32(first, i)
        set_u8(y, i, fma(f32(second, i) - value, weight, value))


@njit(error_model="numpy", inline="always")
def _widen(x, line, across, times, shares):
    """A row of pixels as a line of float32, TIMES as wide."""
    half, last = times // 2, 3 * (across - 1)
    for k in range(half):
        for c in range(3):
            set_f32(line, 3 * k + c, u8(x, c))
    for i in range(across - 1):
        r, g, b = u8(x, 3 * i), u8(x, 3 * i + 1), u8(x, 3 * i + 2)
        to_r, to_g, to_b = u8(x, 3 * i + 3) - r, u8(x, 3 * i + 4) - g, u8(x, 3 * i + 5) - b
        target = line + 12 * (i * times + half)
        for k in range(times):
            share = f32(shares, k)
            set_f32(target, 3 * k, fma(to_r, share, r))
            set_f32(target, 3 * k + 1, fma(to_g, share, g))
            set_f32(target, 3 * k + 2, fma(to_b, share, b))
    for k in range((across - 1) * times + half, across * times):
        for c in range(3):
            set_f32(line, 3 * k + c, u8(x, last + c))


def planes(step, me, team):
    """Brightness of every pixel, and two differences of colour for every two by two: MATRIX has float32 (3, 4), what
    each takes of red, green and blue, and what is added. Lines and pixels across are even."""
    x, lines, across, matrix = i64(step, X), i64(step, LINES), i64(step, ACROSS), i64(step, MATRIX)
    luma, blue, red = i64(step, Y), i64(step, BLUE_DIFFERENCE), i64(step, RED_DIFFERENCE)
    pairs, luma_step, color_step = lines // 2, i64(step, LUMA_STEP), i64(step, COLOR_STEP)
    for pair in range(pairs * me // team, pairs * (me + 1) // team):
        top = x + 6 * across * pair
        _brightness(top, luma + luma_step * 2 * pair, across, matrix)
        _brightness(top + 3 * across, luma + luma_step * (2 * pair + 1), across, matrix)
        _differences(top, top + 3 * across, blue + color_step * pair, red + color_step * pair, across // 2, matrix)


@njit(error_model="numpy", inline="always")
def _brightness(x, y, count, matrix):
    r, g, b, more = f32(matrix, 0), f32(matrix, 1), f32(matrix, 2), f32(matrix, 3)
    for i in range(count):
        set_u8(y, i, fma(u8(x, 3 * i), r, fma(u8(x, 3 * i + 1), g, fma(u8(x, 3 * i + 2), b, more))))


@njit(error_model="numpy", inline="always")
def _differences(top, bottom, blue, red, count, matrix):
    """From the sums of four pixels."""
    b0, b1, b2, b3 = f32(matrix, 4), f32(matrix, 5), f32(matrix, 6), f32(matrix, 7)
    r0, r1, r2, r3 = f32(matrix, 8), f32(matrix, 9), f32(matrix, 10), f32(matrix, 11)
    for i in range(count):
        r = u8(top, 6 * i) + u8(top, 6 * i + 3) + u8(bottom, 6 * i) + u8(bottom, 6 * i + 3)
        g = u8(top, 6 * i + 1) + u8(top, 6 * i + 4) + u8(bottom, 6 * i + 1) + u8(bottom, 6 * i + 4)
        b = u8(top, 6 * i + 2) + u8(top, 6 * i + 5) + u8(bottom, 6 * i + 2) + u8(bottom, 6 * i + 5)
        set_u8(blue, i, fma(r, b0, fma(g, b1, fma(b, b2, b3))))
        set_u8(red, i, fma(r, r0, fma(g, r1, fma(b, r2, r3))))


KERNELS: dict[str, Callable[..., Any]] = {"u8_cover": cover, "u8_enlarge": enlarge, "u8_planes": planes}
