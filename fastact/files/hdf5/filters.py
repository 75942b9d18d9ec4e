"""The filters that a chunk went through when it was written, undone: deflate, shuffle, Fletcher's checksum.

HDF5 inflates a chunk to whatever comes out, and only then looks at the size: a megabyte may become a gigabyte. Here
every step is told what size it must come to, and stops there.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from .checksums import fletcher32
from .layout import DEFLATE, FLETCHER32, SHUFFLE, Filter

__all__ = ["FilterError", "largest_stored", "undo"]

_CHECKSUM = 4


class FilterError(ValueError):
    """Says what is wrong with a chunk, as the rest of a sentence about its dataset."""


def largest_stored(filters: Sequence[Filter], size: int) -> int:
    """Return the most bytes that a chunk of `size` bytes can have in the file."""
    for one in filters:
        if one.number == DEFLATE:
            size += size // 1000 + 64  # zlib's own bound on what does not shrink
        elif one.number == FLETCHER32:
            size += _CHECKSUM
    return size


def undo(filters: Sequence[Filter], raw: bytes, size: int) -> bytes:
    """Return the `size` bytes that a chunk holds.

    Args:
        filters: in the order of writing, each of a kind that is read, deflate once at most.
        raw: the chunk as it is in the file.
        size: of the chunk before the first filter.

    Raises:
        FilterError: it comes to another size, or does not agree with its checksum.
    """
    sizes = [size]
    for one in filters:
        sizes.append(sizes[-1] + (_CHECKSUM if one.number == FLETCHER32 else 0))
    for one, inner in zip(reversed(filters), reversed(sizes[:-1]), strict=True):
        if one.number == DEFLATE:
            raw = _inflated(raw, inner)
        elif one.number == SHUFFLE:
            raw = _in_order(raw, one.values[0] if one.values else 0)
        else:
            raw = _checked(raw)
    if len(raw) != size:
        raise FilterError("is not compressed as HDF5 does it")
    return raw


def _inflated(raw: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(raw, size + 1)
    except zlib.error:
        found = b""
    if len(found) != size or not stream.eof:
        raise FilterError("is not compressed as HDF5 does it")
    return found


def _in_order(raw: bytes, itemsize: int) -> bytes:
    """Undo the shuffle, which puts the first bytes of all numbers first, then the second ones."""
    whole = len(raw) - len(raw) % itemsize if itemsize else 0
    if not whole:
        return raw
    numbers = np.frombuffer(raw, dtype=np.uint8, count=whole).reshape(itemsize, -1)
    return bytes(numbers.T.tobytes()) + raw[whole:]


def _checked(raw: bytes) -> bytes:
    if len(raw) < _CHECKSUM or fletcher32(raw[:-_CHECKSUM]) != int.from_bytes(raw[-_CHECKSUM:], "little"):
        raise FilterError("does not agree with its checksum")
    return raw[:-_CHECKSUM]
