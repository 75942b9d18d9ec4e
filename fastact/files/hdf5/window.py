"""The bytes of an HDF5 file: every read is checked against the file's size and counted.

Two things keep a hostile file from costing more than a constant. A read beyond the file's end is refused before
memory is taken for it. And reading structure (whatever leads to other structure) is paid for out of a budget, by the
byte, so that cycles, overlapping blocks and lists of one thing a million times all end.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ...errors import FileError
from ..source import Source
from ..text import quoted
from .checksums import lookup3

__all__ = ["Window"]

_PAGE = 2**14
_MAX_PAGES = 64
_BUDGET = 2**22
"""Steps, each of 32 bytes or a read: some ten thousand layers, or a few seconds."""
_STEP_BYTES = 32
_HASH_STEP_BYTES = 8
_MAX_STRUCTURE_BYTES = 2**23
"""The most bytes of structure in one piece."""
_FORMATS = {2: "H", 4: "I", 8: "Q"}


class Window:
    """A file's bytes by their HDF5 addresses.

    Attributes:
        path: of the file, for messages.
        member: what the bytes are called in the archive at `path`; None where they are the file itself.
        base: where in the file its address 0 is: after the block of the user's.
        address_bytes: how many bytes an address has in it.
        length_bytes: how many bytes a length has in it.
    """

    def __init__(self, path: Path, source: Source, member: str | None = None) -> None:
        self.path = path
        self.member = member
        self.size = source.size
        self.base: int = 0
        self._source: Source | None = source
        self._pages: dict[int, bytes] = {}
        self._budget = _BUDGET
        self._sound: set[int] = set()
        self.set_widths(8, 8)

    def set_widths(self, address_bytes: int, length_bytes: int) -> None:
        """Set how many bytes addresses and lengths have: 2, 4 or 8."""
        self.address_bytes = address_bytes
        self.length_bytes = length_bytes
        self._address_format = _FORMATS[address_bytes]
        self._length_format = _FORMATS[length_bytes]
        self._structs: dict[str, struct.Struct] = {}
        self._undefined: int = (1 << 8 * address_bytes) - 1

    def struct(self, fields: str) -> struct.Struct:
        """Return a structure without padding, in which A stands for an address and L for a length."""
        found = self._structs.get(fields)
        if found is None:
            translated = fields.replace("L", self._length_format).replace("A", self._address_format)
            found = self._structs[fields] = struct.Struct("<" + translated)
        return found

    def close(self) -> None:
        """Let go of the bytes; every read from now on is refused."""
        self._source = None
        self._pages.clear()

    def problem(self, reason: str) -> FileError:
        """Return an error about this file; `reason` ends the sentence."""
        return FileError(f"{quoted(self.path)} {reason}")

    def damaged(self, what: str) -> FileError:
        """Return the error for a file in which `what`, a clause, is the case and never should be."""
        return self.problem(f"is damaged: {what}; save or copy it again")

    def is_defined(self, address: int) -> bool:
        """Whether an address leads anywhere."""
        return address != self._undefined

    def spend(self, steps: int) -> None:
        """Take steps from the budget.

        Raises:
            FileError: it is used up.
        """
        self._budget -= steps
        if self._budget < 0:
            raise self.problem("is not safe to read: finding its weights takes more steps than any model needs")

    def read(self, address: int, count: int) -> bytes:
        """Return just `count` bytes of structure.

        Raises:
            FileError: they are not all in the file, are more than any structure has, or the budget is used up.
        """
        start = self.base + address
        if start + count > self.size:
            raise self._beyond_end()
        if count > _MAX_STRUCTURE_BYTES:
            raise self.damaged(f"it has {count} bytes of structure in one piece")
        self.spend(1 + count // _STEP_BYTES)
        number, offset = divmod(start, _PAGE)
        if offset + count > _PAGE:
            return self._exactly(start, count)
        page = self._pages.get(number)
        if page is None:
            page = self._load_page(number)
        return page[offset : offset + count]

    def read_sound(self, address: int, count: int, what: str) -> bytes:
        """Return structure that ends with its checksum, compared with it the first time; `what` it is, for messages."""
        found = self.read(address, count)
        if address not in self._sound:
            self.spend(count // _HASH_STEP_BYTES)
            if lookup3(found[:-4]) != int.from_bytes(found[-4:], "little"):
                raise self.damaged(f"{what} does not agree with its checksum")
            self._sound.add(address)
        return found

    def data(self, address: int, count: int) -> bytes:
        """Return just `count` bytes of contents, which the caller has bounded.

        Raises:
            FileError: they are not all in the file.
        """
        self.spend(1)
        return self._exactly(self._start(address, count), count)

    def data_into(self, address: int, buffer: memoryview) -> None:
        """Fill a buffer of bytes with contents.

        Raises:
            FileError: they are not all in the file.
        """
        source, start = self._open(), self._start(address, len(buffer))
        if source.read_into(start, buffer) != len(buffer):
            raise self._cut_short()

    def holds(self, address: int, count: int) -> bool:
        """Whether the file has all of these bytes."""
        return self.base + address + count <= self.size

    def _start(self, address: int, count: int) -> int:
        if not self.holds(address, count):
            raise self._beyond_end()
        return self.base + address

    def _load_page(self, number: int) -> bytes:
        if len(self._pages) >= _MAX_PAGES:
            del self._pages[next(iter(self._pages))]
        start = number * _PAGE
        page = self._pages[number] = self._exactly(start, min(_PAGE, self.size - start))
        return page

    def _exactly(self, start: int, count: int) -> bytes:
        found = self._open().read(start, count)
        if len(found) != count:
            raise self._cut_short()
        return found

    def _open(self) -> Source:
        if self._source is None:
            raise self.problem("is closed: read weights inside the with block of open_model")
        return self._source

    def _beyond_end(self) -> FileError:
        return self.damaged("an address in it is beyond its end")

    def _cut_short(self) -> FileError:
        return self.problem("was cut short while it was being read: copy or save it again")
