"""Operations that move values: bytes to floats, copies, padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fields import (
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
    TOP,
    X_STRIDE,
    Y_STRIDE,
    X,
    Y,
)
from .simd import bits_f32, f32, fma, i64, set_f32, u8

ONE = 0x3F800000
"""1.0 as a float32's bits: a literal would be a float64."""


def from_bytes(step, me, team):
    """y = x / divisor, rounded as a division is, without one: they are several times as slow as what stands here.

    The quotient from the divisor's inverse is off by a rounding or two; the remainder, which a fused multiply-add gives
    exactly, corrects it (Markstein, 1990).
    """
    x, y, count, divisor = i64(step, X), i64(step, Y), i64(step, COUNT), bits_f32(i64(step, PARAMETERS))
    inverse = bits_f32(ONE) / divisor
    for i in range(count * me // team, count * (me + 1) // team):
        value = u8(x, i)
        quotient = value * inverse
        set_f32(y, i, fma(fma(-quotient, divisor, value), inverse, quotient))


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


KERNELS: dict[str, Callable[..., Any]] = {
    "u8_f32_scale": from_bytes,
    "f32_copy": copy,
    "f32_nhwc_pad": pad,
}
