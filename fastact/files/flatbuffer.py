"""FlatBuffers, read straight from a file and believed in nothing.

A table begins with the distance back to its vtable; the vtable has the sizes of both and, for each field, where in
the table it lies (0: absent). Vectors and strings begin with their length. Every read here names a place and a size
that are compared with the file's size first, and all of them together are bounded, so that a file whose
tables point to each other or to one long vector a million times over ends in an error.

Format: https://flatbuffers.dev/internals
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError
from ..kernels.records import dataclass
from .text import quoted

__all__ = ["Source", "Span", "Table", "root"]

MOST_BYTES = 2**25
"""What may be read of one file beside its weights: thousands of layers need a tenth."""
LONGEST_TEXT = 2**13

_FORMATS = {"i8": "<b", "u8": "<B", "bool": "<?", "i32": "<i", "u32": "<I", "f32": "<f", "u64": "<Q"}


@dataclass(frozen=True)
class Span:
    """Bytes of the file."""

    offset: int
    size: int


class Source:
    """An open file of which pieces are read."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._descriptor: int | None = descriptor
        self._left = MOST_BYTES

    def close(self) -> None:
        """Refuse to read from now on: the descriptor is about to be another file's."""
        self._descriptor = None

    def problem(self, words: str) -> FileError:
        """The error that says `words` of the file."""
        return FileError(f"{quoted(self.path)} {words}")

    def damaged(self, what: str) -> FileError:
        """The error for contents that no converter writes."""
        return self.problem(f"is damaged: {what}; copy or convert the model again")

    def check(self, span: Span, what: str) -> None:
        """Raise FileError unless the bytes are all in the file."""
        if span.offset < 0 or span.size < 0 or span.offset + span.size > self.size:
            raise self.damaged(f"{what} claims {span.size} bytes at {span.offset} of a file of {self.size}")

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Read a piece of what describes the model; all such pieces together are bounded."""
        self.check(Span(offset, size), what)
        self._left -= size
        if self._left < 0:
            raise self.problem(f"is not safe to read: its description comes to more than {MOST_BYTES} bytes")
        return self.read_weights(Span(offset, size), what)

    def read_weights(self, span: Span, what: str) -> bytes:
        """Read bytes that the caller has accounted for."""
        if self._descriptor is None:
            raise self.problem("is closed: read weights inside the with block of open_model")
        self.check(span, what)
        parts = []
        offset, left = span.offset, span.size
        while left:
            part = os.pread(self._descriptor, min(left, 2**28), offset)
            if not part:
                raise self.problem("became shorter while it was read: wait until it has been written")
            parts.append(part)
            offset, left = offset + len(part), left - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Table:
    """A table of a flatbuffer; `what` says in messages which."""

    def __init__(self, source: Source, position: int, what: str) -> None:
        self.source, self.position, self.what = source, position, what
        (back,) = struct.unpack("<i", source.read(position, 4, what))
        size, self._size = struct.unpack("<HH", source.read(position - back, 4, what))
        if size < 4 or size % 2 or self._size < 4:
            raise source.damaged(f"{what} is no table")
        source.check(Span(position, self._size), what)
        fields = source.read(position - back + 4, size - 4, what)
        self._fields: tuple[int, ...] = struct.unpack(f"<{len(fields) // 2}H", fields)

    def has(self, field: int) -> bool:
        """Whether the field is there."""
        return field < len(self._fields) and self._fields[field] != 0

    def number(self, field: int, kind: str, default: float) -> float:
        """A scalar field: ``i8``, ``u8``, ``bool``, ``i32``, ``u32``, ``u64`` or ``f32``."""
        layout = _FORMATS[kind]
        place = self._place(field, struct.calcsize(layout))
        if place is None:
            return default
        value: float = struct.unpack(layout, self.source.read(place, struct.calcsize(layout), self.what))[0]
        return value

    def integer(self, field: int, kind: str, default: int = 0) -> int:
        """A scalar field that is a whole number."""
        return int(self.number(field, kind, default))

    def table(self, field: int, what: str) -> Table | None:
        """The table a field points to."""
        target = self._target(field)
        return None if target is None else Table(self.source, target, what)

    def text(self, field: int) -> str:
        """A string, of which at most `LONGEST_TEXT` bytes are read; what is no UTF-8 is marked as such."""
        span = self.span(field)
        if span is None:
            return ""
        read = self.source.read(span.offset, min(span.size, LONGEST_TEXT), self.what)
        return read.decode("utf-8", "replace")

    def span(self, field: int) -> Span | None:
        """Where the bytes of a vector of bytes lie; nothing of them is read."""
        return self._vector(field, 1)

    def integers(self, field: int, most: int, what: str) -> tuple[int, ...]:
        """A vector of int32."""
        return tuple(self._numbers(field, "<i4", most, what).tolist())

    def has_items(self, field: int, width: int) -> bool:
        """Whether a vector, of items of `width` bytes, is there and not empty."""
        span = self._vector(field, width)
        return span is not None and span.size > 0

    def places(self, field: int, most: int, what: str) -> tuple[int, ...]:
        """Where the tables in a vector of tables begin."""
        span = self._vector(field, 4)
        if span is None:
            return ()
        offsets = self._numbers(field, "<u4", most, what).astype(np.int64)
        return tuple((span.offset + 4 * np.arange(len(offsets)) + offsets).tolist())

    def _numbers(self, field: int, dtype: str, most: int, what: str) -> NDArray[np.generic]:
        span = self._vector(field, 4)
        if span is None:
            return np.empty(0, dtype)
        if span.size > 4 * most:
            raise self.source.problem(f"is not safe to read: {self.what} has {span.size // 4} {what}, more than {most}")
        return np.frombuffer(self.source.read(span.offset, span.size, self.what), dtype)

    def _place(self, field: int, size: int) -> int | None:
        if not self.has(field):
            return None
        offset = self._fields[field]
        if offset < 4 or offset + size > self._size:
            raise self.source.damaged(f"a field of {self.what} lies outside it")
        return self.position + int(offset)

    def _target(self, field: int) -> int | None:
        place = self._place(field, 4)
        if place is None:
            return None
        offset = int.from_bytes(self.source.read(place, 4, self.what), "little")
        return place + offset

    def _vector(self, field: int, width: int) -> Span | None:
        target = self._target(field)
        if target is None:
            return None
        (length,) = struct.unpack("<I", self.source.read(target, 4, self.what))
        span = Span(target + 4, width * int(length))
        self.source.check(span, self.what)
        return span


def root(source: Source, what: str) -> Table:
    """The table that the file's first bytes point to."""
    (offset,) = struct.unpack("<I", source.read(0, 4, what))
    return Table(source, int(offset), what)
