"""Where the bytes of a file lie: in a part of an open file, or in memory.

A member of a zip archive that is stored without compression is read where it lies, so that a model of a gigabyte
takes no second gigabyte.
"""

from __future__ import annotations

import io
import os
from typing import Any, Protocol

from ..kernels.records import dataclass

__all__ = ["InFile", "InMemory", "Source", "Stream"]

_STEP = 2**20


class Source(Protocol):
    """Bytes that can be read from any place."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset` on, fewer at the end."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer`, which is of bytes, from `offset` on; return how many there were."""
        ...


@dataclass(frozen=True)
class InFile:
    """The bytes from `start` on of the file that `descriptor` is open on."""

    descriptor: int
    start: int
    size: int

    def read(self, offset: int, count: int) -> bytes:
        """See `Source.read`."""
        count = min(count, self.size - offset)
        return os.pread(self.descriptor, count, self.start + offset) if count > 0 else b""

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See `Source.read_into`."""
        count = min(len(buffer), max(self.size - offset, 0))
        filled = 0
        while filled < count:  # Linux reads two gigabytes at once at most
            found = os.preadv(self.descriptor, [buffer[filled:count]], self.start + offset + filled)
            if not found:
                break
            filled += found
        return filled


@dataclass(frozen=True)
class InMemory:
    """Bytes at hand."""

    data: bytes | bytearray

    @property
    def size(self) -> int:
        """See `Source.size`."""
        return len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        """See `Source.read`."""
        return bytes(memoryview(self.data)[offset : offset + count])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See `Source.read_into`."""
        found = memoryview(self.data)[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)


class Stream(io.RawIOBase):
    """A source as a file object that is read only; with `most`, no single read may be larger."""

    def __init__(self, source: Source, most: int | None = None) -> None:
        self._source = source
        self._most = most
        self._place = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:  # noqa: D102
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError("a place before the beginning")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):  # in steps, so that a large array needs no copy of its size
            found = self._source.read(self._place + filled, min(len(view) - filled, _STEP))
            if not found:
                break
            view[filled : filled + len(found)] = found
            filled += len(found)
        view[filled:] = bytes(len(view) - filled)  # h5py does not look at how many were read
        self._place += filled
        return filled

    def read(self, size: int | None = -1) -> bytes:
        """Read as files do.

        Raises:
            OSError: more than `most` bytes are asked for at once.
        """
        left = max(self._source.size - self._place, 0)
        count = left if size is None or size < 0 else min(size, left)
        if self._most is not None and count > self._most:
            raise OSError(f"{count} bytes at once are more than the {self._most} that are read")
        found = self._source.read(self._place, count)
        self._place += len(found)
        return found
