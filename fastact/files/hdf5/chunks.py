"""The chunks of a dataset: where each of them is.

HDF5 File Format Specification, III.A.1 (version 1 B-trees) and VII.A to C (the indexes of HDF5 1.10 that do not
grow). Chunks are numbered along the last axis first, as the numbers in an array are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .layout import Index, Layout
from .window import Window

__all__ = ["Chunk", "chunks_of", "grid_of"]

_MAX_LEVEL = 16
_MAX_ENTRIES = 2**12
"""The most entries of one node; HDF5 has 64 unless it is told otherwise."""
_BY_CHUNK = 1
_CHECKSUM = 4
_UNFILTERED, _FILTERED = 0, 1


class Chunk(NamedTuple):
    """One chunk in the file."""

    number: int
    address: int
    size: int
    """Bytes in the file."""
    mask: int
    """Filters that it skipped, a bit each."""


def grid_of(shape: tuple[int, ...], chunk: tuple[int, ...]) -> tuple[int, ...]:
    """Return how many chunks there are along each axis."""
    return tuple(-(-size // part) for size, part in zip(shape, chunk, strict=True))


def chunks_of(window: Window, layout: Layout, shape: tuple[int, ...]) -> Iterator[Chunk]:
    """Yield the chunks that the file has, at most as many as it can hold structure for.

    Args:
        window: the file.
        layout: chunked, by an index other than OTHER, in chunks of no zero.
        shape: of the whole array, which cannot grow.

    Raises:
        FileError: the index is damaged.
    """
    if not window.is_defined(layout.address):
        return iter(())
    grid = grid_of(shape, layout.chunk)
    size = math.prod(layout.chunk) * layout.itemsize
    if layout.index is Index.TREE:
        return _in_tree(window, layout, grid)
    if layout.index is Index.SINGLE:
        return iter((Chunk(0, layout.address, size if layout.size is None else layout.size, layout.mask),))
    if layout.index is Index.IMPLICIT:
        return (Chunk(number, layout.address + number * size, size, 0) for number in range(math.prod(grid)))
    return _FixedArray(window, layout.address, size).chunks(math.prod(grid))


def _in_tree(window: Window, layout: Layout, grid: tuple[int, ...]) -> Iterator[Chunk]:
    node = window.struct("4sBBHAA")
    key = window.struct("II" + "Q" * (len(grid) + 1))
    pair = window.struct("II" + "Q" * (len(grid) + 1) + "A")
    waiting: list[tuple[int, int | None]] = [(layout.address, None)]
    while waiting:
        address, above = waiting.pop()
        signature, kind, level, count, _, _ = node.unpack(window.read(address, node.size))
        expected = level <= _MAX_LEVEL if above is None else level == above - 1
        if signature != b"TREE" or kind != _BY_CHUNK or count > _MAX_ENTRIES or not expected:
            raise window.damaged("the chunks of an array in it are not where they should be")
        found = pair.iter_unpack(window.read(address + node.size, count * pair.size + key.size)[: count * pair.size])
        if level:
            waiting.extend((child, level) for *_, child in reversed(list(found)))
            continue
        for size, mask, *offsets, child in found:
            if offsets.pop():  # along the bytes of a number
                raise window.damaged("an array in it has a chunk outside of itself")
            yield Chunk(_number(window, offsets, layout.chunk, grid), child, size, mask)


def _number(window: Window, offsets: Sequence[int], chunk: tuple[int, ...], grid: tuple[int, ...]) -> int:
    number = 0
    for offset, part, count in zip(offsets, chunk, grid, strict=True):
        place, rest = divmod(offset, part)
        if rest or place >= count:
            raise window.damaged("an array in it has a chunk outside of itself")
        number = number * count + place
    return number


class _FixedArray:
    """An index with one entry a chunk, in pages if there are many."""

    def __init__(self, window: Window, address: int, chunk_bytes: int) -> None:
        self._window = window
        self._address = address
        self._chunk_bytes = chunk_bytes
        fields = window.struct("4sBBBBLA")
        head = window.read_sound(address, fields.size + _CHECKSUM, "an index of chunks")
        signature, version, self._client, self._width, bits, self._count, self._block = fields.unpack_from(head)
        size_bytes = self._width - window.address_bytes - (4 if self._client == _FILTERED else 0)
        if (
            signature != b"FAHD"
            or version != 0
            or self._client not in (_UNFILTERED, _FILTERED)
            or not (0 < size_bytes <= 8 if self._client == _FILTERED else size_bytes == 0)
        ):
            raise window.damaged("the chunks of an array in it are not where they should be")
        self._page = 1 << bits if bits < 32 else self._count + 1

    def chunks(self, count: int) -> Iterator[Chunk]:
        """Yield the chunks that are there."""
        window = self._window
        if count != self._count or not window.is_defined(self._block):
            return
        for start, block in self._pages():
            for number in range(len(block) // self._width):
                entry = block[number * self._width : (number + 1) * self._width]
                address = int.from_bytes(entry[: window.address_bytes], "little")
                if not window.is_defined(address):
                    continue
                if self._client == _UNFILTERED:
                    yield Chunk(start + number, address, self._chunk_bytes, 0)
                    continue
                size = int.from_bytes(entry[window.address_bytes : -4], "little")
                yield Chunk(start + number, address, size, int.from_bytes(entry[-4:], "little"))

    def _pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number of the first entry, and the bytes, of every run of entries that is there."""
        window, what = self._window, "an index of chunks"
        head = b"FADB" + bytes((0, self._client)) + self._address.to_bytes(window.address_bytes, "little")
        if self._count <= self._page:
            size = len(head) + self._count * self._width
            block = window.read_sound(self._block, size + _CHECKSUM, what)
            found = iter(((0, block[len(head) : size]),))
        else:
            pages = -(-self._count // self._page)
            size = len(head) + -(-pages // 8)
            block = window.read_sound(self._block, size + _CHECKSUM, what)
            found = self._further_pages(block[len(head) : size], self._block + size + _CHECKSUM)
        if block[: len(head)] != head:
            raise window.damaged("the chunks of an array in it are not where they should be")
        return found

    def _further_pages(self, bitmap: bytes, address: int) -> Iterator[tuple[int, bytes]]:
        for number, start in enumerate(range(0, self._count, self._page)):
            size = min(self._page, self._count - start) * self._width
            if bitmap[number // 8] & 0x80 >> number % 8:
                yield start, self._window.read_sound(address, size + _CHECKSUM, "an index of chunks")[:-_CHECKSUM]
            address += self._page * self._width + _CHECKSUM
