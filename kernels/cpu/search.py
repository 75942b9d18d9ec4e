"""Finds the compiled kernels for this CPU on disk, or has them built.

In order: what was shipped with fastact; the user's cache; else built now, by a program of its own, and kept in the
cache. A file's name has in it the level, the tile table, hashes of the kernels' source and of the compiler's
version, and a hash of the file itself, so that a stale or damaged one is not loaded.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..digest import sha256
from ..records import dataclass
from .levels import LEVELS, supported

log = logging.getLogger("fastact.kernels")

SHIPPED = Path(__file__).parent / "lib"
"""Where a wheel has its compiled kernels."""


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


def best_level() -> str:
    """The best level this CPU has; BuildError if it has none."""
    levels = supported()
    if not levels:
        raise BuildError(
            f"fastact has no kernels for this CPU ({platform.machine()}): it needs AVX2 with FMA, or AArch64"
        )
    return levels[0]


def cache_folder() -> Path:
    """Where this user's compiled kernels are kept."""
    import platformdirs  # not loaded where the library was shipped

    return platformdirs.user_cache_path("fastact") / "kernels"


def candidates(level: str, registers: str) -> Iterator[Candidate]:
    """The files there are for a level, the ones to prefer first."""
    for folder, origin, wanted in (
        (SHIPPED, "shipped", (source_hash(),)),
        (cache_folder(), "cache", (source_hash(), compiler_hash())),
    ):
        for path in sorted(folder.glob(f"{level}-{registers}-*.*")):
            yield Candidate(path, origin, _refusal(path, f"{level}-{registers}-", wanted, origin == "cache"))


def _refusal(path: Path, prefix: str, wanted: tuple[str, ...], private: bool) -> str | None:
    """Why a file is not used, or None: stale, open to others, or not what its name says."""
    parts = path.stem.removeprefix(prefix).split("-")
    for part, hashed, what in zip(parts, wanted, ("the kernels' source", "the compiler"), strict=False):
        if part != hashed:
            return f"it was made from another version of {what}"
    if private and not (_private(path) and _private(path.parent)):
        return "others than this user can write to it"
    try:
        return None if parts[-1] == _digest(path) else "it is damaged"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def build(level: str, registers: str) -> Path:
    """Has the kernels built by a program of their own; the result goes into the cache under the name of its content.

    Two processes that build at once both succeed, with the same result. Where the cache cannot be used, the result
    is an object file in a temporary folder: the linker may need the same cache.

    Raises:
        BuildError: Numba is not installed, or the build fails.
    """
    if importlib.util.find_spec("numba") is None:
        raise BuildError(
            f"no compiled kernels for {level} are at hand, and Numba, which compiles them, is not installed: "
            "pip install 'fastact[jit]'"
        )
    import shutil  # these two are not loaded where a library is found
    import subprocess

    started = time.monotonic()
    log.warning("compiling the kernels for %s, once: this takes about ten seconds on a PC, a minute on a board", level)
    place, kept = _build_folder()
    made = place / f"kernels{_suffix(level) if kept else '.o'}"
    command = [sys.executable, "-m", f"{__package__}.build", level, registers, str(made)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            reason = result.stderr.strip().rpartition("\n")[2] or f"exit status {result.returncode}"
            raise BuildError(f"the kernels cannot be compiled for {level}: {reason}")
        log.info("compiled in %.1f s", time.monotonic() - started)
        if not kept:
            return made
        made.chmod(0o600)  # whatever the umask is: a file that others can write to would be refused next time
        final = cache_folder() / file_name(level, registers, made)
        if final.is_dir():
            shutil.rmtree(final)
        made.replace(final)
        _forget_old(final)
        return final
    except OSError as error:
        raise BuildError(f"the kernels cannot be compiled for {level}: {error}") from error
    finally:
        if kept:
            shutil.rmtree(place, ignore_errors=True)


def _forget_old(newest: Path) -> None:
    """Deletes from the cache what was compiled long ago: for a fastact, a Numba or a CPU that is likely gone."""
    for path in newest.parent.iterdir():
        with contextlib.suppress(OSError):  # another process does the same, or the file is not ours to delete
            if path.is_file() and path.stat().st_mtime < newest.stat().st_mtime - KEPT_DAYS * 86_400:
                path.unlink()


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


def file_name(level: str, registers: str, made: Path) -> str:
    """The name a compiled file is kept under."""
    return f"{level}-{registers}-{source_hash()}-{compiler_hash()}-{_digest(made)}{made.suffix}"


def _suffix(level: str) -> str:
    """Where there is no linker, an object file has to do."""
    from .build import linker

    return ".so" if linker(LEVELS[level]) is not None else ".o"


@functools.cache
def source_hash() -> str:
    """Changes with the source of what is compiled: the modules beside this one, and the operations."""
    here, digest = Path(__file__).parent, sha256()
    for source in sorted([*here.glob("*.py"), *here.parent.glob("ops/*.py")]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def compiler_hash() -> str:
    """Changes with the versions of Numba and llvmlite.

    Their version files are read without importing them: importlib.metadata alone would take longer than a frame.
    """
    digest = sha256()
    for package in ("numba", "llvmlite"):
        spec = importlib.util.find_spec(package)
        version = Path(spec.origin).parent / "_version.py" if spec is not None and spec.origin else None
        digest.update(version.read_bytes() if version is not None and version.is_file() else b"absent")
    return digest.hexdigest()[:8]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:16]


def _private(path: Path) -> bool:
    """Whether nobody but this user can have put code there."""
    try:
        status = path.stat()
    except OSError:
        return False
    return os.name != "posix" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
