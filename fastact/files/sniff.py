"""What a path leads to, by content and never by name, without ever waiting on it.

`opened` gives a file descriptor of a regular file; `recognise` says what kind of file it is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastact.kernels.digest import Hash, sha256

from ..errors import FileError
from .text import quoted

__all__ = ["HDF5_SIGNATURE", "describe", "entry", "identity", "opened", "recognise"]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_MOST_BYTES = 2**33
"""Optimizer states included; the weights that are read are bounded more narrowly."""

_MANY_BYTES = 2 * 2**20
"""From here on loading OpenSSL takes less time than it saves."""

_LFS = b"version https://git-lfs.github.com/spec/"

_ARCHIVE = b"PK\x03\x04"

# (offset, bytes, kind): the kinds that a reader may claim, and those that a message can name.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (4, b"TFL3", "tflite"),
    (0, _ARCHIVE, "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x7fELF", "a program"),
    (0, _LFS, "a Git LFS pointer in place of the file (git lfs pull fetches it)"),
    (0, b"<!DOCTYPE html", "a web page, perhaps a failed download"),
    (0, b"<html", "a web page, perhaps a failed download"),
    # The first field of a SavedModel message is its schema version, 1; then its meta graph.
    (0, b"\x08\x01\x12", "savedmodel"),
    (0, b"\x08", "perhaps an ONNX model"),
)


def entry(path: Path) -> Path:
    """The file to open for `path`: ``saved_model.pb`` in a directory that has one, otherwise `path` itself."""
    inside = path / "saved_model.pb"
    try:
        return inside if inside.is_file() else path
    except (OSError, ValueError):  # no such directory: `opened` says what it is
        return path


@contextmanager
def opened(path: Path, within: int | None = None) -> Iterator[int]:
    """Open a regular file for reading and hold a shared lock on it; yield the descriptor.

    Args:
        path: the file; a link to one is followed.
        within: a descriptor of the directory that `path` is in, for a model's own files, which are then looked for
            there and nowhere else: a link is refused.

    Raises:
        FileError: missing, forbidden, a directory, a pipe or a device, empty, or being written to.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Opening a device may act on it, and opening a pipe waits for a writer unless O_NONBLOCK is given.
        if within is None:
            _check_regular(path, path.stat())
            descriptor = os.open(path, flags)
        else:
            _check_regular(path, os.stat(path.name, dir_fd=within, follow_symlinks=False))
            descriptor = os.open(path.name, flags | os.O_NOFOLLOW, dir_fd=within)
    except FileNotFoundError:
        raise FileError(f"{quoted(path)} does not exist") from None
    except PermissionError:
        raise FileError(f"{quoted(path)} may not be read: change its permissions or its owner") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{quoted(path)} cannot be opened: {_reason(error)}") from None
    try:
        _check_regular(path, os.fstat(descriptor))
        _lock(path, descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def recognise(descriptor: int) -> str:
    """Return the kind of the file, ``"hdf5"``, ``"zip"``, ``"tflite"``, ``"savedmodel"``, ``"json"``, or words."""
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 512, 0)
    offset = 0
    # An HDF5 file may begin with a block of the user's, of 512 bytes or any power of two above; the weights in an
    # archive may begin there by chance.
    while offset < size and not head.startswith(_ARCHIVE):
        if os.pread(descriptor, len(HDF5_SIGNATURE), offset) == HDF5_SIGNATURE:
            return "hdf5"
        offset = max(512, 2 * offset)
    for offset, magic, kind in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "json"
    if HDF5_SIGNATURE.startswith(head[:8]):
        return "the first bytes of an HDF5 file that was cut short"
    if not any(head):
        return "only zero bytes, perhaps a copy that was never finished"
    return "a kind of file that fastact does not know"


def describe(kind: str) -> str:
    """Return the kind in words for a message."""
    words = {
        "hdf5": "an HDF5 file",
        "json": "JSON text, perhaps an architecture without weights",
        "savedmodel": "a TensorFlow SavedModel",
        "tflite": "a TensorFlow Lite model",
        "zip": "a zip archive",
    }
    return words.get(kind, kind)


def identity(descriptor: int) -> str:
    """Return the SHA-256 of the file's bytes in hexadecimal, reading a megabyte at a time."""
    digest, offset = _sha256_of(os.fstat(descriptor).st_size), 0
    while block := os.pread(descriptor, 2**20, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()


def _sha256_of(size: int) -> Hash:
    """A hash for so many bytes: for many of them OpenSSL's, which is several times as fast and takes 3.6 MB to load."""
    if size < _MANY_BYTES:
        return sha256()
    import hashlib

    return hashlib.sha256()


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FileError(f"{quoted(path)} is a directory: name the model's file in it")
    if stat.S_ISLNK(status.st_mode):
        raise FileError(
            f"{quoted(path)} is a symbolic link, which is not followed inside a model: copy the model's whole "
            "directory with cp -rL"
        )
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{quoted(path)} is a pipe, a socket or a device: copy it to a file first")
    if status.st_size == 0:
        raise FileError(f"{quoted(path)} is empty: save or copy the model again")
    if status.st_size > _MOST_BYTES:  # a sparse file would take hours to hash
        raise FileError(
            f"{quoted(path)} has {status.st_size} bytes, more than the {_MOST_BYTES} a model's file may have"
        )


def _lock(path: Path, descriptor: int) -> None:
    """Hold the lock that the HDF5 library respects when it writes; go without it where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise FileError(
                f"{quoted(path)} is open for writing in another program: wait until it has been saved"
            ) from None


def _reason(error: Exception) -> str:
    return (error.strerror or "the operating system refuses") if isinstance(error, OSError) else "invalid path"
