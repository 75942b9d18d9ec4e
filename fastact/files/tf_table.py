"""Sorted string tables, the format of a bundle's index: keys and values in blocks, LevelDB's layout.

    block …  data blocks: keys and values, sorted, each key without what it shares with the one before
    block    the index: for each data block a handle, where it is
    footer   48 bytes: handles of a block that TensorFlow leaves empty and of the index, zeros, a magic number

A block is followed by a byte that says whether it is compressed and by its masked CRC-32C. It ends with the offsets
of the keys that are written in full, which a search would jump to: here everything is read in order, and they are
only held against what was read.
"""

from __future__ import annotations

from collections.abc import Iterator

from .tf_crc import crc32c, masked
from .tf_proto import DamageError, varint

__all__ = ["MAX_BYTES", "read"]

MAX_BYTES = 16 * 2**20
"""A bundle's index has some 60 bytes a variable."""
_MOST_KEYS = 100_000
_LONGEST_KEY = 4096
_MOST_KEY_BYTES = 16 * 2**20
"""Of all keys together, which a table can claim many times over by prefixes."""
_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57
_TRAILER = 5


def read(data: memoryview) -> dict[bytes, memoryview]:
    """All keys of a table with their values, in order.

    Raises:
        DamageError: it is no table, not sound, compressed or beyond a bound.
    """
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise DamageError("does not end as an index of variables does")
    footer, end = data[-_FOOTER:-8], len(data) - _FOOTER
    _, _, at = _handle(footer, 0)
    index_start, index_size, _ = _handle(footer, at)
    found: dict[bytes, memoryview] = {}
    last, key_bytes, data_end = None, 0, 0
    for _, handle in _entries(_block(data, index_start, index_size, end)):
        start, size, _ = _handle(handle, 0)
        if start < data_end:
            raise DamageError("has blocks that lie over one another")
        data_end = start + size
        for key, value in _entries(_block(data, start, size, end)):
            if last is not None and key <= last:
                raise DamageError("has keys that are not in order")
            found[key] = value
            last = key
            key_bytes += len(key)
            if len(found) > _MOST_KEYS or key_bytes > _MOST_KEY_BYTES:
                raise DamageError(
                    f"holds more than the {_MOST_KEYS} keys or the {_MOST_KEY_BYTES} bytes of keys that are read"
                )
    return found


def _handle(data: memoryview, at: int) -> tuple[int, int, int]:
    """Where a block starts, how many bytes it has without its trailer, and where the handle ends."""
    start, at = varint(data, at)
    size, at = varint(data, at)
    return start, size, at


def _block(data: memoryview, start: int, size: int, end: int) -> memoryview:
    """A block's bytes; all blocks lie before `end`."""
    if start + size + _TRAILER > end:
        raise DamageError("has a block that lies outside the file")
    block, kind = data[start : start + size], data[start + size]
    stored = int.from_bytes(data[start + size + 1 : start + size + _TRAILER], "little")
    if masked(crc32c(data[start : start + size + 1])) != stored:
        raise DamageError("has a block whose check sum is wrong")
    if kind:
        raise DamageError("is compressed, which TensorFlow does not do when it saves a model")
    return block


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    if len(block) < 4:
        raise DamageError("has a block that is cut short")
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise DamageError("has a block that is cut short")
    at, key, in_full, body = 0, b"", {0}, block[:end]
    while at < end:
        start = at
        shared, at = varint(body, at)
        own, at = varint(body, at)
        size, at = varint(body, at)
        if shared > len(key) or shared + own > _LONGEST_KEY or at + own + size > end:
            raise DamageError("has a key or a value that is longer than it can be")
        if not shared:
            in_full.add(start)
        key = key[:shared] + bytes(body[at : at + own])
        yield key, body[at + own : at + own + size]
        at += own + size
    for place in range(end, len(block) - 4, 4):
        if int.from_bytes(block[place : place + 4], "little") not in in_full:
            raise DamageError("has a block whose restarts point between its keys")
