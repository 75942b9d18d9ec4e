"""Operations that move values: bytes to floats, copies, padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fields import (
    BOX,
    CHANNELS,
    COLUMNS,
    COUNT,
    FRONT,
    IN_COLUMNS,
    IN_PLANES,
    IN_ROWS,
    LEFT,
    MAPS,
    PARAMETERS,
    PLANES,
    ROWS,
    TOP,
    X_STEPS,
    Y_STEPS,
    X,
    Y,
)  # fmt: skip
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
    """A box of values from one place with strides to another; its fifth axis is the inner loop."""
    n1, n2, n3, length = i64(step, BOX + 1), i64(step, BOX + 2), i64(step, BOX + 3), i64(step, BOX + 4)
    x_step, y_step = i64(step, X_STEPS + 4), i64(step, Y_STEPS + 4)
    values = i64(step, BOX) * n1 * n2 * n3 * length
    done, end = values * me // team, values * (me + 1) // team
    run = done // length
    start = done - run * length
    i2 = run // n3
    i1 = i2 // n2
    i0 = i1 // n1
    i1, i2, i3 = i1 - i0 * n1, i2 - i1 * n2, run - i2 * n3
    while done < end:
        source, target = i64(step, X) + 4 * start * x_step, i64(step, Y) + 4 * start * y_step
        source += 4 * (i0 * i64(step, X_STEPS) + i1 * i64(step, X_STEPS + 1))
        source += 4 * (i2 * i64(step, X_STEPS + 2) + i3 * i64(step, X_STEPS + 3))
        target += 4 * (i0 * i64(step, Y_STEPS) + i1 * i64(step, Y_STEPS + 1))
        target += 4 * (i2 * i64(step, Y_STEPS + 2) + i3 * i64(step, Y_STEPS + 3))
        count = length - start
        if count > end - done:
            count = end - done
        if x_step == 1 and y_step == 1:
            for i in range(count):
                set_f32(target, i, f32(source, i))
        else:
            for i in range(count):
                set_f32(target, i * y_step, f32(source, i * x_step))
        done, start, i3 = done + count, 0, i3 + 1
        if i3 == n3:
            i3, i2 = 0, i2 + 1
            if i2 == n2:
                i2, i1 = 0, i1 + 1
                if i1 == n1:
                    i1, i0 = 0, i0 + 1


def pad(step, me, team):
    """The input in a frame of zeros, row by row of the output."""
    x, y, channels = i64(step, X), i64(step, Y), i64(step, CHANNELS)
    in_rows, in_run, run = i64(step, IN_ROWS), i64(step, IN_COLUMNS) * channels, i64(step, COLUMNS) * channels
    rows, left = i64(step, ROWS), i64(step, LEFT) * channels
    in_planes, planes = i64(step, IN_PLANES), i64(step, PLANES)
    lines = i64(step, MAPS) * planes * rows
    for line in range(lines * me // team, lines * (me + 1) // team):
        plane = line // rows
        one = plane // planes
        row, plane = line - plane * rows - i64(step, TOP), plane - one * planes - i64(step, FRONT)
        target, source = y + 4 * line * run, x + 4 * ((one * in_planes + plane) * in_rows + row) * in_run
        if row < 0 or row >= in_rows or plane < 0 or plane >= in_planes:
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
    "f32_pad": pad,
}
