"""Pools: windows and whole maps summed up in one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .fields import CHANNELS, COLUMNS, IN_COLUMNS, IN_ROWS, LEFT, ROWS, SIZE_X, SIZE_Y, STRIDE_X, STRIDE_Y, TOP, X, Y
from .simd import f32, i64, set_f32, wide


def max_pool(step, me, team):
    """The largest value of each window, clipped to the input; all channels of a cell side by side."""
    x, y, channels, in_columns = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_COLUMNS)
    pixels = i64(step, ROWS) * i64(step, COLUMNS)
    for pixel in range(pixels * me // team, pixels * (me + 1) // team):
        top, bottom, left, right = _window(step, pixel)
        target, first = y + 4 * pixel * channels, x + 4 * (top * in_columns + left) * channels
        for c in range(channels):
            set_f32(target, c, f32(first, c))
        for row in range(top, bottom):
            for column in range(left, right):
                source = x + 4 * (row * in_columns + column) * channels
                for c in range(channels):
                    value, largest = f32(source, c), f32(target, c)
                    set_f32(target, c, value if value > largest else largest)


def average_pool(step, me, team):
    """The mean value of each window, clipped to the input; all channels of a cell side by side."""
    x, y, channels, in_columns = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_COLUMNS)
    pixels = i64(step, ROWS) * i64(step, COLUMNS)
    for pixel in range(pixels * me // team, pixels * (me + 1) // team):
        top, bottom, left, right = _window(step, pixel)
        target = y + 4 * pixel * channels
        for c in range(channels):
            set_f32(target, c, 0.0)
        for row in range(top, bottom):
            for column in range(left, right):
                source = x + 4 * (row * in_columns + column) * channels
                for c in range(channels):
                    set_f32(target, c, f32(target, c) + f32(source, c))
        cells = (bottom - top) * (right - left)
        for c in range(channels):
            set_f32(target, c, f32(target, c) / cells)


@njit(error_model="numpy", inline="always")
def _window(step, pixel):
    """The rows top..bottom-1 and columns left..right-1 of the input that output pixel number `pixel` pools."""
    columns = i64(step, COLUMNS)
    row = pixel // columns
    top = row * i64(step, STRIDE_Y) - i64(step, TOP)
    left = (pixel - row * columns) * i64(step, STRIDE_X) - i64(step, LEFT)
    bottom, right = top + i64(step, SIZE_Y), left + i64(step, SIZE_X)
    top, left = top if top > 0 else 0, left if left > 0 else 0
    bottom = bottom if bottom < i64(step, IN_ROWS) else i64(step, IN_ROWS)
    right = right if right < i64(step, IN_COLUMNS) else i64(step, IN_COLUMNS)
    return top, bottom, left, right


def global_max_pool(step, me, team):
    """The largest value of each channel."""
    x, y, channels, pixels = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_ROWS)
    for c in range(channels * me // team, channels * (me + 1) // team):
        largest = f32(x, c)
        for p in range(1, pixels):
            value = f32(x, p * channels + c)
            largest = value if value > largest else largest
        set_f32(y, c, largest)


def global_average_pool(step, me, team):
    """The mean value of each channel, summed in float64."""
    x, y, channels, pixels = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_ROWS)
    for c in range(channels * me // team, channels * (me + 1) // team):
        total = 0.0
        for p in range(pixels):
            total += wide(x, p * channels + c)
        set_f32(y, c, total / pixels)


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_nhwc_max_pool": max_pool,
    "f32_nhwc_average_pool": average_pool,
    "f32_nhwc_global_max_pool": global_max_pool,
    "f32_nhwc_global_average_pool": global_average_pool,
}
