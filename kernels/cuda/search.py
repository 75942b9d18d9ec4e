"""Finds the kernels' PTX for a GPU on disk, or has it made.

In order: what was shipped with fastact; the user's cache; else made now, by a program of its own, and kept in the
cache. A file's name has in it the capability that it is for, beside the hashes that :mod:`fastact.kernels.shelf` asks
for.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import shelf
from ..digest import sha256
from ..shelf import BuildError, Candidate, cache_folder
from .build import TARGETS

__all__ = ["LEAST", "SHIPPED", "BuildError", "Candidate", "build", "cache_folder", "candidates", "find", "target"]

SHIPPED = Path(__file__).parent / "ptx"
"""Where a wheel has its PTX."""

LEAST = min(TARGETS)
"""The least capability that there is code for."""

Capability = tuple[int, int]


def target(capability: Capability) -> Capability | None:
    """The capability whose PTX a GPU of `capability` takes: the highest that it reaches, or None."""
    return max((made for made in TARGETS if made <= capability), default=None)


def find(capability: Capability) -> Path:
    """The archive with PTX for a GPU of `capability`; made first where none is found.

    Raises:
        BuildError: there is no code for such a GPU, or it cannot be made.
    """
    reached = target(capability)
    if reached is None:
        raise BuildError(f"there is no code for compute capability {_show(capability)}, only from {_show(LEAST)} on")
    for candidate in candidates(reached):
        if candidate.refusal is None:
            return candidate.path
        shelf.log.debug("%s is not used: %s", candidate.path, candidate.refusal)
    return build(reached)


def candidates(made_for: Capability) -> Iterator[Candidate]:
    """The files there are for one of TARGETS, the ones to prefer first."""
    yield from shelf.candidates(_prefix(made_for), _shelves())


def _shelves() -> Iterator[shelf.Shelf]:
    yield shelf.Shelf(SHIPPED, "shipped", (source_hash(),), private=False)
    # The compiler's hash takes a tenth of a second, which is not spent where PTX was shipped.
    yield shelf.Shelf(cache_folder(), "cache", (source_hash(), compiler_hash()), private=True)


def build(made_for: Capability) -> Path:
    """Has PTX made by a program of its own, and kept: see :func:`fastact.kernels.shelf.make`.

    Raises:
        BuildError: numba-cuda is not installed, or the build fails.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise BuildError(
            f"no kernels for GPUs of compute capability {_show(made_for)} are at hand, and numba-cuda, which compiles "
            "them, is not installed: pip install 'fastact[cuda]'"
        )
    recipe = shelf.Recipe(
        target=f"GPUs of compute capability {_show(made_for)}",
        takes="a minute on a PC, several on a board",
        command=lambda made: command(made_for, made),
        suffix=lambda kept: ".zip",
        name=lambda made: file_name(made_for, made),
        environment=environment(),
    )
    return shelf.make(recipe)


def command(made_for: Capability, path: Path) -> list[str]:
    """The command that writes the archive for one of TARGETS to `path`, to be run in :func:`environment`."""
    return [sys.executable, "-m", f"{__package__}.build", _show(made_for), str(path)]


def environment() -> dict[str, str]:
    """This process's environment, without what would make Numba simulate a GPU instead of compiling for one."""
    return {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}


def file_name(made_for: Capability, made: Path) -> str:
    """The name an archive is kept under."""
    return f"{_prefix(made_for)}-{source_hash()}-{compiler_hash()}-{shelf.digest(made)}{made.suffix}"


def _prefix(made_for: Capability) -> str:
    return f"ptx-{_show(made_for)}"


def _show(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"


def sources() -> list[Path]:
    """What is compiled, and what compiles it."""
    here = Path(__file__).parent
    beside = [here / f"{name}.py" for name in ("boards", "build", "catalog", "ceilings", "tiles")]
    return [*beside, *here.glob("code/*.py")]


@functools.cache
def source_hash() -> str:
    """Changes with the source of what is compiled."""
    return shelf.source_hash(sources())


@functools.cache
def compiler_hash() -> str:
    """Changes with the versions of Numba, numba-cuda and the packages that hold NVIDIA's compiler (NVVM)."""
    from importlib import metadata

    digest = sha256()
    for package in ("numba", "numba-cuda", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvcc", "nvidia-nvvm"):
        try:
            digest.update(metadata.version(package).encode())
        except metadata.PackageNotFoundError:
            digest.update(b"absent")
    return digest.hexdigest()[:8]
