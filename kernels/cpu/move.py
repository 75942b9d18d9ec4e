"""Operations that move values: bytes to floats, copies, padding, and pools."""

from __future__ import annotations

from numba import njit

from .simd import bits_f32, f32, i64, set_f32, u8, wide
from .steps import (
    CHANNELS,
    COLUMNS,
    COUNT,
    IN_COLUMNS,
    IN_ROWS,
    LEFT,
    LENGTH,
    OUTER,
    PARAMETERS,
    ROWS,
    SIZE_X,
    SIZE_Y,
    STRIDE_X,
    STRIDE_Y,
    TOP,
    X_STRIDE,
    Y_STRIDE,
    X,
    Y,
)  # fmt: skip


def from_bytes(step, me, team):
    """y = x / divisor."""
    x, y, count, divisor = i64(step, X), i64(step, Y), i64(step, COUNT), bits_f32(i64(step, PARAMETERS))
    for i in range(count * me // team, count * (me + 1) // team):
        set_f32(y, i, u8(x, i) / divisor)


def copy(step, me, team):
    """OUTER runs of LENGTH values."""
    x, y, outer, length = i64(step, X), i64(step, Y), i64(step, OUTER), i64(step, LENGTH)
    x_stride, y_stride = i64(step, X_STRIDE), i64(step, Y_STRIDE)
    for run in range(outer * me // team, outer * (me + 1) // team):
        source, target = x + 4 * run * x_stride, y + 4 * run * y_stride
        for i in range(length):
            set_f32(target, i, f32(source, i))


def pad(step, me, team):
    """The input in a frame of zeros, row by row of the output."""
    x, y, channels = i64(step, X), i64(step, Y), i64(step, CHANNELS)
    in_rows, in_run, run = i64(step, IN_ROWS), i64(step, IN_COLUMNS) * channels, i64(step, COLUMNS) * channels
    rows, top, left = i64(step, ROWS), i64(step, TOP), i64(step, LEFT) * channels
    for row in range(rows * me // team, rows * (me + 1) // team):
        target, source = y + 4 * row * run, x + 4 * (row - top) * in_run
        if row < top or row >= top + in_rows:
            for i in range(run):
                set_f32(target, i, 0.0)
        else:
            for i in range(left):
                set_f32(target, i, 0.0)
            for i in range(in_run):
                set_f32(target + 4 * left, i, f32(source, i))
            for i in range(left + in_run, run):
                set_f32(target, i, 0.0)


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
