"""What kernels share."""

from __future__ import annotations

import numpy as np
from numba import config, cuda

__all__ = ["FOUR_FLOATS", "U", "clipped", "frame", "part", "value"]

part = cuda.jit(device=True)
"""Makes a function one that kernels can call."""

FOUR_FLOATS = None if config.ENABLE_CUDASIM else 16
"""The alignment of shared memory of which four floats are read at once; the simulator knows no alignment."""

U = np.uint32
"""An index."""


@part
def value():
    """The number of this thread among all of its frame."""
    return U(U(cuda.blockIdx.x) * U(cuda.blockDim.x) + U(cuda.threadIdx.x))


@part
def frame(stride):
    """Where this block's frame begins in a region whose frames lie `stride` items apart."""
    return np.uint64(cuda.blockIdx.z) * stride


@part
def clipped(total, low, high):
    """`total` within low..high; NaN stays."""
    total = low if total < low else total
    return high if total > high else total
