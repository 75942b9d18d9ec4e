"""Memory that kernels work in: it begins where a cache line does."""

from __future__ import annotations

import numpy as np

from ..records import dataclass

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""


def aligned(size: int) -> int:
    """`size` bytes, rounded up to whole cache lines."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Memory:
    """Bytes at `address`, aligned."""

    bytes: memoryview
    address: int

    @classmethod
    def of(cls, size: int) -> Memory:
        """`size` new bytes; what lies in them is undefined."""
        array = np.empty(size + ALIGNMENT, np.uint8)
        skip = -array.ctypes.data % ALIGNMENT
        return cls(array[skip : skip + size].data, array.ctypes.data + skip)
