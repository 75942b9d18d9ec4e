"""What computes, and what that can do at most: a CPU as it is measured beside the model, a GPU as is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fastact.bench.peak import Peak, bandwidth
from fastact.bench.result import Ability, Gpu
from fastact.errors import KernelError
from fastact.kernels.cpu import library

_ALONE_BURSTS = 20


class Speed(Protocol):
    """What computes.

    Attributes:
        kernels: which compiled kernels it has, in a word or two.
        gpu: which GPU it is; None for the CPU.
        alone: FLOP/s of one thread, the best of a few bursts, where several are used; else None.
    """

    kernels: str
    gpu: Gpu | None
    alone: float | None

    def burst(self) -> float | None:
        """FLOP/s of a short burst now; None where none is measured."""

    def ability(self, bursts: Sequence[float]) -> Ability | None:
        """What was measured, of which `bursts` are the bursts; None where nothing was."""


class CpuSpeed:
    """`threads` threads of the CPU.

    Raises:
        KernelError: the kernels cannot be compiled or loaded.
    """

    gpu: Gpu | None = None

    def __init__(self, threads: int, root: Path) -> None:
        try:
            found = library.load()
        except library.BuildError as error:
            raise KernelError(str(error)) from error
        self.kernels = found.level
        self._memory, self._cache = bandwidth(found, threads, root)
        self._peak, one = Peak(found, threads), Peak(found, 1)
        self.alone = max(one.burst() for _ in range(_ALONE_BURSTS)) if threads > 1 else None

    def burst(self) -> float | None:  # noqa: D102
        return self._peak.burst()

    def ability(self, bursts: Sequence[float]) -> Ability | None:  # noqa: D102
        return Ability(max(bursts), self._memory, self._cache, tuple(bursts))


class GpuSpeed:
    """The GPU that the CUDA engine uses."""

    alone: float | None = None

    def __init__(self) -> None:
        from fastact.engines.cuda import CudaEngine  # not loaded for the CPU
        from fastact.kernels.cuda.driver import show
        from fastact.kernels.cuda.search import target

        card = CudaEngine().gpu.card
        made_for = target(card.capability)
        self.kernels = f"CUDA, PTX for {show(made_for)}" if made_for else "CUDA"
        self.gpu: Gpu | None = Gpu(
            card.name, show(card.capability), show(card.driver), card.memory, card.multiprocessors,
            card.clock, card.bandwidth or None, card.board.each.lanes,
        )  # fmt: skip

    def burst(self) -> float | None:  # noqa: D102
        return None

    def ability(self, bursts: Sequence[float]) -> Ability | None:  # noqa: D102
        return None
