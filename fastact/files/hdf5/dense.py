"""Links of a group of HDF5 1.8 and later that has many: in a fractal heap, and indexed by the hash of their names.

Keras writes none, but h5repack and programs that ask for the newest format do. HDF5 File Format Specification,
III.A.2 (version 2 B-trees), III.G (the fractal heap):

    B-tree ──► ... ──► records      hash of the name, the link's place in the heap
    heap   ──► ... ──► blocks       link messages; a table of rows of blocks that double in size from row to row
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from .checksums import lookup3
from .compact import Link, parse_link
from .window import Window

__all__ = ["DenseLinks"]

_MAX_DEPTH = 16
_MAX_RECORDS = 2**12
"""The most of one node; HDF5 has 45."""
_LINKS_BY_NAME = 5
_CHECKSUM = 4
_HASH_BYTES = 4
_DIRECT_HAS_CHECKSUM = 0x02
_PLACE = 0x00
"""The kind of a heap's object that is in one of its blocks."""


class DenseLinks:
    """Links in a heap."""

    def __init__(self, window: Window, heap: int, tree: int) -> None:
        self._window = window
        self._heap = _Heap(window, heap)
        self._tree = _Tree(window, tree)

    def find(self, name: bytes) -> Link | None:
        """See `groups.Links.find`."""
        for record in self._tree.records(lookup3(name)):
            link = parse_link(self._window, self._heap.object(record[_HASH_BYTES:]))
            if link.name == name:
                return link
        return None

    def names(self, most: int) -> list[bytes]:
        """See `groups.Links.names`; sorted, but not the first ones."""
        found = (self._heap.object(record[_HASH_BYTES:]) for record in self._tree.records(None))
        return sorted(parse_link(self._window, body).name for body in islice(found, most))


class _Tree:
    """A version 2 B-tree whose records begin with the hash that they are sorted by."""

    def __init__(self, window: Window, address: int) -> None:
        self._window = window
        fields = window.struct("4sBBIHHBBAHL")
        head = window.read_sound(address, fields.size + _CHECKSUM, "a tree of links")
        found = fields.unpack_from(head)
        signature, version, kind, self._node_size, self._record_size, self._depth = found[:6]
        self._root, self._root_count = found[8:10]
        if (
            (signature, version, kind) != (b"BTHD", 0, _LINKS_BY_NAME)
            or self._depth > _MAX_DEPTH
            or self._record_size <= _HASH_BYTES
        ):
            raise window.damaged("the links of a group in it are not where they should be")
        self._widths = _pointer_widths(self._node_size, self._record_size, self._depth, window.address_bytes)

    def records(self, key: int | None) -> Iterator[bytes]:
        """Yield the records with a hash, or all of them; in order."""
        waiting = [(self._root, self._root_count, self._depth)] if self._root_count else []
        while waiting:
            address, count, depth = waiting.pop()
            records, children = self._node(address, count, depth)
            keys = [int.from_bytes(record[:_HASH_BYTES], "little") for record in records]
            first = 0 if key is None else bisect_left(keys, key)
            last = count if key is None else bisect_right(keys, key)
            yield from records[first:last]
            waiting.extend((*child, depth - 1) for child in children[first : last + 1])

    def _node(self, address: int, count: int, depth: int) -> tuple[list[bytes], list[tuple[int, int]]]:
        """Return a node's records, and address and number of records of each child."""
        window, size = self._window, self._record_size
        count_bytes, total_bytes = self._widths[depth]
        step = window.address_bytes + count_bytes + total_bytes if depth else 0
        end = 6 + count * size + (count + 1) * step
        if end + _CHECKSUM > self._node_size or count > _MAX_RECORDS:
            raise window.damaged("the links of a group in it are more than they can be")
        block = window.read_sound(address, end + _CHECKSUM, "a tree of links")
        if block[:6] != (b"BTIN" if depth else b"BTLF") + bytes((0, _LINKS_BY_NAME)):
            raise window.damaged("the links of a group in it are not where they should be")
        records = [block[at : at + size] for at in range(6, 6 + count * size, size)]
        children = []
        for at in range(6 + count * size, end, step or 1):
            middle = at + window.address_bytes
            child = int.from_bytes(block[at:middle], "little")
            children.append((child, int.from_bytes(block[middle : middle + count_bytes], "little")))
        return records, children


def _pointer_widths(node_size: int, record_size: int, depth: int, address_bytes: int) -> list[tuple[int, int]]:
    """Return for each depth how many bytes have a child's number of records, and that of all below it.

    A node has as many records as its size allows, which decides how wide the numbers are.
    """
    space = node_size - 6 - _CHECKSUM
    most = space // record_size
    count_bytes = _width(most)
    widths, total, total_bytes = [(0, 0)], most, 0
    for _ in range(depth):
        widths.append((count_bytes, total_bytes))
        step = address_bytes + count_bytes + total_bytes
        most = max(space - step, 0) // (record_size + step)
        total = (most + 1) * total + most
        total_bytes = _width(total)
    return widths


def _width(limit: int) -> int:
    """The bytes that numbers up to a limit need."""
    return max(limit.bit_length() - 1, 0) // 8 + 1


class _Block(NamedTuple):
    """A block of blocks: where, where in the heap it begins, and how many rows it has."""

    address: int
    offset: int
    rows: int


class _Heap:
    """A fractal heap without filters, of objects of moderate size."""

    def __init__(self, window: Window, address: int) -> None:
        self._window = window
        self._address = address
        self._sound: set[int] = set()
        fields = window.struct("4sBHHBILALALLLLLLLLHLLHHAH")
        head = window.read_sound(address, fields.size + _CHECKSUM, "a heap of links")
        found = fields.unpack_from(head)
        signature, version, _, filters, flags, most = found[:6]
        numbers: tuple[int, ...] = found[18:]
        self._width, self._start, self._largest, bits, _, self._root, self._rows = numbers
        if (signature, version) != (b"FRHP", 0) or not self._is_sane(bits):
            raise window.damaged("the links of a group in it are not where they should be")
        if filters:
            raise window.problem("cannot be read: it has compressed links; load it with Keras and save it again")
        self._has_checksums = bool(flags & _DIRECT_HAS_CHECKSUM)
        self._offset_bytes = -(-bits // 8)
        self._length_bytes = min((self._largest.bit_length() + 6) // 8, _width(most))
        self._direct_rows = self._largest.bit_length() - self._start.bit_length() + 2

    def object(self, place: bytes) -> bytes:
        """Return the object at a place, as a record of the index names it."""
        window = self._window
        start = 1 + self._offset_bytes
        if place[0] != _PLACE or len(place) < start + self._length_bytes:
            raise window.damaged("a link in it is not where it should be")
        offset = int.from_bytes(place[1:start], "little")
        size = int.from_bytes(place[start : start + self._length_bytes], "little")
        address, first, block_size = self._direct(offset)
        head = 5 + window.address_bytes + self._offset_bytes + (_CHECKSUM if self._has_checksums else 0)
        at = offset - first
        if at < head or at + size > block_size:
            raise window.damaged("a link in it is not where it should be")
        self._check(address, first, block_size, head)
        return window.read(address + at, size)

    def _check(self, address: int, first: int, size: int, head: int) -> None:
        """Compare a block with what it should say of itself, and the first time with its checksum."""
        if address in self._sound:
            return
        block = self._window.read(address, size)
        prefix = b"FHDB\0" + self._of(first)
        if block[: len(prefix)] != prefix:
            raise self._window.damaged("a link in it is not where it should be")
        if self._has_checksums:
            self._window.spend(size // _CHECKSUM)
            found = int.from_bytes(block[head - _CHECKSUM : head], "little")
            if lookup3(block[: head - _CHECKSUM] + bytes(_CHECKSUM) + block[head:]) != found:
                raise self._window.damaged("a heap of links does not agree with its checksum")
        self._sound.add(address)

    def _direct(self, offset: int) -> tuple[int, int, int]:
        """Return address, first offset and size of the block that has an offset."""
        window = self._window
        if not self._rows:
            return self._root, 0, self._start
        block = _Block(self._root, 0, self._rows)
        for _ in range(_MAX_DEPTH):
            row = self._row(offset - block.offset)
            if row >= block.rows:
                break
            size = self._size(row)
            first = self._width * size if row else 0  # where the row begins: what is before it has as much
            column = (offset - block.offset - first) // size
            child = self._child(block, row, column)
            if not window.is_defined(child):
                break
            start = block.offset + first + column * size
            if row < self._direct_rows:
                return child, start, size
            block = _Block(child, start, (size // (self._start * self._width)).bit_length())
        raise window.damaged("a link in it is not where it should be")

    def _child(self, block: _Block, row: int, column: int) -> int:
        window = self._window
        count = block.rows * self._width
        head = 5 + window.address_bytes + self._offset_bytes
        size = head + count * window.address_bytes + _CHECKSUM
        found = window.read_sound(block.address, size, "a heap of links")
        if found[:head] != b"FHIB\0" + self._of(block.offset):
            raise window.damaged("a link in it is not where it should be")
        at = head + (row * self._width + column) * window.address_bytes
        return int.from_bytes(found[at : at + window.address_bytes], "little")

    def _of(self, offset: int) -> bytes:
        """What a block of this heap says of itself."""
        address = self._address.to_bytes(self._window.address_bytes, "little")
        return address + offset.to_bytes(self._offset_bytes, "little")

    def _row(self, offset: int) -> int:
        """The row that an offset is in: rows 0 and 1 have blocks of the first size, each further one twice as large."""
        return (offset // (self._start * self._width)).bit_length()

    def _size(self, row: int) -> int:
        return self._start << max(row - 1, 0)

    def _is_sane(self, bits: int) -> bool:
        powers = all(n and n & (n - 1) == 0 for n in (self._width, self._start, self._largest))
        return (
            powers
            and self._width <= 2**10
            and self._start <= self._largest <= 2**32
            and bits <= 64
            and self._rows <= 64
        )
