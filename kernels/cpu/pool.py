"""Pools: windows and whole maps summed up in one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .fields import (
    CHANNELS,
    COLUMNS,
    FRONT,
    IN_COLUMNS,
    IN_PLANES,
    IN_ROWS,
    PLANES,
    POOLED,
    ROWS,
    SIZE_Z,
    STRIDE_Z,
    X,
    Y,
)  # fmt: skip
from .simd import f32, i64, set_f32, wide


def max_pool(step, me, team):
    """The largest value of each window, clipped to the input, which a NaN never is; a cell's channels side by side."""
    x, y, channels = i64(step, X), i64(step, Y), i64(step, CHANNELS)
    in_rows, in_columns = i64(step, IN_ROWS), i64(step, IN_COLUMNS)
    pixels = i64(step, PLANES) * i64(step, ROWS) * i64(step, COLUMNS)
    for pixel in range(pixels * me // team, pixels * (me + 1) // team):
        front, back, top, bottom, left, right = _window(step, pixel)
        target, first = y + 4 * pixel * channels, x + 4 * ((front * in_rows + top) * in_columns + left) * channels
        for c in range(channels):
            set_f32(target, c, f32(first, c))
        for plane in range(front, back):
            for row in range(top, bottom):
                start = left + 1 if plane == front and row == top else left
                for column in range(start, right):
                    source = x + 4 * ((plane * in_rows + row) * in_columns + column) * channels
                    for c in range(channels):
                        value, largest = f32(source, c), f32(target, c)
                        set_f32(target, c, value if value > largest or largest != largest else largest)


def average_pool(step, me, team):
    """The mean value of each window, clipped to the input; all channels of a cell side by side."""
    x, y, channels = i64(step, X), i64(step, Y), i64(step, CHANNELS)
    in_rows, in_columns = i64(step, IN_ROWS), i64(step, IN_COLUMNS)
    pixels = i64(step, PLANES) * i64(step, ROWS) * i64(step, COLUMNS)
    for pixel in range(pixels * me // team, pixels * (me + 1) // team):
        front, back, top, bottom, left, right = _window(step, pixel)
        target = y + 4 * pixel * channels
        for c in range(channels):
            set_f32(target, c, 0.0)
        for plane in range(front, back):
            for row in range(top, bottom):
                for column in range(left, right):
                    source = x + 4 * ((plane * in_rows + row) * in_columns + column) * channels
                    for c in range(channels):
                        set_f32(target, c, f32(target, c) + f32(source, c))
        cells = (back - front) * (bottom - top) * (right - left)
        for c in range(channels):
            set_f32(target, c, f32(target, c) / cells)


@njit(error_model="numpy", inline="always")
def _window(step, pixel):
    """The first and the end of the planes, rows and columns of the input that output pixel number `pixel` pools."""
    rows, columns = i64(step, ROWS), i64(step, COLUMNS)
    line = pixel // columns
    plane = line // rows
    front, back = _clipped(step, plane, 0)
    top, bottom = _clipped(step, line - plane * rows, 1)
    left, right = _clipped(step, pixel - line * columns, 2)
    return front, back, top, bottom, left, right


@njit(error_model="numpy", inline="always")
def _clipped(step, place, axis):
    """The first and the end of window number `place` along an axis, inside the input."""
    first = place * i64(step, STRIDE_Z + axis) - i64(step, FRONT + axis)
    end, length = first + i64(step, SIZE_Z + axis), i64(step, IN_PLANES + axis)
    return first if first > 0 else 0, end if end < length else length


def max_pool_gradient(step, me, team):
    """Each window's gradient at its first largest value. A member does a share of the channels, of all windows."""
    gradient, y, x, channels = i64(step, X), i64(step, Y), i64(step, POOLED), i64(step, CHANNELS)
    in_rows, in_columns = i64(step, IN_ROWS), i64(step, IN_COLUMNS)
    begin, end = channels * me // team, channels * (me + 1) // team
    _zeros(step, begin, end)
    for pixel in range(i64(step, PLANES) * i64(step, ROWS) * i64(step, COLUMNS)):
        front, back, top, bottom, left, right = _window(step, pixel)
        for c in range(begin, end):
            at = ((front * in_rows + top) * in_columns + left) * channels + c
            largest = f32(x, at)
            for plane in range(front, back):
                for row in range(top, bottom):
                    for column in range(left, right):
                        cell = ((plane * in_rows + row) * in_columns + column) * channels + c
                        value = f32(x, cell)
                        at, largest = (cell, value) if value > largest else (at, largest)
            set_f32(y, at, f32(y, at) + f32(gradient, pixel * channels + c))


def average_pool_gradient(step, me, team):
    """Each window's gradient in equal shares. A member does a share of the channels, of all windows."""
    gradient, y, channels = i64(step, X), i64(step, Y), i64(step, CHANNELS)
    in_rows, in_columns = i64(step, IN_ROWS), i64(step, IN_COLUMNS)
    begin, end = channels * me // team, channels * (me + 1) // team
    _zeros(step, begin, end)
    for pixel in range(i64(step, PLANES) * i64(step, ROWS) * i64(step, COLUMNS)):
        front, back, top, bottom, left, right = _window(step, pixel)
        cells = (back - front) * (bottom - top) * (right - left)
        for plane in range(front, back):
            for row in range(top, bottom):
                for column in range(left, right):
                    target = y + 4 * ((plane * in_rows + row) * in_columns + column) * channels
                    for c in range(begin, end):
                        set_f32(target, c, f32(target, c) + f32(gradient, pixel * channels + c) / cells)


@njit(error_model="numpy", inline="always")
def _zeros(step, begin, end):
    """Zeros in channels begin..end-1 of all cells of a map of the shape of the pool's input."""
    y, channels = i64(step, Y), i64(step, CHANNELS)
    for cell in range(i64(step, IN_PLANES) * i64(step, IN_ROWS) * i64(step, IN_COLUMNS)):
        for c in range(begin, end):
            set_f32(y, cell * channels + c, 0.0)


def global_max_pool(step, me, team):
    """The largest value of each channel, or NaN where there is one."""
    x, y, channels, pixels = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_ROWS)
    for c in range(channels * me // team, channels * (me + 1) // team):
        largest = unordered = f32(x, c)
        for p in range(1, pixels):
            value = f32(x, p * channels + c)
            largest = value if value > largest else largest
            unordered = value if value != value else unordered  # apart: `largest` has to wait for one comparison alone
        set_f32(y, c, unordered if unordered != unordered else largest)


def global_average_pool(step, me, team):
    """The mean value of each channel, summed in float64."""
    x, y, channels, pixels = i64(step, X), i64(step, Y), i64(step, CHANNELS), i64(step, IN_ROWS)
    for c in range(channels * me // team, channels * (me + 1) // team):
        total = 0.0
        for p in range(pixels):
            total += wide(x, p * channels + c)
        set_f32(y, c, total / pixels)


KERNELS: dict[str, Callable[..., Any]] = {
    "f32_max_pool": max_pool,
    "f32_average_pool": average_pool,
    "f32_max_pool_gradient": max_pool_gradient,
    "f32_average_pool_gradient": average_pool_gradient,
    "f32_global_max_pool": global_max_pool,
    "f32_global_average_pool": global_average_pool,
}
