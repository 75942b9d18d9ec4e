"""Where a dataset's numbers are, and the filters that they went through.

HDF5 File Format Specification, IV.A.2.i and l.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import NamedTuple

from ...kernels.records import dataclass
from .headers import EXTERNAL_FILES, FILTERS, LAYOUT, SHARED, Header, Message
from .window import Window

__all__ = ["DEFLATE", "FLETCHER32", "SHUFFLE", "Filter", "Index", "Kind", "Layout", "layout_of"]

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)
_EDGES_ARE_PLAIN, _SINGLE_IS_FILTERED = 0x01, 0x02
_FIRST_WITH_NAME = 256
_MAX_FILTERS = 32
_MAX_RANK = 33


class Kind(Enum):
    """How the numbers are stored."""

    WHOLE = "in one piece"
    CHUNKED = "in chunks"
    VIRTUAL = "in other datasets"
    EXTERNAL = "in other files"


class Index(Enum):
    """How the chunks are found."""

    TREE = "a B-tree"
    SINGLE = "a single chunk"
    IMPLICIT = "one after the other"
    FIXED_ARRAY = "a fixed array"
    OTHER = "an array or a tree that can grow"


class Filter(NamedTuple):
    """One filter of a pipeline: its number, and what it was told."""

    number: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """A dataset's storage."""

    kind: Kind
    filters: tuple[Filter, ...]
    """In the order of writing."""
    address: int = 0
    """Of the numbers, or of the chunks' index; may be undefined."""
    size: int | None = 0
    """Bytes in the file, of the single chunk if there is one; None where the shape says it."""
    chunk: tuple[int, ...] = ()
    """A chunk's shape."""
    itemsize: int = 0
    """Bytes of one number, as the chunks have it."""
    index: Index = Index.TREE
    mask: int = 0
    """Filters that the single chunk skipped."""
    edges_are_plain: bool = False
    """Whether chunks that reach beyond the shape skip all filters."""


def layout_of(window: Window, header: Header) -> Layout:
    """Return the storage of a dataset.

    Raises:
        FileError: it is damaged, or of an unknown version.
        struct.error: a message is cut short.
    """
    message = header.first(LAYOUT)
    if message is None or message.flags & SHARED:
        raise window.damaged("an array in it is nowhere")
    filters = _filters(window, header.first(FILTERS))
    if header.first(EXTERNAL_FILES) is not None:
        return Layout(Kind.EXTERNAL, filters)
    version = message.body[0]
    if version in (1, 2):
        return _before_1_6_3(window, message, filters)
    if version not in (3, 4):
        raise window.problem(
            f"cannot be read: an array in it has a layout of version {version}, where fastact reads 1 to 4; load it "
            "with Keras and save it again"
        )
    kind = message.body[1]
    if kind == _COMPACT:
        return _in_header(window, message, 4, int.from_bytes(message.body[2:4], "little"), filters)
    if kind == _CONTIGUOUS:
        return Layout(Kind.WHOLE, filters, *window.struct("AL").unpack_from(message.body, 2))
    if kind == _CHUNKED:
        return _chunked_3(window, message.body, filters) if version == 3 else _chunked_4(window, message.body, filters)
    if kind == _VIRTUAL and version == 4:
        return Layout(Kind.VIRTUAL, filters)
    raise window.damaged("an array in it is laid out in an unknown way")


def _in_header(window: Window, message: Message, at: int, size: int, filters: tuple[Filter, ...]) -> Layout:
    if at + size > len(message.body):
        raise window.damaged("an array in it is longer than its header")
    return Layout(Kind.WHOLE, filters, message.address + at, size)


def _before_1_6_3(window: Window, message: Message, filters: tuple[Filter, ...]) -> Layout:
    """Versions 1 and 2, in which a contiguous array's size follows from its shape."""
    rank, kind = message.body[1:3]
    (address,) = (0,) if kind == _COMPACT else window.struct("A").unpack_from(message.body, 8)
    at = 8 if kind == _COMPACT else 8 + window.address_bytes
    if kind == _COMPACT:
        (size,) = struct.unpack_from("<I", message.body, at + 4 * rank)
        return _in_header(window, message, at + 4 * rank + 4, size, filters)
    if kind == _CONTIGUOUS:
        return Layout(Kind.WHOLE, filters, address, None)
    if kind == _CHUNKED:
        *chunk, itemsize = struct.unpack_from(f"<{_checked_rank(window, rank)}I", message.body, at)
        return Layout(Kind.CHUNKED, filters, address, chunk=tuple(chunk), itemsize=itemsize)
    raise window.damaged("an array in it is laid out in an unknown way")


def _chunked_3(window: Window, body: bytes, filters: tuple[Filter, ...]) -> Layout:
    rank = _checked_rank(window, body[2])
    (address,) = window.struct("A").unpack_from(body, 3)
    *chunk, itemsize = struct.unpack_from(f"<{rank}I", body, 3 + window.address_bytes)
    return Layout(Kind.CHUNKED, filters, address, chunk=tuple(chunk), itemsize=itemsize)


def _chunked_4(window: Window, body: bytes, filters: tuple[Filter, ...]) -> Layout:
    flags, rank, width = body[2:5]
    at = 5 + width * _checked_rank(window, rank)
    sizes = [int.from_bytes(body[place : place + width], "little") for place in range(5, at, width or 1)]
    if len(sizes) != rank:
        raise window.damaged("an array in it has chunks of no size")
    index = {1: Index.SINGLE, 2: Index.IMPLICIT, 3: Index.FIXED_ARRAY}.get(body[at], Index.OTHER)
    at += 1
    size, mask = None, 0
    if index is Index.SINGLE and flags & _SINGLE_IS_FILTERED:
        size, mask = window.struct("LI").unpack_from(body, at)
        at += window.length_bytes + 4
    elif index is Index.FIXED_ARRAY:
        at += 1
    address = 0 if index is Index.OTHER else window.struct("A").unpack_from(body, at)[0]
    plain = bool(flags & _EDGES_ARE_PLAIN)
    return Layout(Kind.CHUNKED, filters, address, size, tuple(sizes[:-1]), sizes[-1], index, mask, plain)


def _checked_rank(window: Window, rank: int) -> int:
    if not 0 < rank <= _MAX_RANK:
        raise window.damaged("an array in it has no possible number of axes")
    return rank


def _filters(window: Window, message: Message | None) -> tuple[Filter, ...]:
    if message is None:
        return ()
    body = message.body
    version, count = body[:2]
    if version not in (1, 2) or count > _MAX_FILTERS or message.flags & SHARED:
        raise window.damaged("the filters of an array in it are none")
    at = 8 if version == 1 else 2
    found = []
    for _ in range(count):
        (number,) = struct.unpack_from("<H", body, at)
        at += 2
        name_size = 0
        if version == 1 or number >= _FIRST_WITH_NAME:
            (name_size,) = struct.unpack_from("<H", body, at)
            at += 2
        _, values = struct.unpack_from("<HH", body, at)
        at += 4 + (-(-name_size // 8) * 8 if version == 1 else name_size)
        found.append(Filter(number, struct.unpack_from(f"<{values}I", body, at)))
        at += 4 * values + (4 if version == 1 and values % 2 else 0)
    return tuple(found)
