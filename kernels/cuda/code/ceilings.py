"""What a GPU can do at most: multiply-adds on registers, and values copied."""

from __future__ import annotations

from numba import cuda, float32

from ..catalog import CHAINS, COPIES, LINKS
from .base import U, value


def ceiling_multiply_adds(y, turns, factor):
    """`turns` times LINKS multiply-adds in each of a thread's CHAINS chains, x = x * factor + factor."""
    sums = cuda.local.array(CHAINS, float32)
    for c in range(CHAINS):
        sums[c] = float32(U(cuda.threadIdx.x)) + float32(c)
    for _ in range(turns):
        for _ in range(LINKS):
            for c in range(CHAINS):
                sums[c] = cuda.fma(sums[c], factor, factor)
    total = float32(0)
    for c in range(CHAINS):
        total += sums[c]
    y[value()] = total


def ceiling_copy(x, y, count):
    """Copies `count` values; a thread has COPIES of them on their way at once."""
    step = U(cuda.blockDim.x)
    first = U(cuda.blockIdx.x) * step * U(COPIES) + U(cuda.threadIdx.x)
    held = cuda.local.array(COPIES, float32)
    if first + U(COPIES - 1) * step < count:
        for i in range(COPIES):
            held[i] = x[first + U(i) * step]
        for i in range(COPIES):
            y[first + U(i) * step] = held[i]
    else:
        for i in range(COPIES):
            if first + U(i) * step < count:
                y[first + U(i) * step] = x[first + U(i) * step]
