"""A dense layer of few pixels: its weights are read once, by as many blocks as there are parts of it."""

from __future__ import annotations

from numba import cuda, float32

from ..tiles import PART, SUMS
from .base import U, clipped, frame, value

SUMS, PART, LANES = U(SUMS), U(PART), U(256 // SUMS)
SIZE = 256


def dense_parts(x, weights, rest, length, units, pixels, parts, x_frame):
    """Sums of up to PART products for SUMS units: every SUMS neighbouring threads take a row of the weights."""
    shared = cuda.shared.array(SIZE, float32)
    me = U(cuda.threadIdx.x)
    lane, mine = me // SUMS, me % SUMS
    pixel, unit = U(cuda.blockIdx.x) % pixels, U(cuda.blockIdx.x) // pixels * SUMS + mine
    part, first = U(cuda.blockIdx.y), U(cuda.blockIdx.y) * PART
    at = frame(x_frame) + pixel * length
    total = float32(0)
    if unit < units:
        for k in range(U(first + lane), min(U(first + PART), U(length)), LANES):
            total = cuda.fma(x[at + k], weights[U(k) * units + unit], total)
    shared[me] = total
    cuda.syncthreads()
    half = LANES // U(2)
    while half > U(0):
        if lane < half:
            shared[me] += shared[me + half * SUMS]
        cuda.syncthreads()
        half = half // U(2)
    if lane == U(0) and unit < units:
        rest[((U(cuda.blockIdx.z) * pixels + pixel) * parts + part) * units + unit] = shared[me]


def dense_sum(rest, bias, y, count, units, parts, low, high, y_frame):
    """The parts of each unit added up, its bias, and the clipping."""
    i = value()
    if i < count:
        pixel, unit = i // units, i % units
        first = (U(cuda.blockIdx.z) * (count // units) + pixel) * parts
        total = float32(0)
        for part in range(U(0), parts):
            total += rest[(first + U(part)) * units + unit]
        y[frame(y_frame) + i] = clipped(total + bias[unit], low, high)
