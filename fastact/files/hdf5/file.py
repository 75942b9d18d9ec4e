"""A file's groups, datasets and attributes by name, step by step, whatever the file holds.

HDF5 can point anywhere: a path may run through soft and external links into other files, a string may be stored once
and listed a million times, and a few header bytes can ask for terabytes. So groups are walked name by name over hard
links only, and an attribute's size is known before it is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import FileError
from ..source import Source
from ..text import quoted
from .attributes import Attribute
from .heap import GlobalHeap
from .objects import Dataset, Group, object_at
from .superblock import root_address
from .window import Window

__all__ = ["H5File", "guarded", "opened"]

_MAX_NAMES = 65_536
"""The most strings in one list. Keras splits a list before an attribute of it has 64,512 bytes."""
_MAX_LIST_BYTES = 2**20
"""The most bytes of strings in one attribute that lists names."""
_MAX_NAME_BYTES = 1024
_MAX_COMPONENTS = 64
_MAX_SHOWN = 64

_MESSAGE_IS_CUT_SHORT = (struct.error, IndexError, ValueError)


@contextmanager
def guarded(path: Path, doing: str) -> Iterator[None]:
    """Turn what parsing a damaged file raises into a FileError; `doing` says what was being read.

    A message that is shorter than its fields raises struct.error or IndexError, one that takes a nonsensical
    value further ValueError: which of its fields it was would help nobody.
    """
    try:
        yield
    except MemoryError:
        raise FileError(f"there is not enough memory to read {doing} of {quoted(path)}") from None
    except OSError as error:
        raise FileError(f"{quoted(path)} cannot be read: {error.strerror or error}") from error
    except _MESSAGE_IS_CUT_SHORT as error:
        raise FileError(
            f"{quoted(path)} is damaged: reading {doing} fails ({_reason(error)}); save or copy it again"
        ) from error


@contextmanager
def opened(path: Path, source: Source, member: str | None = None) -> Iterator[H5File]:
    """Open the HDF5 file that a source has the bytes of, and close it on leaving the ``with`` block.

    Args:
        path: for messages, of the file that the bytes are in.
        source: the bytes.
        member: for messages, what they are called in an archive at `path`; None where they are the file itself.

    Raises:
        FileError: it is damaged, cut short, or stored in a way that is not read.
    """
    window = Window(path, source, member)
    with guarded(path, "the header"):
        file = H5File(window)
    try:
        yield file
    finally:
        window.close()


class H5File:
    """The file, by safe steps. Every method raises FileError, or what `guarded` makes a FileError of."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.path = window.path
        self._heap = GlobalHeap(window)
        self._root = root_address(window)

    def problem(self, reason: str) -> FileError:
        """Return an error about this file; `reason` ends the sentence."""
        return self.window.problem(reason)

    def root(self) -> Group:
        """Return the root group."""
        root = object_at(self.window, self._root)
        if not isinstance(root, Group):
            raise self.window.damaged("its root is no group")
        return root

    def names(self, group: Group) -> list[str]:
        """Return up to 64 names of links in the group."""
        return [name.decode("utf-8", "replace") for name in group.links.names(_MAX_SHOWN)]

    def group(self, group: Group, name: str) -> Group | None:
        """Walk to a group whose name may hold slashes; None where it does not exist.

        Raises:
            FileError: a name on the way leads elsewhere, or to a dataset.
        """
        for part in self._components(name):
            found = self._child(group, part)
            if found is None:
                return None
            if not isinstance(found, Group):
                raise self.problem(f"is damaged: {quoted(name)} in it should be a group")
            group = found
        return group

    def dataset(self, group: Group, name: str) -> Dataset | None:
        """Walk to a dataset whose name may hold slashes; None where it does not exist.

        Raises:
            FileError: a name on the way leads elsewhere, or the last one to a group.
        """
        *above, last = self._components(name)
        parent = self.group(group, "/".join(above)) if above else group
        found = None if parent is None else self._child(parent, last)
        if isinstance(found, Group):
            raise self.problem(f"is damaged: {quoted(name)} in it should be a dataset")
        return found

    def text(self, owner: Group | Dataset, name: str, most: int) -> bytes | None:
        """Return a string attribute of a group or a dataset, at most `most` bytes long; None where there is none.

        Raises:
            FileError: not one string, or longer.
        """
        attribute = owner.attributes.find(name)
        if attribute is None:
            return None
        if attribute.shape != ():
            raise self.problem(f"is damaged: its attribute {quoted(name)} is not one string")
        return self._strings(attribute, name, most)[0]

    def list_of_names(self, group: Group, name: str) -> list[str] | None:
        """Return an attribute that lists names, whole or split as ``name0``, ``name1``, …; None without one.

        Raises:
            FileError: not a list of UTF-8 strings, or longer than Keras writes.
        """
        whole = group.attributes.find(name)
        if whole is not None:
            return self._names(whole, name)
        found: list[str] = []
        part = 0
        while (attribute := group.attributes.find(f"{name}{part}")) is not None:
            found += self._names(attribute, f"{name}{part}")
            part += 1
            if len(found) > _MAX_NAMES:
                raise self._too_long(name)
        return found if part else None

    def _child(self, group: Group, name: str) -> Group | Dataset | None:
        """Follow one hard link; None where there is no link of that name."""
        link = group.links.find(name.encode("utf-8"))
        if link is None:
            return None
        if link.address is None:
            raise self.problem(
                f"is not safe to read: {quoted(name)} in it is a soft or an external link, which Keras never writes"
            )
        found = object_at(self.window, link.address)
        if found is None:
            raise self.problem(f"is damaged: {quoted(name)} in it is no group and no dataset")
        return found

    def _components(self, name: str) -> list[str]:
        """Split a name at its slashes; refuse one that would lead elsewhere than down."""
        parts = name.split("/", _MAX_COMPONENTS)
        if "\0" in name or any(part in ("", ".", "..") for part in parts) or len(parts) > _MAX_COMPONENTS:
            raise self.problem(f"is not safe to read: it lists the name {quoted(name)}, which Keras never writes")
        return parts

    def _names(self, attribute: Attribute, name: str) -> list[str]:
        if attribute.shape is None or attribute.shape == (0,):
            return []  # an empty list, which NumPy takes for float64
        if len(attribute.shape) != 1:
            raise self.problem(f"is damaged: its attribute {quoted(name)} is no list")
        names = self._strings(attribute, name, _MAX_LIST_BYTES)
        if any(len(raw) > _MAX_NAME_BYTES for raw in names):
            raise self._too_long(name)
        try:
            return [raw.decode("utf-8") for raw in names]
        except UnicodeDecodeError:
            raise self.problem(f"is damaged: its attribute {quoted(name)} is not UTF-8 text") from None

    def _strings(self, attribute: Attribute, name: str, most: int) -> list[bytes]:
        """Read an attribute of strings once its size is known to be at most `most` bytes."""
        if not attribute.is_text:
            raise self.problem(f"is damaged: its attribute {quoted(name)} should hold text and holds another type")
        strings = None if attribute.count > _MAX_NAMES else attribute.strings(self._heap, most)
        if strings is None:
            raise self._too_long(name)
        return strings

    def _too_long(self, name: str) -> FileError:
        return self.problem(f"is not safe to read: its attribute {quoted(name)} is far larger than Keras writes")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
