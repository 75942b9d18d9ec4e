"""Safe access to the groups and attributes of an HDF5 file that nobody vouches for.

HDF5 can point anywhere: a path may run through soft and external links into other files, a string may be
stored once and listed a million times, and a few header bytes can ask for terabytes. So nothing here uses
h5py's ``file[path]`` or ``attrs[name]``: groups are walked name by name over hard links only, and an
attribute's size is known before it is read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5t

from ..errors import FileError
from .source import InFile, Source, Stream
from .stored_strings import StoredStringError, StringSizes
from .text import quoted

__all__ = ["H5File", "guarded", "opened", "opened_within"]

_MAX_NAMES = 65_536
"""The most strings in one list. Keras splits a list before an attribute of it has 64,512 bytes."""
_MAX_LIST_BYTES = 2**20
"""The most bytes of strings in one attribute that lists names."""
_MAX_NAME_BYTES = 1024
_MAX_COMPONENTS = 64

_H5PY_RAISES = (
    ArithmeticError,
    LookupError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
    struct.error,
)


@contextmanager
def guarded(path: Path, doing: str) -> Iterator[None]:
    """Turn whatever h5py raises on a damaged file into a FileError; `doing` says what was being read."""
    try:
        yield
    except MemoryError:
        raise FileError(f"there is not enough memory to read {doing} of {quoted(path)}") from None
    except _H5PY_RAISES as error:
        raise FileError(
            f"{quoted(path)} is damaged: reading {doing} fails ({_reason(error)}); save or copy it again"
        ) from error


@contextmanager
def opened(path: Path, descriptor: int) -> Iterator[H5File]:
    """Open with HDF5 the file that `descriptor` is open on, and close it with everything in it.

    Raises:
        FileError: the HDF5 library refuses the file.
    """
    with guarded(path, "the header"):
        file = _open(path, descriptor)
    with _closing(path, file, InFile(descriptor, 0, os.fstat(descriptor).st_size)) as opened_file:
        yield opened_file


@contextmanager
def opened_within(path: Path, source: Source) -> Iterator[H5File]:
    """Open with HDF5 a file that lies within the file at `path`, and close it with everything in it.

    Raises:
        FileError: the HDF5 library refuses the file.
    """
    with guarded(path, "the header"):
        try:
            file = h5py.File(Stream(source), "r", driver="fileobj")
        except _H5PY_RAISES as error:
            raise FileError(
                f"{quoted(path)} holds damaged weights ({_reason(error)}): copy or save it again"
            ) from error
    with _closing(path, file, source) as opened_file:
        yield opened_file


@contextmanager
def _closing(path: Path, file: h5py.File, source: Source) -> Iterator[H5File]:
    try:
        with guarded(path, "the header"):
            opened_file = H5File(path, file, source)
        yield opened_file
    finally:
        with suppress(*_H5PY_RAISES):  # nothing was written that closing could lose
            file.close()


class H5File:
    """The file, by safe steps. Every method raises FileError, or what `guarded` makes a FileError of."""

    def __init__(self, path: Path, file: h5py.File, source: Source) -> None:
        self.path = path
        self.size = source.size
        self._file = file
        self._sizes = StringSizes(source, file)

    def problem(self, reason: str) -> FileError:
        """Return an error about this file; `reason` ends the sentence."""
        return FileError(f"{quoted(self.path)} {reason}")

    def root(self) -> h5g.GroupID:
        """Return the root group."""
        return h5g.open(self._file.id, b"/")

    def names(self, group: h5g.GroupID) -> list[str]:
        """Return up to 64 names of links in the group."""
        count = min(group.get_num_objs(), 64)
        return [group.get_objname_by_idx(index).decode("utf-8", "replace") for index in range(count)]

    def group(self, group: h5g.GroupID, name: str) -> h5g.GroupID | None:
        """Walk to a group whose name may hold slashes; None where it does not exist.

        Raises:
            FileError: a name on the way leads elsewhere, or to a dataset.
        """
        found: h5g.GroupID | h5d.DatasetID | None = group
        for part in self._components(name):
            found = self._child(found, part)
            if found is None:
                return None
            if not isinstance(found, h5g.GroupID):
                raise self.problem(f"is damaged: {quoted(name)} in it should be a group")
        return found

    def dataset(self, group: h5g.GroupID, name: str) -> h5d.DatasetID | None:
        """Walk to a dataset whose name may hold slashes; None where it does not exist.

        Raises:
            FileError: a name on the way leads elsewhere, or the last one to a group.
        """
        *above, last = self._components(name)
        parent = self.group(group, "/".join(above)) if above else group
        found = None if parent is None else self._child(parent, last)
        if isinstance(found, h5g.GroupID):
            raise self.problem(f"is damaged: {quoted(name)} in it should be a dataset")
        return found

    def text(self, group: h5g.GroupID | h5d.DatasetID, name: str, most: int) -> bytes | None:
        """Return a string attribute of a group or a dataset, at most `most` bytes long; None where there is none.

        Raises:
            FileError: not one string, or longer.
        """
        if not h5a.exists(group, name.encode()):
            return None
        attribute = h5a.open(group, name.encode())
        if attribute.shape != ():
            raise self.problem(f"is damaged: its attribute {quoted(name)} is not one string")
        return self._strings(group, attribute, name, most)[0]

    def list_of_names(self, group: h5g.GroupID, name: str) -> list[str] | None:
        """Return an attribute that lists names, whole or split as ``name0``, ``name1``, …; None without one.

        Raises:
            FileError: not a list of UTF-8 strings, or longer than Keras writes.
        """
        if h5a.exists(group, name.encode()):
            return self._names(group, name)
        found: list[str] = []
        part = 0
        while h5a.exists(group, f"{name}{part}".encode()):
            found += self._names(group, f"{name}{part}")
            part += 1
            if len(found) > _MAX_NAMES or part > _MAX_NAMES:
                raise self._too_long(name)
        return found if part else None

    def _child(self, group: h5g.GroupID, name: str) -> h5g.GroupID | h5d.DatasetID | None:
        """Follow one hard link; None where there is no link of that name."""
        raw = name.encode("utf-8")
        if not group.links.exists(raw):
            return None
        if group.links.get_info(raw).type != h5l.TYPE_HARD:
            raise self.problem(
                f"is not safe to read: {quoted(name)} in it is a soft or an external link, which Keras never writes"
            )
        found = h5o.open(group, raw)
        if not isinstance(found, (h5g.GroupID, h5d.DatasetID)):
            raise self.problem(f"is damaged: {quoted(name)} in it is no group and no dataset")
        return found

    def _components(self, name: str) -> list[str]:
        """Split a name at its slashes; refuse one that would lead elsewhere than down."""
        parts = name.split("/", _MAX_COMPONENTS)
        if "\0" in name or any(part in ("", ".", "..") for part in parts) or len(parts) > _MAX_COMPONENTS:
            raise self.problem(f"is not safe to read: it lists the name {quoted(name)}, which Keras never writes")
        return parts

    def _names(self, group: h5g.GroupID, name: str) -> list[str]:
        attribute = h5a.open(group, name.encode())
        shape = attribute.shape
        if shape is None or shape == (0,):
            return []  # an empty list, which NumPy takes for float64
        if len(shape) != 1:
            raise self.problem(f"is damaged: its attribute {quoted(name)} is no list")
        names = self._strings(group, attribute, name, _MAX_LIST_BYTES)
        if any(len(raw) > _MAX_NAME_BYTES for raw in names):
            raise self._too_long(name)
        try:
            return [raw.decode("utf-8") for raw in names]
        except UnicodeDecodeError:
            raise self.problem(f"is damaged: its attribute {quoted(name)} is not UTF-8 text") from None

    def _strings(self, group: h5g.GroupID | h5d.DatasetID, attribute: h5a.AttrID, name: str, most: int) -> list[bytes]:
        """Read an attribute of strings once its size is known to be at most `most` bytes."""
        kind = attribute.get_type()
        count = int(np.prod(attribute.shape, dtype=object))
        if kind.get_class() != h5t.STRING:
            raise self.problem(f"is damaged: its attribute {quoted(name)} should hold text and holds another type")
        if count > _MAX_NAMES:
            raise self._too_long(name)
        if kind.is_variable_str():
            try:
                nbytes = self._sizes.total(h5o.get_info(group).addr, name.encode(), count)
            except StoredStringError as error:
                raise self.problem(f"is not safe to read: {error}; load it with Keras and save it again") from None
        else:
            nbytes = count * kind.get_size()
        if nbytes > most:
            raise self._too_long(name)
        values = np.empty(attribute.shape, dtype=attribute.dtype)
        attribute.read(values)
        return [bytes(value).rstrip(b"\0") for value in values.flat]

    def _too_long(self, name: str) -> FileError:
        return self.problem(f"is not safe to read: its attribute {quoted(name)} is far larger than Keras writes")


def _open(path: Path, descriptor: int) -> h5py.File:
    try:
        file = _open_with_or_without_lock(path)
    except _H5PY_RAISES as error:
        if "truncated file" in str(error):
            raise FileError(
                f"{quoted(path)} is cut short: it has {os.fstat(descriptor).st_size} bytes, fewer than it "
                "says; copy or save it again"
            ) from None
        raise FileError(f"{quoted(path)} is a damaged HDF5 file ({_reason(error)}): copy or save it again") from error
    expected, found = os.fstat(descriptor), os.fstat(file.id.get_vfd_handle())
    if (expected.st_dev, expected.st_ino) != (found.st_dev, found.st_ino):
        file.close()
        raise FileError(f"{quoted(path)} was replaced while it was being opened: try again")
    return file


def _open_with_or_without_lock(path: Path) -> h5py.File:
    """Open as HDF5 does by default, and without its lock on a medium that has no locks.

    Whether somebody writes to the file is known already, by the lock on its descriptor. HDF5 refuses a file
    that is open twice in one process with different settings, so the default comes first. Naming the driver
    keeps the environment from choosing another.
    """
    try:
        return h5py.File(path, "r", driver="sec2")
    except OSError as error:
        if "lock" not in str(error):
            raise
        return h5py.File(path, "r", driver="sec2", locking=False)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
