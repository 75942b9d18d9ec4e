"""Where the values of a recording lie: in regions of memory, whose addresses are known when it runs.

Inputs lie where they come in. Wanted maps lie side by side in a block of their own, which each call can have anew;
what nobody asked for shares one arena by liveness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from fastact.kernels import ops
from fastact.kernels.places import Place
from fastact.kernels.program import Instruction, Value
from fastact.kernels.records import dataclass
from fastact.recording import Recording

ARENA, OUTPUTS, FIRST_INPUT = 0, 1, 2
"""Regions of memory: what is dropped after a call, the wanted maps, and one region for each input."""


class Stage(Protocol):
    """Instructions that run together; all that they read and write is in memory at once.

    Attributes:
        feeds: how many of the instructions, the first ones, have an output that lies in the stage's scratch memory.
        scratch_bytes: that memory's size.
    """

    @property
    def instructions(self) -> tuple[Instruction, ...]: ...  # noqa: D102

    @property
    def feeds(self) -> int: ...  # noqa: D102

    @property
    def scratch_bytes(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Output:
    """A wanted map: `offset` bytes into the block of outputs."""

    name: str
    offset: int
    shape: ops.Shape


@dataclass(frozen=True)
class Stretch:
    """Steps `first` to `last` (exclusive) of a plan, which run together, the nodes they compute, and how many
    multiply-adds they do for it: fewer than the nodes' own where pixels are computed in pairs."""

    first: int
    last: int
    nodes: tuple[str, ...]
    multiplied: int


class Layout:
    """Gives every buffer its place.

    Args:
        recording: what is computed.
        stages: its instructions in groups, in order.
        line: the bytes that no two buffers share.
        in_place: whether an instruction's output may lie where its first input does, if that dies and is as large.

    Attributes:
        outputs: where each wanted map lies in a block of `output_bytes`.
        arena_bytes: memory for all that is not wanted.
    """

    def __init__(
        self, recording: Recording, stages: Sequence[Stage], line: int, in_place: Callable[[ops.Op], bool]
    ) -> None:
        self._root, self._line, self._in_place = recording.recorder.root, line, in_place
        self._places: dict[int, Place] = {v.number: Place(FIRST_INPUT + i) for i, v in enumerate(recording.given)}
        self._scratch: list[Place] = []
        self.output_bytes = self.arena_bytes = 0
        for value in recording.results.values():
            if self._root(value) not in self._places:
                self._places[self._root(value)] = Place(OUTPUTS, self.output_bytes)
                self.output_bytes += self._bytes(value)
        self._arrange(stages)
        self.outputs = tuple(Output(n, self.place(v).offset, v.shape) for n, v in recording.results.items())

    def place(self, value: Value) -> Place:
        """Where `value` lies."""
        return self._places[self._root(value)]

    def scratch(self, number: int) -> Place:
        """Where stage number `number` has its scratch memory."""
        return self._scratch[number]

    def _arrange(self, stages: Sequence[Stage]) -> None:
        """Arena places, first fit over buffers alive at the same time.

        All that a stage reads and writes is alive throughout it, since its strips take turns.
        """
        last_use: dict[int, tuple[int, int]] = {}
        for i, stage in enumerate(stages):
            for j, instruction in enumerate(stage.instructions):
                last_use |= {self._root(v): (i, j) for v in instruction.inputs}
        alive: dict[int, tuple[int, int]] = {}
        for i, stage in enumerate(stages):
            made: set[int] = set()
            for j, instruction in enumerate(stage.instructions[stage.feeds :], stage.feeds):
                root = self._root(instruction.output)
                if root not in self._places:
                    first = self._root(instruction.inputs[0])
                    of_this = first in made or j == stage.feeds  # else a strip may need what another has overwritten
                    if of_this and first in alive and last_use[first] == (i, j) and self._may_overwrite(instruction):
                        alive[root] = alive.pop(first)
                    else:
                        size = self._bytes(instruction.output)
                        alive[root] = _first_fit(alive.values(), size), size
                    self._places[root] = Place(ARENA, alive[root][0])
                    self.arena_bytes = max(self.arena_bytes, sum(alive[root]))
                made.add(root)
            self._scratch.append(Place(ARENA, _first_fit(alive.values(), stage.scratch_bytes)))
            if stage.scratch_bytes:
                self.arena_bytes = max(self.arena_bytes, self._scratch[-1].offset + stage.scratch_bytes)
            for dead in [b for b in alive if last_use.get(b, (i, 0))[0] <= i]:
                del alive[dead]

    def _may_overwrite(self, instruction: Instruction) -> bool:
        """Whether the output may lie where the first input does."""
        same_size = math.prod(instruction.inputs[0].shape) == math.prod(instruction.output.shape)  # not stretched
        return self._in_place(instruction.op) and same_size

    def _bytes(self, value: Value) -> int:
        """A value's bytes as float32, in whole lines."""
        return -(-4 * math.prod(value.shape) // self._line) * self._line


def _first_fit(taken: Iterable[tuple[int, int]], size: int) -> int:
    """The lowest offset at which `size` bytes are free."""
    offset = 0
    for start, length in sorted(taken):
        if offset + size <= start:
            break
        offset = max(offset, start + length)
    return offset
