"""Convolutions of each channel by itself: a thread for each value, channels fastest."""

from __future__ import annotations

from numba import cuda, float32

from .base import U, clipped, frame, value
from .convolution import seen


def depthwise(
    x, starts, cells, weights, bias, y, count, taps, filters, multiplier, low, high, height, width, top, left,
    x_frame, y_frame,
):  # fmt: skip
    """Nothing around the input."""
    i = value()
    if i < count:
        pixel, filter = U(i) // filters, U(i) % filters
        at = frame(x_frame) + U(starts[pixel]) + filter // multiplier
        total = float32(0)
        for tap in range(U(0), taps):
            total = cuda.fma(x[at + U(cells[tap])], weights[U(tap) * filters + filter], total)
        y[frame(y_frame) + i] = clipped(total + bias[filter], low, high)


def depthwise_padded(
    x, starts, cells, weights, bias, y, count, taps, filters, multiplier, low, high, height, width, top, left,
    x_frame, y_frame,
):  # fmt: skip
    """Zeros around the input: starts and cells come with their places, the row in the upper 16 bits."""
    i = value()
    if i < count:
        pixel, filter = U(i) // filters, U(i) % filters
        start, place = U(starts[U(2) * pixel]), U(starts[U(2) * pixel + U(1)])
        at = frame(x_frame) + filter // multiplier
        total = float32(0)
        for tap in range(U(0), taps):
            there = U(place + U(cells[U(2) * tap + U(1)]))
            if seen(there, height, width, top, left):
                cell = U(start + U(cells[U(2) * tap]))
                total = cuda.fma(x[at + cell], weights[U(tap) * filters + filter], total)
        y[frame(y_frame) + i] = clipped(total + bias[filter], low, high)
