"""Convolutions of each channel by itself: a thread for each value, channels fastest."""

from __future__ import annotations

from numba import cuda, float32

from .base import U, clipped, frame, value
from .convolution import seen


def each_channel(padded):
    """The convolution of an input with nothing around it, or, where it is `padded`, with zeros.

    Starts and cells of a padded one come with their places, the row in the upper 16 bits.
    """
    item = U(2 if padded else 1)

    def kernel(
        x, starts, cells, weights, bias, y, count, taps, filters, multiplier, low, high, height, width, top, left,
        x_frame, y_frame,
    ):  # fmt: skip
        i = value()
        if i < count:
            pixel, filter = U(i) // filters, U(i) % filters
            start = U(starts[item * pixel])
            place = U(starts[item * pixel + U(1)]) if padded else U(0)
            at = frame(x_frame) + filter // multiplier
            total = float32(0)
            for tap in range(U(0), taps):
                there = U(place + U(cells[item * tap + U(1)])) if padded else U(0)
                if not padded or seen(there, height, width, top, left):
                    cell = U(start + U(cells[item * tap]))
                    total = cuda.fma(x[at + cell], weights[U(tap) * filters + filter], total)
            y[frame(y_frame) + i] = clipped(total + bias[filter], low, high)

    return kernel


KERNELS = {"depthwise": each_channel(padded=False), "depthwise_padded": each_channel(padded=True)}
