"""Compiled files on disk: what was shipped with fastact, and the user's cache, filled by programs of their own.

A file's name has in it what it is for, hashes of the source and of the compiler's version, and a hash of the file
itself, so that a stale or damaged one is not loaded. What is kept in the cache is the user's alone: nobody else can
have put code there.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from .digest import sha256
from .records import dataclass

log = logging.getLogger("fastact.kernels")

KEPT_DAYS = 90
"""How long a compiled file stays in the cache when others are built; one that goes too early is compiled again."""


class BuildError(Exception):
    """The kernels cannot be built or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class Candidate:
    """A file that may hold the kernels: where it comes from, and why it is not used, if so."""

    path: Path
    origin: str
    refusal: str | None


@dataclass(frozen=True)
class Shelf:
    """A folder with compiled files.

    Attributes:
        origin: what users read of it.
        wanted: hashes that a file's name must have, of the kernels' source and of the compiler, or of the first alone.
        private: nobody but the user may be able to write to it.
    """

    folder: Path
    origin: str
    wanted: tuple[str, ...]
    private: bool


def cache_folder() -> Path:
    """Where this user's compiled kernels are kept."""
    import platformdirs  # not loaded where all was shipped

    return platformdirs.user_cache_path("fastact") / "kernels"


def candidates(prefix: str, shelves: Iterable[Shelf]) -> Iterator[Candidate]:
    """The files there are whose names begin with `prefix` and a dash, the ones to prefer first."""
    for shelf in shelves:
        for path in sorted(shelf.folder.glob(f"{prefix}-*.*")):
            yield Candidate(path, shelf.origin, _refusal(path, f"{prefix}-", shelf))


def _refusal(path: Path, prefix: str, shelf: Shelf) -> str | None:
    """Why a file is not used, or None: stale, open to others, or not what its name says."""
    parts = path.stem.removeprefix(prefix).split("-")
    for part, hashed, what in zip(parts, shelf.wanted, ("the kernels' source", "the compiler"), strict=False):
        if part != hashed:
            return f"it was made from another version of {what}"
    if shelf.private and not (_private(path) and _private(path.parent)):
        return "others than this user can write to it"
    try:
        return None if parts[-1] == digest(path) else "it is damaged"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


@dataclass(frozen=True)
class Recipe:
    """How a compiled file is made.

    Attributes:
        target: what it is for, in words.
        takes: how long it takes, in words.
        command: the command that writes the kernels to a path.
        suffix: the ending of the file's name, given whether it goes into the cache.
        name: the name to keep it under, given where it was written.
        environment: of the program; None for this process's.
    """

    target: str
    takes: str
    command: Callable[[Path], list[str]]
    suffix: Callable[[bool], str]
    name: Callable[[Path], str]
    environment: Mapping[str, str] | None = None


def make(recipe: Recipe) -> Path:
    """Has kernels compiled by a program of its own; the result goes into the cache under the name of its content.

    Two processes that do so at once both succeed, with the same result. Where the cache cannot be used, the result is
    in a temporary folder, which goes when the process ends.

    Raises:
        BuildError: it fails.
    """
    import shutil  # these two are not loaded where a compiled file is found
    import subprocess

    started = time.monotonic()
    log.warning("compiling the kernels for %s, once: this takes about %s", recipe.target, recipe.takes)
    place, kept = _build_folder()
    made = place / f"kernels{recipe.suffix(kept)}"
    try:
        result = subprocess.run(
            recipe.command(made), capture_output=True, text=True, check=False, env=recipe.environment
        )
        if result.returncode:
            reason = result.stderr.strip().rpartition("\n")[2] or f"exit status {result.returncode}"
            raise BuildError(f"the kernels cannot be compiled for {recipe.target}: {reason}")
        log.info("compiled in %.1f s", time.monotonic() - started)
        if not kept:
            return made
        made.chmod(0o600)  # whatever the umask is: a file that others can write to would be refused next time
        final = cache_folder() / recipe.name(made)
        if final.is_dir():
            shutil.rmtree(final)
        made.replace(final)
        _forget_old(final)
        return final
    except OSError as error:
        raise BuildError(f"the kernels cannot be compiled for {recipe.target}: {error}") from error
    finally:
        if kept:
            shutil.rmtree(place, ignore_errors=True)


def _forget_old(newest: Path) -> None:
    """Deletes from the cache what was compiled long ago: for a fastact, a Numba or a machine that is likely gone.

    And the folders in which it was begun and not ended, since the machine was switched off.
    """
    import shutil

    for path in newest.parent.iterdir():
        with contextlib.suppress(OSError):  # another process does the same, or the file is not ours to delete
            if path.stat().st_mtime < newest.stat().st_mtime - KEPT_DAYS * 86_400:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _build_folder() -> tuple[Path, bool]:
    """A new folder to build in, and whether it lies in the cache; else it goes when the process ends."""
    import atexit
    import shutil
    import tempfile

    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _private(folder):
            raise PermissionError(errno.EPERM, "others than this user can write to it")
        return Path(tempfile.mkdtemp(dir=folder)), True
    except OSError as error:
        log.warning("%s cannot be used (%s): the kernels are compiled again in each process", folder, error.strerror)
    try:
        place = Path(tempfile.mkdtemp(prefix="fastact-"))
    except OSError as error:
        raise BuildError(f"there is no folder to compile the kernels in: {error.strerror}") from error
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place, False


def source_hash(sources: Iterable[Path]) -> str:
    """Changes with what any of these files holds."""
    hashed = sha256()
    for source in sorted(sources):
        hashed.update(source.read_bytes())
    return hashed.hexdigest()[:16]


def digest(path: Path) -> str:
    """Changes with what the file holds."""
    return sha256(path.read_bytes()).hexdigest()[:16]


def _private(path: Path) -> bool:
    """Whether nobody but this user can have put code there."""
    try:
        status = path.stat()
    except OSError:
        return False
    return os.name != "posix" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
