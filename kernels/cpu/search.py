"""Finds the compiled kernels for this CPU on disk, or has them built.

In order: what was shipped with fastact; the user's cache; else built now, by a program of its own, and kept in the
cache. A file's name has in it the level and the tile table, beside the hashes that :mod:`fastact.kernels.shelf` asks
for.
"""

from __future__ import annotations

import functools
import importlib.util
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import shelf
from ..digest import sha256
from ..shelf import BuildError, Candidate, cache_folder
from .levels import LEVELS, supported

__all__ = ["SHIPPED", "BuildError", "Candidate", "best_level", "build", "cache_folder", "candidates", "file_name"]

SHIPPED = Path(__file__).parent / "lib"
"""Where a wheel has its compiled kernels."""


def best_level() -> str:
    """The best level this CPU has; BuildError if it has none."""
    levels = supported()
    if not levels:
        raise BuildError(
            f"fastact has no kernels for this CPU ({platform.machine()}): it needs AVX2 with FMA, or AArch64"
        )
    return levels[0]


def candidates(level: str, registers: str) -> Iterator[Candidate]:
    """The files there are for a level, the ones to prefer first."""
    yield from shelf.candidates(f"{level}-{registers}", _shelves())


def _shelves() -> Iterator[shelf.Shelf]:
    yield shelf.Shelf(SHIPPED, "shipped", (source_hash(),), private=False)
    yield shelf.Shelf(cache_folder(), "cache", (source_hash(), compiler_hash()), private=True)


def build(level: str, registers: str) -> Path:
    """Has the kernels built by a program of their own, and kept: see :func:`fastact.kernels.shelf.make`.

    Where the cache cannot be used, the result is an object file: the linker may need the same cache.

    Raises:
        BuildError: Numba is not installed, or the build fails.
    """
    if importlib.util.find_spec("numba") is None:
        raise BuildError(
            f"no compiled kernels for {level} are at hand, and Numba, which compiles them, is not installed: "
            "pip install 'fastact[jit]'"
        )
    recipe = shelf.Recipe(
        target=level,
        takes="half a minute on a PC, some minutes on a board",
        command=lambda made: [sys.executable, "-m", f"{__package__}.build", level, registers, str(made)],
        suffix=lambda kept: _suffix(level) if kept else ".o",
        name=lambda made: file_name(level, registers, made),
    )
    return shelf.make(recipe)


def file_name(level: str, registers: str, made: Path) -> str:
    """The name a compiled file is kept under."""
    return f"{level}-{registers}-{source_hash()}-{compiler_hash()}-{shelf.digest(made)}{made.suffix}"


def _suffix(level: str) -> str:
    """Where there is no linker, an object file has to do."""
    from .build import linker

    return ".so" if linker(LEVELS[level]) is not None else ".o"


@functools.cache
def source_hash() -> str:
    """Changes with the source of what is compiled: the modules beside this one, and the operations."""
    here = Path(__file__).parent
    return shelf.source_hash([*here.glob("*.py"), *here.parent.glob("ops/*.py")])


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
