"""The two checksums of HDF5: Jenkins's lookup3 over structure, Fletcher's over chunks of data.

lookup3: Bob Jenkins, "lookup3.c, May 2006, Public Domain" (hashlittle with 0 as initial value), which the HDF5 File
Format Specification prescribes. Fletcher: HDF5 adds up big-endian words of 16 bits modulo 65535.
"""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["fletcher32", "lookup3"]

_MASK = 0xFFFFFFFF
_BLOCK = 2**14


def lookup3(data: bytes) -> int:
    """Return the hash of some bytes, 32 bits."""
    count = len(data)
    a = b = c = (0xDEADBEEF + count) & _MASK
    if not count:
        return c
    padded = data + bytes(-count % 12)
    words: tuple[int, ...] = struct.unpack(f"<{len(padded) // 4}I", padded)
    for at in range(0, len(words) - 3, 3):
        a = (a + words[at]) & _MASK
        b = (b + words[at + 1]) & _MASK
        c = (c + words[at + 2]) & _MASK
        a = ((a - c) & _MASK) ^ (c << 4 & _MASK | c >> 28)
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ (a << 6 & _MASK | a >> 26)
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ (b << 8 & _MASK | b >> 24)
        b = (b + a) & _MASK
        a = ((a - c) & _MASK) ^ (c << 16 & _MASK | c >> 16)
        c = (c + b) & _MASK
        b = ((b - a) & _MASK) ^ (a << 19 & _MASK | a >> 13)
        a = (a + c) & _MASK
        c = ((c - b) & _MASK) ^ (b << 4 & _MASK | b >> 28)
        b = (b + a) & _MASK
    a = (a + words[-3]) & _MASK
    b = (b + words[-2]) & _MASK
    c = (c + words[-1]) & _MASK
    c = ((c ^ b) - (b << 14 & _MASK | b >> 18)) & _MASK
    a = ((a ^ c) - (c << 11 & _MASK | c >> 21)) & _MASK
    b = ((b ^ a) - (a << 25 & _MASK | a >> 7)) & _MASK
    c = ((c ^ b) - (b << 16 & _MASK | b >> 16)) & _MASK
    a = ((a ^ c) - (c << 4 & _MASK | c >> 28)) & _MASK
    b = ((b ^ a) - (a << 14 & _MASK | a >> 18)) & _MASK
    return ((c ^ b) - (b << 24 & _MASK | b >> 8)) & _MASK


def fletcher32(data: bytes) -> int:
    """Return the checksum of some bytes, 32 bits."""
    words = np.frombuffer(data + bytes(len(data) % 2), dtype=">u2")
    first, second = 0, 0
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK].astype(np.uint64)
        weights = np.arange(len(block), 0, -1, dtype=np.uint64)
        # Every sum of a block so far counts once for each word that follows.
        second += first * len(block) + int(np.dot(block, weights))
        first += int(block.sum())
    return _folded(second) << 16 | _folded(first)


def _folded(total: int) -> int:
    """A sum modulo 65535 as adding with carry has it: 65535, not 0, unless all was 0."""
    rest = total % 65535
    return 65535 if total and not rest else rest
