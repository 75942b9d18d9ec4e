"""Depthwise convolutions: each channel with filters of its own, all channels of a cell side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .fields import (
    CHANNELS,
    COLUMNS,
    DEPTH_BIAS,
    DEPTH_HIGH,
    DEPTH_LOW,
    DEPTH_WEIGHTS,
    DILATION_X,
    DILATION_Y,
    IN_COLUMNS,
    IN_ROWS,
    LEFT,
    MULTIPLIER,
    ROWS,
    SIZE_X,
    SIZE_Y,
    STRIDE_X,
    STRIDE_Y,
    TOP,
    X,
    Y,
)  # fmt: skip
from .simd import bits_f32, f32, i64, set_f32


def depthwise(step, me, team):
    """A filter a channel; a window that reaches over the border is clipped to the input."""
    x, y, channels, in_columns = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_COLUMNS)
    weights, columns, size_x = i64(step, DEPTH_WEIGHTS), i64(step, COLUMNS), i64(step, SIZE_X)
    dilation_y, dilation_x = i64(step, DILATION_Y), i64(step, DILATION_X)
    pixels = i64(step, ROWS) * columns
    for pixel in range(pixels * me // team, pixels * (me + 1) // team):
        top, left = _corner(step, pixel)
        first_y, end_y = _taps(top, i64(step, SIZE_Y), dilation_y, i64(step, IN_ROWS))
        first_x, end_x = _taps(left, size_x, dilation_x, in_columns)
        target = y + 4 * pixel * channels
        _start(step, target, channels)
        for ky in range(first_y, end_y):
            for kx in range(first_x, end_x):
                cell = (top + ky * dilation_y) * in_columns + left + kx * dilation_x
                source, filters = x + 4 * cell * channels, weights + 4 * (ky * size_x + kx) * channels
                for c in range(channels):
                    set_f32(target, c, f32(target, c) + f32(source, c) * f32(filters, c))
        _clip(step, target, channels)


def depthwise_multiplied(step, me, team):
    """MULTIPLIER filters a channel, side by side."""
    x, y, channels, in_columns = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_COLUMNS)
    weights, columns, size_x = i64(step, DEPTH_WEIGHTS), i64(step, COLUMNS), i64(step, SIZE_X)
    dilation_y, dilation_x, multiplier = i64(step, DILATION_Y), i64(step, DILATION_X), i64(step, MULTIPLIER)
    pixels = i64(step, ROWS) * columns
    for pixel in range(pixels * me // team, pixels * (me + 1) // team):
        top, left = _corner(step, pixel)
        first_y, end_y = _taps(top, i64(step, SIZE_Y), dilation_y, i64(step, IN_ROWS))
        first_x, end_x = _taps(left, size_x, dilation_x, in_columns)
        target = y + 4 * pixel * channels * multiplier
        _start(step, target, channels * multiplier)
        for ky in range(first_y, end_y):
            for kx in range(first_x, end_x):
                cell = (top + ky * dilation_y) * in_columns + left + kx * dilation_x
                source, filters = x + 4 * cell * channels, weights + 4 * (ky * size_x + kx) * channels * multiplier
                for c in range(channels):
                    for i in range(c * multiplier, (c + 1) * multiplier):
                        set_f32(target, i, f32(target, i) + f32(source, c) * f32(filters, i))
        _clip(step, target, channels * multiplier)


@njit(error_model="numpy", inline="always")
def _corner(step, pixel):
    """The row and column of the input where the window of output pixel number `pixel` begins."""
    row = pixel // i64(step, COLUMNS)
    column = pixel - row * i64(step, COLUMNS)
    return row * i64(step, STRIDE_Y) - i64(step, TOP), column * i64(step, STRIDE_X) - i64(step, LEFT)


@njit(error_model="numpy", inline="always")
def _taps(corner, size, dilation, length):
    """The first and the end of a window's cells that lie inside an axis of `length` cells."""
    first = 0 if corner >= 0 else (dilation - 1 - corner) // dilation
    end = 0 if corner >= length else (length - 1 - corner) // dilation + 1
    return first, end if end < size else size


@njit(error_model="numpy", inline="always")
def _start(step, target, filters):
    """A pixel with the bias in it."""
    bias = i64(step, DEPTH_BIAS)
    for i in range(filters):
        set_f32(target, i, f32(bias, i))


@njit(error_model="numpy", inline="always")
def _clip(step, target, filters):
    """A pixel's values clipped; NaN stays."""
    low, high = bits_f32(i64(step, DEPTH_LOW)), bits_f32(i64(step, DEPTH_HIGH))
    for i in range(filters):
        value = f32(target, i)
        value = low if value < low else value
        set_f32(target, i, high if value > high else value)


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_depthwise_conv": depthwise,
    "f32_depthwise_conv_multiplied": depthwise_multiplied,
}
