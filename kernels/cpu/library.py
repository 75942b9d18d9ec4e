"""Compiled kernels in this process.

Where they come from: search.py. A shared library needs neither Numba nor LLVM; an object file, which is what a machine
without a linker makes, is loaded by llvmlite.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..records import dataclass
from .levels import LEVELS
from .search import BuildError, best_level, build, candidates
from .steps import PREFIX

log = logging.getLogger("fastact.kernels")

__all__ = ["BuildError", "Library", "load"]


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
        return self.symbol(PREFIX + name)

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
    """The kernels for `level`, or for the best level this CPU has; built first where none are found.

    `registers` asks for another tile table than the level's own: tiles are plain vector code, so that those of one
    machine can be tested on another.

    Raises:
        BuildError: the CPU has none of the levels, or the kernels cannot be built or loaded.
    """
    level = level or best_level()
    registers = registers or LEVELS[level].registers
    for candidate in candidates(level, registers):
        if candidate.refusal is not None:
            log.debug("%s is not used: %s", candidate.path, candidate.refusal)
            continue
        try:
            return _open(level, registers, candidate.path)
        except BuildError as error:
            log.warning("%s", error)
    return _open(level, registers, build(level, registers))


def _open(level: str, registers: str, path: Path) -> Library:
    open_file = _open_object if path.suffix == ".o" else _open_shared
    return Library(level, registers, path, *open_file(path))


def _open_shared(path: Path) -> tuple[Callable[[str], int], Any]:
    try:
        library = ctypes.CDLL(str(path))
        _ = library.fastact_run
    except (OSError, AttributeError) as error:
        raise BuildError(f"the compiled kernels in {path} cannot be loaded: {error}") from error

    def symbol(name: str) -> int:
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0

    return symbol, library


def _open_object(path: Path) -> tuple[Callable[[str], int], Any]:
    """Loads an object file with LLVM's own loader: for machines without a linker."""
    import llvmlite.binding as llvm

    if not _whole_object(path.read_bytes()):  # LLVM's loader would take the process with it
        raise BuildError(f"the compiled kernels in {path} cannot be loaded: it is no object file, or not all of one")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    # Not with llvmlite's own memory manager, AArch64's default, which takes no object files.
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine, use_lmm=False)
    engine.add_object_file(llvm.ObjectFileRef.from_path(str(path)))
    engine.finalize_object()
    return engine.get_function_address, engine


def _whole_object(content: bytes) -> bool:
    """Whether `content` begins as a 64-bit ELF file does, and reaches to the end of the section table it announces."""
    if len(content) < 64 or content[:5] != b"\x7fELF\x02":
        return False
    (start,), (size, count) = struct.unpack_from("<Q", content, 40), struct.unpack_from("<HH", content, 58)
    return bool(start + size * count <= len(content))
