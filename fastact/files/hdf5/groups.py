"""Links of a group, looked up by name.

HDF5 File Format Specification, III.A.1, III.B to D, and IV.A.2.c, g and r. A group of before HDF5 1.8, which is what
Keras writes, has its links in a tree, sorted by name; a newer one has some in its header, or all in a heap:

    symbol table ──► B-tree ──► ... ──► symbol nodes     the name's place in the heap, the object's header
                └──► local heap ──► names
    link, link, link                                     compact.py
    link info    ──► dense.py
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from .compact import CompactLinks, Link
from .headers import LINK, LINK_INFO, SHARED, SYMBOL_TABLE, Header, Message
from .window import Window

__all__ = ["Links", "is_group", "links_of"]

_MAX_LEVEL = 16
_MAX_ENTRIES = 2**12
"""The most entries of one node; HDF5 has 32 unless it is told otherwise."""
_LONGEST_SHOWN = 1024
_NAMES_AT_ONCE = 2**15
_SOFT = 2
"""The kind of an entry without an object."""


class Links(Protocol):
    """The links of a group, however it has them."""

    def find(self, name: bytes) -> Link | None:
        """Return the link of that name; None where there is none."""
        ...

    def names(self, most: int) -> list[bytes]:
        """Return the names of up to `most` links."""
        ...


def is_group(header: Header) -> bool:
    """Whether an object is a group."""
    return header.first(SYMBOL_TABLE) is not None or header.first(LINK_INFO) is not None


def links_of(window: Window, header: Header) -> Links:
    """Return the links of a group.

    Raises:
        FileError: they are damaged, or stored in a way that is not read.
        struct.error: a message is cut short.
    """
    table = header.first(SYMBOL_TABLE)
    if table is not None:
        return TreeLinks(window, *_plain(window, table, "AA"))
    info = header.first(LINK_INFO)
    if info is None:
        raise window.damaged("a group in it has no links")
    version, flags = info.body[:2]
    heap, tree = window.struct("AA").unpack_from(info.body, 10 if flags & 1 else 2)
    if version != 0 or info.flags & SHARED:
        raise window.damaged("the links of a group in it have an unknown version")
    if window.is_defined(heap):
        from .dense import DenseLinks  # which Keras never writes

        return DenseLinks(window, heap, tree)
    return CompactLinks(window, [message.body for message in header.bodies(LINK)])


def _plain(window: Window, message: Message, fields: str) -> tuple[int, ...]:
    if message.flags & SHARED:
        raise window.damaged("the links of a group in it are shared with another")
    return window.struct(fields).unpack_from(message.body)


class TreeLinks:
    """Links in a tree, as before HDF5 1.8."""

    def __init__(self, window: Window, tree: int, heap: int) -> None:
        self._window = window
        self._tree = tree
        self._node = window.struct("4sBBHAA")
        self._symbol_node = struct.Struct("<4sBxH")
        self._entry = window.struct("LAII16x")
        fields = window.struct("4sB3xLLA")
        signature, version, size, _, self._names_at = fields.unpack(window.read(heap, fields.size))
        if signature != b"HEAP" or version != 0 or not window.holds(self._names_at, size):
            raise window.damaged("the names in a group are not where they should be")
        self._names_size: int = size
        self._names = window.read(self._names_at, min(size, _NAMES_AT_ONCE))

    def find(self, name: bytes) -> Link | None:
        """See `Links.find`."""
        address, level = self._tree, None
        while level != 0:
            level, keys, children = self._tree_node(address, level)
            # A child has the names from the key before it, exclusive, to the key after it, inclusive.
            at = bisect_left(keys, name, 1, len(keys), key=lambda key: self._start_of_name(key, len(name) + 1))
            if at > len(children):
                return None
            address = children[at - 1]
        entries = list(self._entries(address))
        at = bisect_left(entries, name, key=lambda entry: self._start_of_name(entry[0], len(name) + 1))
        if at == len(entries) or self._start_of_name(entries[at][0], len(name) + 1) != name:
            return None
        _, header, kind, _ = entries[at]
        return Link(name, None if kind == _SOFT else header)

    def names(self, most: int) -> list[bytes]:
        """See `Links.names`; sorted."""
        return [self._start_of_name(offset, _LONGEST_SHOWN) for offset in islice(self._offsets(), most)]

    def _offsets(self) -> Iterator[int]:
        """Yield where the names of all links are, in order."""
        waiting: list[tuple[int, int | None]] = [(self._tree, None)]
        while waiting:
            address, above = waiting.pop()
            if above == 0:
                yield from (entry[0] for entry in self._entries(address))
                continue
            level, _, children = self._tree_node(address, above)
            waiting.extend((child, level) for child in reversed(children))

    def _tree_node(self, address: int, above: int | None) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Return a node's level, the keys around its children, and its children; `above` is its parent's level."""
        signature, kind, level, count, _, _ = self._node.unpack(self._window.read(address, self._node.size))
        expected = level <= _MAX_LEVEL if above is None else level == above - 1
        if signature != b"TREE" or kind != 0 or count > _MAX_ENTRIES or not expected:
            raise self._window.damaged("the links of a group in it are not where they should be")
        fields = self._window.struct("L" + "AL" * count)
        found = fields.unpack(self._window.read(address + self._node.size, fields.size))
        return level, found[::2], found[1::2]

    def _entries(self, address: int) -> Iterator[tuple[int, ...]]:
        """Yield name's place, header, kind and a reserved field of every link in a symbol node."""
        signature, version, count = self._symbol_node.unpack(self._window.read(address, self._symbol_node.size))
        if signature != b"SNOD" or version != 1 or count > _MAX_ENTRIES:
            raise self._window.damaged("the links of a group in it are not where they should be")
        block = self._window.read(address + self._symbol_node.size, count * self._entry.size)
        return self._entry.iter_unpack(block)

    def _start_of_name(self, offset: int, most: int) -> bytes:
        """Return a name, or `most` bytes of it: enough to compare it with a shorter one."""
        if offset >= self._names_size:
            raise self._window.damaged("a name in a group is not where it should be")
        end = min(offset + most, self._names_size)
        if end <= len(self._names):
            return self._names[offset:end].partition(b"\0")[0]
        return self._window.read(self._names_at + offset, end - offset).partition(b"\0")[0]
