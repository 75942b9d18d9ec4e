"""Pools: windows summed up in one value, and what comes back through them. A thread makes one value.

Windows lie over one to three axes; a kernel is told of three: the input's lengths, the output's, the cells of padding
before, the window's size (nz, ny, nx) and its strides (sz, sy, sx). A window is clipped to the input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import U, frame, part, value

ZERO, NAN = np.float32(0), np.float32(np.nan)


@part
def begin(place, stride, before):
    """The first cell of window number `place` along an axis."""
    first = U(place * stride)
    return U(first - before) if first > before else U(0)


@part
def end(place, stride, before, size, length):
    """The end of window number `place` along an axis; it holds a cell at least."""
    last = U(place * stride + size - before)
    return last if last < length else length


@part
def first_window(cell, stride, before, size):
    """The number of the first window along an axis that holds `cell`."""
    reach = U(cell + before)
    return U(U(U(reach - size) // stride) + U(1)) if reach >= size else U(0)


@part
def end_window(cell, stride, before, count):
    """The end of the numbers of windows along an axis that hold `cell`, of `count` windows."""
    last = U(U(U(cell + before) // stride) + U(1))
    return last if last < count else count


@part
def cells(i, planes, rows, columns, channels, y_rows, y_columns, front, top, left, nz, ny, nx, sz, sy, sx):
    """Of output value number i: its channel, and the first and the end of its window's planes, rows and columns."""
    pixel = U(i // channels)
    line = U(pixel // y_columns)
    plane = U(line // y_rows)
    c, at, down = U(i - pixel * channels), U(pixel - line * y_columns), U(line - plane * y_rows)
    z0, z1 = begin(plane, sz, front), end(plane, sz, front, nz, planes)
    r0, r1 = begin(down, sy, top), end(down, sy, top, ny, rows)
    c0, c1 = begin(at, sx, left), end(at, sx, left, nx, columns)
    return c, z0, z1, r0, r1, c0, c1


def pool(nothing: np.float32, take: Callable[[Any, Any], Any], finish: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The kernel that takes a window's values to what it had, at first `nothing`, and makes something of that and their
    number."""
    take, finish = part(take), part(finish)

    def run(
        x, y, count, planes, rows, columns, channels, y_planes, y_rows, y_columns, front, top, left,
        nz, ny, nx, sz, sy, sx, x_frame, y_frame,
    ):  # fmt: skip
        i = value()
        if i < count:
            c, z, z1, r0, r1, c0, c1 = cells(
                i, planes, rows, columns, channels, y_rows, y_columns, front, top, left, nz, ny, nx, sz, sy, sx
            )
            number = U(U(U(z1 - z) * U(r1 - r0)) * U(c1 - c0))
            source, had = frame(x_frame), nothing
            while z < z1:
                r = r0
                while r < r1:
                    cell = U(U(U(z * rows + r) * columns + c0) * channels + c)
                    behind = U(cell + U(c1 - c0) * channels)
                    while cell < behind:
                        had = take(had, x[source + cell])
                        cell = U(cell + channels)
                    r = U(r + U(1))
                z = U(z + U(1))
            y[frame(y_frame) + i] = finish(had, np.float32(number))

    return run


@part
def first_largest(x, source, planes, rows, columns, channels, c, z, z1, r0, r1, c0, c1):
    """The number, in the input, of a window's largest value: of the first, where there are several."""
    at = U(U(U(z * rows + r0) * columns + c0) * channels + c)
    best = x[source + at]
    while z < z1:
        r = r0
        while r < r1:
            cell = U(U(U(z * rows + r) * columns + c0) * channels + c)
            behind = U(cell + U(c1 - c0) * channels)
            while cell < behind:
                if x[source + cell] > best:
                    best, at = x[source + cell], cell
                cell = U(cell + channels)
            r = U(r + U(1))
        z = U(z + U(1))
    return at


@part
def of_largest(i, x, source, gradient, planes, rows, columns, channels, c, z0, z1, r0, r1, c0, c1):
    """What of a window's gradient goes to cell number i: all, if it is the first largest."""
    at = first_largest(x, source, planes, rows, columns, channels, c, z0, z1, r0, r1, c0, c1)
    return gradient if at == i else ZERO


@part
def of_mean(i, x, source, gradient, planes, rows, columns, channels, c, z0, z1, r0, r1, c0, c1):
    """What of a window's gradient goes to cell number i: an equal share."""
    return gradient / np.float32(U(U(U(z1 - z0) * U(r1 - r0)) * U(c1 - c0)))


def pool_gradient(share: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel that gives each cell of the input its shares of the gradients of all windows that hold it.

    They are added up in the order of the windows: each run gives the same bits.
    """

    def run(
        gradient, x, y, count, planes, rows, columns, channels, y_planes, y_rows, y_columns, front, top, left,
        nz, ny, nx, sz, sy, sx, gradient_frame, x_frame, y_frame,
    ):  # fmt: skip
        i = value()
        if i < count:
            pixel = U(i // channels)
            line = U(pixel // columns)
            plane = U(line // rows)
            c, across, down = U(i - pixel * channels), U(pixel - line * columns), U(line - plane * rows)
            z, z_end = first_window(plane, sz, front, nz), end_window(plane, sz, front, y_planes)
            top_window, r_end = first_window(down, sy, top, ny), end_window(down, sy, top, y_rows)
            left_window, c_end = first_window(across, sx, left, nx), end_window(across, sx, left, y_columns)
            source, given, whole = frame(x_frame), frame(gradient_frame), ZERO
            while z < z_end:
                z0, z1 = begin(z, sz, front), end(z, sz, front, nz, planes)
                r = top_window
                while r < r_end:
                    r0, r1 = begin(r, sy, top), end(r, sy, top, ny, rows)
                    w = left_window
                    while w < c_end:
                        c0, c1 = begin(w, sx, left), end(w, sx, left, nx, columns)
                        one = gradient[given + U(U(U(z * y_rows + r) * y_columns + w) * channels + c)]
                        whole += share(i, x, source, one, planes, rows, columns, channels, c, z0, z1, r0, r1, c0, c1)
                        w = U(w + U(1))
                    r = U(r + U(1))
                z = U(z + U(1))
            y[frame(y_frame) + i] = whole

    return run


KERNELS: dict[str, Callable[..., Any]] = {
    # A NaN is never the largest, as in the reference.
    "f32_max_pool": pool(NAN, lambda had, one: one if one > had or had != had else had, lambda had, number: had),
    "f32_average_pool": pool(ZERO, lambda had, one: had + one, lambda had, number: had / number),
    "f32_max_pool_gradient": pool_gradient(of_largest),
    "f32_average_pool_gradient": pool_gradient(of_mean),
}
