"""How many bytes an attribute's strings of variable length take, before HDF5 reads them.

Keras's attributes are such strings: the attribute holds only references into the file's global heap, each
with a length. HDF5 offers no way to ask for the lengths and allocates what they say, so a list of sixty
kilobytes may refer four thousand times to one string of sixteen megabytes. This module reads the references
themselves, by the HDF5 File Format Specification, version 3.0 (III.E The Global Heap, IV.A Data Object
Headers, IV.A.2.m The Attribute Message):

    object header ──► messages ──► attribute message ──► references ──► global heap collection
    version 1 or 2    0x10 leads    0x0C                  length, where   the object's own size
                      to more

It also compares each length with the heap's own, so that memory allocated by the one is never filled by the
other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import h5py

from .source import Source

__all__ = ["StoredStringError", "StringSizes"]

_MAX_HEADER_BYTES = 2**23
_MAX_BLOCKS = 4096
_MAX_HEAP_OBJECTS = 2**17

_ATTRIBUTE, _CONTINUATION, _ATTRIBUTE_INFO = 0x0C, 0x10, 0x15
_SHARED = 0x02


class StoredStringError(ValueError):
    """The references are not where Keras's files have them, or do not agree with the heap."""


class StringSizes:
    """Looks up the sizes of strings in one open file."""

    def __init__(self, source: Source, file: h5py.File) -> None:
        creation = file.id.get_create_plist()
        self._source = source
        self._base = int(creation.get_userblock())
        self._address_bytes, self._length_bytes = (int(n) for n in creation.get_sizes())
        self._heaps: dict[int, dict[int, int]] = {}

    def total(self, address: int, name: bytes, count: int) -> int:
        """Return the bytes of all strings of an attribute.

        Args:
            address: of the object header of the attribute's owner.
            name: the attribute's.
            count: how many strings it holds.

        Raises:
            StoredStringError: they cannot be found, or a reference does not agree with the heap.
        """
        found = list(self._attributes(address, name))
        if len(found) != 1:
            raise StoredStringError(f"the attribute {name.decode()} is stored in an unusual way")
        step = 4 + self._address_bytes + 4
        if len(found[0]) < count * step:
            raise StoredStringError(f"the attribute {name.decode()} is shorter than it says")
        total = 0
        for start in range(0, count * step, step):
            length = int.from_bytes(found[0][start : start + 4], "little")
            heap = int.from_bytes(found[0][start + 4 : start + 4 + self._address_bytes], "little")
            index = int.from_bytes(found[0][start + step - 4 : start + step], "little")
            if heap and self._heap(heap).get(index) != length:
                raise StoredStringError(f"a string of the attribute {name.decode()} is not where it should be")
            total += length if heap else 0
        return total

    def _attributes(self, address: int, name: bytes) -> Iterator[bytes]:
        """Yield the data of every attribute message of that name."""
        for kind, flags, body in self._messages(address):
            if kind == _ATTRIBUTE_INFO:
                start = 4 if body[1] & 1 else 2
                heap = body[start : start + self._address_bytes]
                if heap != b"\xff" * self._address_bytes:
                    raise StoredStringError("its attributes are in a fractal heap, where Keras has none")
            if kind != _ATTRIBUTE:
                continue
            if flags & _SHARED:
                raise StoredStringError("an attribute is shared between objects")
            version, _, name_size, type_size, space_size = struct.unpack_from("<BBHHH", body)
            if version not in (1, 2, 3):
                raise StoredStringError("an attribute has an unknown version")
            start = 9 if version == 3 else 8
            sizes = [name_size, type_size, space_size]
            if version == 1:
                sizes = [-(-size // 8) * 8 for size in sizes]
            if body[start : start + name_size].split(b"\0")[0] == name:
                yield body[start + sum(sizes) :]

    def _messages(self, address: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield type, flags and body of every message of an object header, in all its blocks."""
        head = self._bytes(address, 32)
        if head[:4] == b"OHDR":
            flags = head[5]
            start = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            size = int.from_bytes(self._bytes(address + start, width), "little")
            start += width
            message = struct.Struct("<BHBH" if flags & 0x04 else "<BHB")
        elif head[0] == 1:
            size, start = int.from_bytes(head[8:12], "little"), 16
            message = struct.Struct("<HHB3x")
        else:
            raise StoredStringError("an object header has an unknown version")
        blocks = [(address + start, size)]
        left = _MAX_HEADER_BYTES
        for number in range(_MAX_BLOCKS):
            if number == len(blocks):
                return
            left -= blocks[number][1]
            if left < 0:
                break
            block = self._bytes(*blocks[number])
            for kind, flags, body in _in_block(block, message):
                if kind == _CONTINUATION:
                    blocks.append(self._continuation(body, message.size != 8))
                yield kind, flags, body
        raise StoredStringError("an object header is too large")

    def _continuation(self, body: bytes, has_signature: bool) -> tuple[int, int]:
        """Return address and size of the messages in a further block."""
        address = int.from_bytes(body[: self._address_bytes], "little")
        size = int.from_bytes(body[self._address_bytes : self._address_bytes + self._length_bytes], "little")
        if not has_signature:
            return address, size
        if self._bytes(address, 4) != b"OCHK" or size < 8:
            raise StoredStringError("an object header is damaged")
        return address + 4, size - 8

    def _heap(self, address: int) -> dict[int, int]:
        """Return the size of each object of a global heap collection."""
        if address in self._heaps:
            return self._heaps[address]
        head = self._bytes(address, 8 + self._length_bytes)
        if head[:5] != b"GCOL\x01":
            raise StoredStringError("the strings' heap is damaged")
        end = address + int.from_bytes(head[8:], "little")
        position = address + -(-len(head) // 8) * 8
        step = 8 + self._length_bytes
        sizes: dict[int, int] = {}
        while position + step <= end:
            entry = self._bytes(position, step)
            index, size = int.from_bytes(entry[:2], "little"), int.from_bytes(entry[8:], "little")
            if index == 0:  # the free space, to the end; HDF5 never returns from a heap where it has no size
                if position + size != end:
                    raise StoredStringError("the strings' heap is damaged")
                break
            if index in sizes or len(sizes) >= _MAX_HEAP_OBJECTS or position + step + size > end:
                raise StoredStringError("the strings' heap is damaged")
            sizes[index] = size
            position += -(-step // 8) * 8 + -(-size // 8) * 8
        self._heaps[address] = sizes
        return sizes

    def _bytes(self, address: int, size: int) -> bytes:
        if address > 2**62 or size > _MAX_HEADER_BYTES:
            raise StoredStringError("an address is beyond the end of the file")
        found = self._source.read(self._base + address, size)
        if len(found) < size and not (size == 32 and len(found) >= 16):
            raise StoredStringError("an address is beyond the end of the file")
        return found


def _in_block(block: bytes, message: struct.Struct) -> Iterator[tuple[int, int, bytes]]:
    position = 0
    while position + message.size <= len(block):
        kind, size, flags = message.unpack_from(block, position)[:3]
        position += message.size
        if position + size > len(block):
            raise StoredStringError("an object header is damaged")
        yield kind, flags, block[position : position + size]
        position += size
