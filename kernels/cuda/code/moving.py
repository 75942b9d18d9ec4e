"""Values moved."""

from __future__ import annotations

import numpy as np

from .base import U, frame, value

ZERO = np.float32(0)


def u8_f32_scale(x, y, count, divisor, x_frame, y_frame):
    """Bytes to floats, each divided by `divisor`."""
    i = value()
    if i < count:
        y[frame(y_frame) + i] = np.float32(x[frame(x_frame) + i]) / divisor


def f32_copy(x, y, count, n1, n2, x_start, x0, x1, x2, y_start, y0, y1, y2, x_frame, y_frame):
    """A box of values along three axes, x0 to x2 and y0 to y2 floats apart.

    A step back is its number below 2**32: sums come out right, since indices wrap.
    """
    i = value()
    if i < count:
        row = U(i // n2)
        a2, a1, a0 = U(i - row * n2), U(row % n1), U(row // n1)
        source = U(x_start + a0 * x0 + a1 * x1 + a2 * x2)
        target = U(y_start + a0 * y0 + a1 * y1 + a2 * y2)
        y[frame(y_frame) + target] = x[frame(x_frame) + source]


def f32_copy_5(x, y, count, n1, n2, n3, n4, x_start, x0, x1, x2, x3, x4, y_start, y0, y1, y2, y3, y4, x_frame, y_frame):
    """As f32_copy along five axes."""
    i = value()
    if i < count:
        row = U(i // n4)
        plane = U(row // n3)
        cube = U(plane // n2)
        a4, a3, a2, a1, a0 = U(i - row * n4), U(row - plane * n3), U(plane - cube * n2), U(cube % n1), U(cube // n1)
        source = U(x_start + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4)
        target = U(y_start + a0 * y0 + a1 * y1 + a2 * y2 + a3 * y3 + a4 * y4)
        y[frame(y_frame) + target] = x[frame(x_frame) + source]


def f32_pad(x, y, count, planes, rows, run, y_planes, y_rows, y_run, front, top, left, x_frame, y_frame):
    """Maps of planes x rows x run floats in a frame of zeros that makes them y_planes x y_rows x y_run."""
    i = value()
    if i < count:
        line = U(i // y_run)
        sheet = U(line // y_rows)
        number = U(sheet // y_planes)
        # Below the first one a number wraps to a large one, which lies outside as well.
        at, row, plane = (
            U(i - line * y_run - left),
            U(line - sheet * y_rows - top),
            U(sheet - number * y_planes - front),
        )
        inside = at < run and row < rows and plane < planes
        source = U(((number * planes + plane) * rows + row) * run + at)
        y[frame(y_frame) + i] = x[frame(x_frame) + source] if inside else ZERO
