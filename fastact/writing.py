"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastact.errors import OutputError

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another folder",
    errno.EFBIG: "it would be larger than this disk or account allows: choose another folder",
    errno.EACCES: "it cannot be written to: choose another folder",
    errno.EPERM: "it cannot be written to: choose another folder",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.ENOENT: "the folder does not exist: create it first",
    errno.EEXIST: "a file of that name is in the way: choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another folder",
    errno.EISDIR: "this is a folder: add a file name",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
}


def folder_name(name: str) -> str:
    """A name from outside as the name of a file or folder that stays where it is put: path separators and what cannot
    be printed become underscores, and so do the dots of a name that has nothing else; "_" for no name."""
    safe = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in name)
    return safe if safe.strip(".") else "_" * max(1, len(safe))


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path` to write to; moved to `path` when the block ends well, and gone when it does not.

    A reader sees the old file or the whole new one. Raises OutputError, one sentence, for whatever the operating
    system refuses within the block.
    """
    target = Path(path)
    beside = target.parent / f".fastact-{os.urandom(16).hex()}.part"
    with refusals(target):
        try:
            yield beside
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder `path`, made if it is not there; raises OutputError where that fails."""
    with refusals(Path(path)):
        Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


@contextmanager
def folder_for(path: str | os.PathLike[str]) -> Iterator[Path]:
    """What :func:`make_folder` makes, and gone again where the block fails before there is anything in it."""
    target = Path(path)
    with refusals(target):
        made = [each for each in (target, *target.parents) if not each.exists()]
    try:
        yield make_folder(target)
    except BaseException:
        with suppress(OSError):  # one that is not empty stays, and so do those around it
            for each in made:
                each.rmdir()
        raise


def check_place(path: str | os.PathLike[str]) -> None:
    """Raises OutputError, before any work is done, where :func:`whole_file` could not write `path`: it is a folder or a
    device, its name is too long, or the folder that it is in is not there or may not be written to."""
    target = Path(path)
    with refusals(target):
        if not stat.S_ISDIR(target.parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with suppress(FileNotFoundError):
            mode = target.stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):  # which the file would be put in the place of
                raise OutputError(f"cannot write {os.fspath(target)!r}: this is a device or a pipe: give another name")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def refusals(target: Path) -> Iterator[None]:
    """Turns what the operating system refuses within the block into OutputError, one sentence."""
    if "\0" in os.fspath(target):
        raise OutputError(f"cannot write {os.fspath(target)!r}: no name has a zero byte in it: give another name")
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0) or error.strerror or str(error)
        raise OutputError(f"cannot write {os.fspath(target)!r}: {reason}") from error
