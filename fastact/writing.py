"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
def refusals(target: Path) -> Iterator[None]:
    """Turns what the operating system refuses within the block into OutputError, one sentence."""
    if "\0" in os.fspath(target):
        raise OutputError(f"cannot write {os.fspath(target)!r}: no name has a zero byte in it")
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0) or error.strerror or str(error)
        raise OutputError(f"cannot write {os.fspath(target)!r}: {reason}") from error
