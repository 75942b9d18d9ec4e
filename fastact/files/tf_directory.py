"""The files of a SavedModel: looked for in its directory and nowhere else, and held open as long as the model is.

saved_model.pb        graphs and, before TensorFlow 2.5, what Keras says of its layers
keras_metadata.pb     what Keras says of its layers, from TensorFlow 2.5 on
variables/            the weights: tf_bundle.py
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path

from fastact.kernels.digest import sha256

from ..errors import FileError
from ..kernels.records import dataclass
from . import sniff
from .text import quoted

__all__ = ["Directory", "Member"]

_PART = 2**24


@dataclass(frozen=True)
class Member:
    """An open file of a SavedModel."""

    path: Path
    descriptor: int
    size: int

    def read(self, start: int, size: int) -> bytearray:
        """Read `size` bytes at `start`, some megabytes at a time.

        Raises:
            FileError: the file ends before them, or cannot be read.
        """
        if start + size > self.size:
            raise self.problem("was cut short: copy or save the model again")
        data = bytearray(size)
        done = 0
        while done < size:
            try:
                part = os.pread(self.descriptor, min(_PART, size - done), start + done)
            except OSError as error:
                raise self.problem(f"cannot be read: {error.strerror or 'the operating system refuses'}") from None
            if not part:
                raise self.problem("was cut short while it was read: wait until it has been saved")
            data[done : done + len(part)] = part
            done += len(part)
        return data

    def problem(self, what: str) -> FileError:
        """A `FileError` that names this file; `what` continues the sentence."""
        return FileError(f"{quoted(self.path)} {what}")


class Directory:
    """A SavedModel's directory."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        """Open the directory at `path`; it and its files are closed with `stack`.

        Raises:
            FileError: it may not be read.
        """
        self.path = path
        self._stack = stack
        self._descriptor = self._opened(path, os.fspath(path), None)
        self._folders: dict[str, int] = {}
        self._members: dict[str, Member] = {}

    def member(self, name: str) -> Member:
        """The file of that name, or in a directory right below as in ``"variables/variables.index"``.

        Raises:
            FileError: missing, a link, no regular file, empty, or it may not be read.
        """
        if name not in self._members:
            folder, _, _ = name.rpartition("/")
            where = self.path / name
            descriptor = self._stack.enter_context(sniff.opened(where, self._folder(folder)))
            self._members[name] = Member(where, descriptor, os.fstat(descriptor).st_size)
        return self._members[name]

    def has(self, name: str) -> bool:
        """Whether there is anything of that name right in the directory."""
        try:
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def identity(self) -> str:
        """SHA-256, hexadecimal, of a line for each file opened so far, sorted, as ``sha256sum`` prints them."""
        lines = (f"{sniff.identity(self._members[name].descriptor)}  {name}\n" for name in sorted(self._members))
        return sha256("".join(lines).encode()).hexdigest()

    def _folder(self, name: str) -> int:
        if not name:
            return self._descriptor
        if name not in self._folders:
            self._folders[name] = self._opened(self.path / name, name, self._descriptor)
        return self._folders[name]

    def _opened(self, path: Path, name: str, within: int | None) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if within is not None else 0)
        try:
            descriptor = os.open(name, flags, dir_fd=within)
        except FileNotFoundError:
            raise FileError(f"{quoted(path)} does not exist: copy the whole directory of the model") from None
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise FileError(
                    f"{quoted(path)} is no directory, or a symbolic link, which is not followed inside a model: "
                    "copy the model's whole directory with cp -rL"
                ) from None
            reason = error.strerror or "the operating system refuses"
            raise FileError(f"{quoted(path)} cannot be opened: {reason}") from None
        self._stack.callback(os.close, descriptor)
        return descriptor
