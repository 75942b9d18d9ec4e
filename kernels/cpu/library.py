"""Finds the compiled kernels for this CPU, or has them built, and calls them.

In order: the user's cache; else built now, by a program of its own, and kept there. Where the machine has a linker
the result is a shared library and this process needs neither Numba nor LLVM; where it has none, an object file that
llvmlite loads.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from .levels import LEVELS, supported

log = logging.getLogger("fastact.kernels")

_PREFIX = "fastact_kernel_"


class BuildError(Exception):
    """The kernels cannot be built or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class Library:
    """Compiled kernels in this process; `registers` names their tile table."""

    level: str
    registers: str
    path: Path
    symbol: Callable[[str], int]
    keep: Any

    def kernel(self, name: str) -> int:
        """The address of a kernel."""
        return self.symbol(_PREFIX + name)

    def _entry(self, name: str, arguments: int) -> Callable[..., None]:
        return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(self.symbol(name))

    @functools.cached_property
    def _run(self) -> Callable[..., None]:
        return self._entry("fastact_run", 5)

    @functools.cached_property
    def lead(self) -> Callable[[int, int, int], None]:
        """lead(control, table, steps): see team.py, as for `work` and `stop`."""
        return self._entry("fastact_lead", 3)

    @functools.cached_property
    def work(self) -> Callable[[int, int], None]:
        """work(control, me)."""
        return self._entry("fastact_work", 2)

    @functools.cached_property
    def stop(self) -> Callable[[int], None]:
        """stop(control)."""
        return self._entry("fastact_stop", 1)

    def run(self, table: int, steps: int) -> None:
        """Walks `steps` rows of the table at address `table`; Python's lock is released meanwhile."""
        self._run(table, 0, steps, 0, 1)

    def run_part(self, table: int, first: int, last: int, me: int, team: int) -> None:
        """The share of member `me` of `team` in steps first..last-1: what a team's member does between meetings."""
        self._run(table, first, last, me, team)


@functools.cache
def load(level: str | None = None, registers: str | None = None) -> Library:
    """The kernels for `level`, or for the best level this CPU has; built first where they are not cached.

    `registers` asks for another tile table than the level's own: tiles are plain vector code, so that those of one
    machine can be tested on another.

    Raises:
        BuildError: the CPU has none of the levels, or the kernels cannot be built or loaded.
    """
    level = level or _best_level()
    registers = registers or LEVELS[level].registers
    key = f"{level}-{registers}-{_version()}"
    folder = platformdirs.user_cache_path("fastact") / "kernels"
    for path in sorted(folder.glob(f"{key}-*")) if _trusted(folder) else ():
        if _digest(path) == path.stem.rpartition("-")[2] and _trusted(path):
            return _open(level, registers, path)
        log.warning("%s is damaged and is built anew", path)
    return _open(level, registers, _build(level, registers, key, folder))


def _best_level() -> str:
    levels = supported()
    if not levels:
        raise BuildError(
            "this CPU has no vector instructions fastact has kernels for: it needs AVX2 with FMA, or AArch64"
        )
    return levels[0]


def _version() -> str:
    """Changes with whatever the compiled code depends on beside its target: its source and the compiler."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(source.read_bytes())
    for package in ("numba", "llvmlite"):
        # Their version files, without importing them; importlib.metadata alone would take longer than a frame.
        spec = importlib.util.find_spec(package)
        version = Path(spec.origin).parent / "_version.py" if spec is not None and spec.origin else None
        digest.update(version.read_bytes() if version is not None and version.is_file() else b"absent")
    return digest.hexdigest()[:16]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _trusted(path: Path) -> bool:
    """Whether nobody but this user can have put code there."""
    try:
        status = path.stat()
    except OSError:
        return False
    return os.name != "posix" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _build(level: str, registers: str, key: str, folder: Path) -> Path:
    """Builds in a program of its own, then moves the result into the cache under the name of its content."""
    started = time.monotonic()
    log.warning("compiling the kernels for %s, once: this takes about ten seconds on a PC, a minute on a board", level)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = tempfile.mkdtemp(dir=folder)
    except OSError as error:
        place = tempfile.mkdtemp(prefix="fastact-")
        log.warning("%s cannot be written (%s): the kernels are compiled again in each process", folder, error)
    suffix = ".so" if _has_linker() else ".o"
    made = Path(place) / f"kernels{suffix}"
    command = [sys.executable, "-m", f"{__package__}.build", level, registers, str(made)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = result.stderr.strip().rpartition("\n")[2] or f"exit status {result.returncode}"
        raise BuildError(f"the kernels cannot be compiled for {level}: {reason}")
    log.info("compiled in %.1f s", time.monotonic() - started)
    if not Path(place).is_relative_to(folder):
        return made
    final = folder / f"{key}-{_digest(made)}{suffix}"
    made.replace(final)
    Path(place).rmdir()
    return final


def _has_linker() -> bool:
    from .build import linker

    return linker() is not None


def _open(level: str, registers: str, path: Path) -> Library:
    open_file = _open_object if path.suffix == ".o" else _open_shared
    return Library(level, registers, path, *open_file(path))


def _open_shared(path: Path) -> tuple[Callable[[str], int], Any]:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"the compiled kernels in {path} cannot be loaded: {error}") from error

    def symbol(name: str) -> int:
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0

    return symbol, library


def _open_object(path: Path) -> tuple[Callable[[str], int], Any]:
    """Loads an object file with LLVM's own loader: for machines without a linker."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_path(str(path)))
    engine.finalize_object()
    return engine.get_function_address, engine
