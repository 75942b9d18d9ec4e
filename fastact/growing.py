"""HDF5 files that grow: readable meanwhile by other processes, whole after a kill or a full disk.

A file is in HDF5's single-writer mode (SWMR) while it grows, in which the order of writes keeps it readable at every
moment. What that leaves to do is here: one writer at a time, what a killed writer leaves in the superblock, and disk
space that is taken before HDF5 needs it, since HDF5 crashes the process when a disk fills up under an open file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from fastact.errors import OutputError
from fastact.files.hdf5.checksums import lookup3
from fastact.writing import refusals, whole_file

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The superblock of version 3, from the HDF5 file format specification, section II.A: where its fields lie.
_FLAGS, _END_OF_FILE, _CHECKSUM, _SUPERBLOCK = 11, 28, 44, 48
_METADATA_ROOM = 2**20
"""Bytes kept free for indexes of chunks, beyond the chunks themselves."""


def create(path: Path, h5py: Any, fill: Callable[[Any], None]) -> None:
    """A new file at `path`, whole or not at all; `fill` writes into an empty h5py.File. Raises OutputError."""
    with h5py.File(os.fspath(path), "w", driver="core", backing_store=False, libver=("v110", "v110")) as file:
        fill(file)
        file.flush()
        image = bytearray(file.id.get_file_image())
    # HDF5 1.14 clears the flags in the image and leaves the checksum as it was.
    image[:_SUPERBLOCK] = _superblock(bytes(image[:_SUPERBLOCK]), len(image))
    with whole_file(path) as beside:
        beside.write_bytes(image)


class _Recovered(FileIO):
    """A file with the superblock that `_recover` would write, for a look at it that changes nothing.

    HDF5's own way, to open it as a reader in SWMR mode, waits for minutes at checksums that are wrong.
    """

    def __init__(self, path: Path, block: bytes) -> None:
        super().__init__(path)
        self._block = block

    def readinto(self, buffer: Any) -> int:
        """Reads, the superblock from memory."""
        place = self.tell()
        count = super().readinto(buffer) or 0
        known = self._block[place : place + count]
        memoryview(buffer)[: len(known)] = known
        return count


@contextmanager
def inspected(path: Path, h5py: Any) -> Iterator[Any]:
    """The h5py.File of a file that may be growing, or was left by a killed writer, to read from.

    Raises:
        OutputError: it cannot be read, or is no such file.
    """
    with refusals(path), path.open("rb") as file:
        start, size = file.read(_SUPERBLOCK), os.fstat(file.fileno()).st_size
    if not _is_ours(start):
        raise OutputError(f"{os.fspath(path)!r} is in the way, and no file that can go on: choose another file")
    with refusals(path), _Recovered(path, _superblock(start, size)) as raw, h5py.File(raw, "r") as opened:
        yield opened


class GrowingFile:
    """A file made by `create`, open to grow.

    Attributes:
        file: the h5py.File; datasets can be made shorter until `start` is called, and longer after it.

    Raises:
        OutputError: another process writes it, it is damaged, or the operating system refuses it.
    """

    def __init__(self, path: Path, h5py: Any) -> None:
        self._path = path
        with refusals(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            _lock(self._descriptor, path)
            _recover(self._descriptor, path)
            with refusals(path):
                self.file = h5py.File(os.fspath(path), "r+", libver=("v110", "v110"))
        except BaseException:
            os.close(self._descriptor)
            raise

    def start(self) -> None:
        """Lets readers in."""
        self.file.swmr_mode = True

    def reserve(self, size: int) -> None:
        """Takes disk space for `size` bytes of chunks; raises OutputError where there is not so much."""
        with refusals(self._path):
            os.posix_fallocate(self._descriptor, self.file.id.get_filesize(), size + _METADATA_ROOM)

    def close(self) -> None:
        """Closes the file; space that was taken and not used is given back."""
        self.file.close()
        with contextlib.suppress(OSError):
            end = struct.unpack_from("<Q", os.pread(self._descriptor, _SUPERBLOCK, 0), _END_OF_FILE)[0]
            os.truncate(self._descriptor, end)
        os.close(self._descriptor)


@contextmanager
def growing(path: Path, h5py: Any) -> Iterator[GrowingFile]:
    """A `GrowingFile` that is closed at the end of the block."""
    file = GrowingFile(path, h5py)
    try:
        yield file
    finally:
        file.close()


def _lock(descriptor: int, path: Path) -> None:
    """Makes this process the only writer.

    A lock on the open file: HDF5's own are of another kind, and it gives them up to let readers in.
    """
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise OutputError(f"another process is writing {os.fspath(path)!r}: wait for it to end") from None


def _recover(descriptor: int, path: Path) -> None:
    """Brings the superblock of a killed writer's file up to date: the file's size, and that nobody writes it.

    What `h5clear --status --increment` does. All that is on the disk is reachable and whole, since the writer was in
    SWMR mode; only the superblock is from before.
    """
    with refusals(path):
        start = os.pread(descriptor, _SUPERBLOCK, 0)
        if _is_ours(start) and start[_FLAGS]:
            os.pwrite(descriptor, _superblock(start, os.fstat(descriptor).st_size), 0)


def _is_ours(start: bytes) -> bool:
    """Whether a file begins with a whole superblock of version 3 for 64-bit addresses, as `create` makes it."""
    return (
        start.startswith(_SIGNATURE + b"\x03\x08\x08")
        and len(start) >= _SUPERBLOCK
        and lookup3(start[:_CHECKSUM]) == int.from_bytes(start[_CHECKSUM:_SUPERBLOCK], "little")
    )


def _superblock(start: bytes, size: int) -> bytes:
    """The superblock of a file of `size` bytes that is closed."""
    block = bytearray(start[:_SUPERBLOCK])
    if block[_FLAGS]:
        struct.pack_into("<Q", block, _END_OF_FILE, size)
    block[_FLAGS] = 0
    struct.pack_into("<I", block, _CHECKSUM, lookup3(bytes(block[:_CHECKSUM])))
    return bytes(block)
