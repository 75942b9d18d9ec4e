"""Members of a zip archive that nobody vouches for, in memory; nothing is ever extracted.

Only members that are asked for by their exact names are looked at, so that it does not matter where the other
names would lead. A member stored without compression is read where it lies; a compressed one is inflated into
memory once its size is known to be bounded.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from ..errors import FileError
from .source import InFile, InMemory, Source, Stream
from .text import quoted

__all__ = ["Archive"]

_MAX_DIRECTORY_BYTES = 2**20
"""The list of members. Keras writes three, and a few more where a layer has a vocabulary."""
_STEP = 2**20
_MAX_RATIO = 50
"""How much larger than its compressed form a member may be, beyond `_SMALL`. Weights hardly shrink; JSON does to a
tenth."""
_SMALL = 2**20
_ENCRYPTED = 0x1 | 0x40
_LOCAL_HEADER = struct.Struct("<4s22xHH")

_ZIPFILE_RAISES = (
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)


class Archive:
    """The zip archive that an open descriptor leads to."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        """Read the list of members.

        Raises:
            FileError: it cannot be read, is far larger than Keras writes, or names a member twice.
        """
        self.path = path
        self._file = InFile(descriptor, 0, size)
        try:
            # The list is read at once, so that the stream's limit bounds it.
            self._zip = zipfile.ZipFile(Stream(self._file, _MAX_DIRECTORY_BYTES))
            self._members = {info.filename: info for info in self._zip.infolist()}
        except _ZIPFILE_RAISES as error:
            raise self._damaged(error) from error
        counts = Counter(info.filename for info in self._zip.infolist())
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise self.problem(f"is not safe to read: it holds {quoted(twice[0])} twice")

    @property
    def names(self) -> list[str]:
        """The members' names, for messages and for telling what is there."""
        return list(self._members)

    def problem(self, reason: str) -> FileError:
        """Return an error about this file; `reason` ends the sentence."""
        return FileError(f"{quoted(self.path)} {reason}")

    def source(self, name: str, most: int) -> Source:
        """Return a member's bytes, after comparing them with their checksum.

        Args:
            name: of a member that exists.
            most: the most bytes that a compressed member may have, which is inflated into memory.

        Raises:
            FileError: larger, encrypted, compressed in another way than zip programs do, or damaged.
        """
        info = self._members[name]
        self._check(info)
        if info.compress_type != zipfile.ZIP_STORED:
            self._check_size(info, most)
        try:
            if info.compress_type == zipfile.ZIP_STORED:
                self._compare(info)
                return InFile(self._file.descriptor, self._start(info), info.file_size)
            return InMemory(self._inflated(info))
        except MemoryError:
            raise FileError(f"there is not enough memory to read {quoted(name)} of {quoted(self.path)}") from None
        except _ZIPFILE_RAISES as error:
            raise self._damaged(error) from error

    def data(self, name: str, most: int) -> bytes:
        """Return a member's bytes in memory, at most `most`; see `source`."""
        self._check_size(self._members[name], most)
        source = self.source(name, most)
        return source.read(0, source.size)

    def _check(self, info: zipfile.ZipInfo) -> None:
        shown = quoted(info.filename)
        if info.flag_bits & _ENCRYPTED:
            raise self.problem(f"cannot be read: {shown} in it is encrypted; unpack it and zip it without a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.problem(
                f"cannot be read: {shown} in it is compressed by method {info.compress_type}, where fastact reads "
                "stored and deflated members (zip -0 stores)"
            )
        if info.file_size > _MAX_RATIO * info.compress_size + _SMALL:
            raise self.problem(
                f"is not safe to read: {shown} in it grows from {info.compress_size} to {info.file_size} bytes"
            )
        if info.compress_size > self._file.size:
            raise self.problem(f"is cut short: {shown} in it has {info.compress_size} bytes; copy or save it again")

    def _check_size(self, info: zipfile.ZipInfo, most: int) -> None:
        if info.file_size > most:
            raise self.problem(
                f"is not safe to read: {quoted(info.filename)} in it has {info.file_size} bytes, more than the {most} "
                "that are taken into memory"
            )

    def _compare(self, info: zipfile.ZipInfo) -> None:
        """Read a member to its end, where zipfile compares the checksum."""
        if info.compress_size != info.file_size:
            raise zipfile.BadZipFile("a stored member has two sizes")
        with self._zip.open(info) as member:
            while member.read(_STEP):
                pass

    def _inflated(self, info: zipfile.ZipInfo) -> bytearray:
        found = bytearray(info.file_size)
        place = 0
        with self._zip.open(info) as member:
            while part := member.read(_STEP):
                found[place : place + len(part)] = part
                place += len(part)
        if place != info.file_size or len(found) != place:
            raise zipfile.BadZipFile("a member has another size than it says")
        return found

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Where a stored member's bytes begin: after a header of 30 bytes, a name and more of lengths given there."""
        header = self._file.read(info.header_offset, _LOCAL_HEADER.size)
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        start = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if signature != b"PK\x03\x04" or start + info.file_size > self._file.size:
            raise zipfile.BadZipFile("a member's header is damaged")
        return int(start)

    def _damaged(self, error: Exception) -> FileError:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return self.problem(f"is a damaged zip archive ({reason}): copy or save it again")
