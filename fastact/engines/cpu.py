"""The CPU: compiled kernels walk a plan's table, one frame after the other."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fastact.engines.base import Array, Engine, Prepared, Profile, Task
from fastact.engines.cpu_plan import CpuPlan
from fastact.errors import InputError, KernelError, ModelError
from fastact.kernels.cpu import library
from fastact.kernels.cpu.memory import Memory
from fastact.kernels.cpu.threads import Team
from fastact.kernels.ops import Floats
from fastact.layout import ARENA, FIRST_INPUT, OUTPUTS, Output
from fastact.maps import FeatureMaps


class CpuEngine(Engine):
    """`threads` threads of this machine.

    Raises:
        KernelError: the kernels cannot be compiled or loaded.
    """

    device = "cpu"

    def __init__(self, threads: int = 1) -> None:
        try:
            self._library = library.load()
        except library.BuildError as error:
            raise KernelError(str(error)) from error
        self._team = Team(self._library, threads)

    def prepare(self, task: Task) -> Prepared:  # noqa: D102
        return _OnCpu(task, self._plan(task), self._team)

    def profile(self, task: Task, inputs: Mapping[str, Array]) -> Profile:  # noqa: D102
        return _CpuProfile(self._plan(task), self._team, inputs)

    def _plan(self, task: Task) -> CpuPlan:
        plan = CpuPlan(task.recorded(), self._library, self._team.size)
        needed = plan.output_bytes + plan.arena_bytes
        if needed > _physical_memory():
            raise ModelError(
                f"the maps need {needed / 2**30:.1f} GiB, more than this machine has: "
                "choose fewer layers or a smaller input"
            )
        return plan


class _OnCpu(Prepared):
    """A plan with its memory."""

    def __init__(self, task: Task, plan: CpuPlan, team: Team) -> None:
        super().__init__(task, plan.inputs)
        self._plan, self._team, self._missing = plan, team, task.missing
        self._arena = Memory.of(plan.arena_bytes)
        self._blocks = _Blocks(plan.output_bytes)

    def maps(self) -> FeatureMaps:
        block, address = self._blocks.take()
        arrays = {o.name: np.ndarray(o.shape, np.float32, block, o.offset) for o in self._plan.outputs}
        return FeatureMaps(arrays, self._missing, (self, address))

    def run(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        assert maps.home is not None
        outputs: int = maps.home[1]
        addresses, kept = [], []
        for array in inputs:
            address = array.ctypes.data
            if outputs - array.nbytes < address < outputs + self._plan.output_bytes:  # maps that are fed back
                kept.append(array.copy())
                address = kept[-1].ctypes.data
            addresses.append(address)
        self._plan.run(self._team, addresses, self._arena.address, outputs)

    def batch(self, inputs: Sequence[Sequence[Array]]) -> FeatureMaps:
        frames, size = len(inputs[0]), self._plan.output_bytes
        if frames * size > _physical_memory():
            raise InputError(
                f"the maps of {frames} frames need {frames * size / 2**30:.1f} GiB, more than this machine has: give "
                f"fewer frames at once"
            )
        memory = Memory.of(frames * size)
        for i, of_one in enumerate(zip(*inputs, strict=True)):
            addresses = [array.ctypes.data for array in of_one]
            self._plan.run(self._team, addresses, self._arena.address, memory.address + i * size)
        block = np.frombuffer(memory.bytes, np.uint8)
        return FeatureMaps({o.name: _frames(o, frames, size, block) for o in self._plan.outputs}, self._missing)


def _frames(output: Output, frames: int, size: int, block: Array) -> Floats:
    """One output of all frames, which lie `size` bytes apart."""
    one = np.ndarray(output.shape, np.float32, block, output.offset)
    made: Floats = np.ndarray((frames, *output.shape), np.float32, block, output.offset, (size, *one.strides))
    return made


class _CpuProfile(Profile):
    """Steps timed one by one: one thread by its CPU time, into which the work of other programs does not enter.

    Several threads wait for each other, which CPU time does not tell from work.
    """

    def __init__(self, plan: CpuPlan, team: Team, inputs: Mapping[str, Array]) -> None:
        self.stretches = plan.stretches
        self.clock = layers_clock(team.size)
        self._plan, self._team, self._inputs = plan, team, dict(inputs)
        self._memory = [self._place(ARENA, plan.arena_bytes), self._place(OUTPUTS, plan.output_bytes)]
        for number, name in enumerate(plan.inputs):
            plan.table.place(FIRST_INPUT + number, inputs[name].ctypes.data)

    def _place(self, region: int, size: int) -> Memory:
        memory = Memory.of(size)
        self._plan.table.place(region, memory.address)
        return memory

    def seconds(self, runs: Sequence[tuple[int, int]]) -> list[float]:
        table, size = self._plan.table, self._plan.table.rows.strides[0]
        clock, spent = _CLOCKS[self.clock], []
        for first, last in runs:
            start = clock()
            self._team.run(table.address + first * size, last - first)
            spent.append((clock() - start) / 1e9)
        return spent


_CLOCKS: dict[str, Callable[[], int]] = {"cpu": time.thread_time_ns, "wall": time.perf_counter_ns}


_COARSE = 100_000
"""Nanoseconds: a clock that advances by more at once shows no time at all of most layers."""
_LONGEST_TICK = 50_000_000


def layers_clock(threads: int) -> str:
    """The clock by which steps are timed, "cpu" for one thread where the system counts its CPU time finely."""
    return "cpu" if threads == 1 and _tick(_CLOCKS["cpu"]) <= _COARSE else "wall"


def _tick(clock: Callable[[], int]) -> int:
    """By how many nanoseconds a clock advances at once: some systems count CPU time in hundredths of a second."""
    start, end = clock(), time.perf_counter_ns() + _LONGEST_TICK
    while (now := clock()) == start:
        if time.perf_counter_ns() > end:
            return _LONGEST_TICK
    return now - start


class _Lent(weakref.ref[Array]):
    """A reference to the array through which `memory` is lent out."""

    __slots__ = ("memory",)
    memory: Memory


class _Blocks:
    """Memory for wanted maps. It comes back once no map in it is alive, so that a loop needs two blocks.

    Fresh memory would cost a page fault for every 4 KB of maps, about a tenth of the time of a 640x360 frame.
    """

    _KEPT = 2

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[Memory] = []
        self._lent: dict[int, _Lent] = {}

    def take(self) -> tuple[Array, int]:
        """A block that nobody uses, and its address.

        Maps made from the array keep it alive, and when it dies the memory is free again.
        """
        memory = self._free.pop() if self._free else Memory.of(self._size)
        array = np.frombuffer(memory.bytes, np.uint8)
        lent = _Lent(array, self._give_back)
        lent.memory = memory
        self._lent[id(lent)] = lent
        return array, memory.address

    def _give_back(self, lent: weakref.ref[Array]) -> None:
        memory = self._lent.pop(id(lent)).memory
        if len(self._free) < self._KEPT:
            self._free.append(memory)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**40
