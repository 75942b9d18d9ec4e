"""A GPU where one can be used, else the CPU, which also takes over where the GPU fails."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from fastact.engines.base import Array, Engine, Prepared, Profile, Task
from fastact.engines.cpu import CpuEngine
from fastact.errors import KernelError
from fastact.maps import FeatureMaps

log = logging.getLogger("fastact.engines")

T = TypeVar("T")


def auto_engine(threads: int) -> Engine:
    """An engine for the GPU that goes on with the CPU where that fails; the CPU's where there is no GPU."""
    try:
        from fastact.engines.cuda import CudaEngine

        return AutoEngine(CudaEngine(), threads)
    except KernelError as error:
        _say(str(error))
        return CpuEngine(threads)


@functools.cache
def _say(reason: str) -> None:
    """Says once in a process why the GPU is not used."""
    log.warning("the CPU computes, since the GPU cannot: %s", reason)


class AutoEngine(Engine):
    """`gpu` for as long as it works, then the CPU for good."""

    def __init__(self, gpu: Engine, threads: int) -> None:
        self._now, self._gpu, self._threads = gpu, gpu, threads

    @property
    def device(self) -> str:  # type: ignore[override]  # it changes
        """What computes just now."""
        return self._now.device

    @property
    def ahead(self) -> int:  # type: ignore[override]
        """As the engine that computes just now has it."""
        return self._now.ahead

    def prepare(self, task: Task) -> Prepared:  # noqa: D102
        return self.attempt(lambda: _OnEither(self, task, self._now.prepare(task)), lambda: self._now.prepare(task))

    def profile(self, task: Task, inputs: Mapping[str, Array]) -> Profile:  # noqa: D102
        return self.attempt(lambda: self._now.profile(task, inputs), lambda: self._now.profile(task, inputs))

    @property
    def on_gpu(self) -> bool:
        """Whether the GPU still computes."""
        return self._now is self._gpu

    def attempt(self, work: Callable[[], T], instead: Callable[[], T]) -> T:
        """What `work` gives on the GPU, or `instead` on the CPU, where the GPU was left or fails now."""
        if self.on_gpu:
            try:
                return work()
            except KernelError as error:
                if self._now is self._gpu:  # else it is the CPU's own
                    _say(str(error))
                    self._now = CpuEngine(self._threads)
        return instead()


class _OnEither(Prepared):
    """A plan on the GPU, and one on the CPU from when that is needed."""

    def __init__(self, engine: AutoEngine, task: Task, gpu: Prepared) -> None:
        super().__init__(task, gpu.inputs)
        self._engine, self._task, self._gpu = engine, task, gpu
        self._begun: dict[int, list[Array]] = {}

    @functools.cached_property
    def _cpu(self) -> Prepared:
        return self._engine.prepare(self._task)

    def maps(self) -> FeatureMaps:
        return self._engine.attempt(lambda: self._homed(self._gpu.maps()), self._cpu_maps)

    def stream_maps(self) -> FeatureMaps:
        return self._engine.attempt(lambda: self._homed(self._gpu.stream_maps()), self._cpu_maps)

    def run(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        self._engine.attempt(lambda: self._gpu.run(inputs, maps), lambda: self._recompute(inputs, maps))

    def start(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        self._begun[id(maps)] = [np.array(array) for array in inputs]  # the caller may overwrite them before it fails
        self._engine.attempt(lambda: self._gpu.start(inputs, maps), lambda: None)

    def finish(self, maps: FeatureMaps) -> FeatureMaps:
        inputs = self._begun.pop(id(maps))

        def instead() -> FeatureMaps:
            self._recompute(inputs, maps)
            return maps

        return self._engine.attempt(lambda: self._gpu.finish(maps), instead)

    def batch(self, inputs: Sequence[Sequence[Array]]) -> FeatureMaps:
        return self._engine.attempt(lambda: self._gpu.batch(inputs), lambda: self._cpu.batch(inputs))

    def _cpu_maps(self) -> FeatureMaps:
        return self._homed(self._cpu.maps())

    def _homed(self, maps: FeatureMaps) -> FeatureMaps:
        assert maps.home is not None
        maps.home = (self, maps.home[1])
        return maps

    def _recompute(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        """The CPU's values, in maps that may have been the GPU's."""
        from fastact.engines.cuda_maps import CudaMaps

        if isinstance(maps, CudaMaps):
            fresh = self._cpu.maps()
            self._cpu.run(inputs, fresh)
            maps.adopt(fresh)
        else:
            self._cpu.run(inputs, maps)
