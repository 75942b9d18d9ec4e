"""A plan: the steps that compute the wanted maps of a model, and where everything lies in memory.

Layers lower themselves to operations; a view (Reshape, Dropout) costs nothing, since it only gives a buffer another
shape. Buffers of maps nobody asked for share one arena by liveness; wanted maps lie side by side in a block of their
own, which each call can have anew.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

from fastact.errors import ModelError
from fastact.kernels import ops
from fastact.kernels.cpu import bands, encode
from fastact.kernels.cpu.bands import Band
from fastact.kernels.cpu.library import Library
from fastact.kernels.cpu.memory import aligned
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.cpu.threads import Team
from fastact.kernels.places import Place
from fastact.kernels.program import Instruction, Value
from fastact.kernels.records import dataclass
from fastact.layers import Tape
from fastact.node import Node

ARENA, OUTPUTS, FIRST_INPUT = 0, 1, 2
"""Regions of memory: what is dropped after a call, the wanted maps, and one region for each input."""


class Recorder(Tape):
    """Collects operations in order. Values that are views of one buffer share its `root`.

    Attributes:
        node: the name of the node that is being lowered.
        makers: for each operation's output, by number, the node it was made for.
    """

    def __init__(self) -> None:
        self.program: list[Instruction] = []
        self.node = ""
        self.makers: dict[int, str] = {}
        self._roots: list[int] = []

    def new(self, shape: ops.Shape, root: int | None = None) -> Value:
        """A new value: in a buffer of its own, or a view of buffer `root`."""
        number = len(self._roots)
        self._roots.append(number if root is None else root)
        return Value(number, shape)

    def root(self, value: Value) -> int:
        """The buffer `value` lies in."""
        return self._roots[value.number]

    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        """Appends `op`; a Reshape becomes a view."""
        if isinstance(op, ops.Reshape):
            return self.new(op.target, self.root(inputs[0]))
        output = self.new(op.shape(*(i.shape for i in inputs)))
        self.program.append(Instruction(op, inputs, output))
        self.makers[output.number] = self.node
        return output


class Further(ABC):
    """What is computed from a model's maps in the same call: operations after the model's own.

    Attributes:
        needs: names of the nodes it starts from.
    """

    needs: frozenset[str]

    @abstractmethod
    def append(self, recorder: Recorder, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """Emits its operations and returns its results by name, of which no node has one.

        Args:
            recorder: holds the operations of `needs` and of all that they need.
            values: what each of those nodes gives; of an input the floats, where a frame comes in bytes.
        """


@dataclass(frozen=True)
class Output:
    """A wanted map: `offset` bytes into the block of outputs."""

    name: str
    offset: int
    shape: ops.Shape


@dataclass(frozen=True)
class Stretch:
    """Steps `first` to `last` (exclusive) of a plan's table, which run together, and the nodes they compute."""

    first: int
    last: int
    nodes: tuple[str, ...]


class Plan:
    """The table of steps for some inputs and some wanted layers, ready to run.

    Attributes:
        stretches: all steps of the table in order, as far as they can be timed one from another.
        outputs: where each wanted map lies in a block of `output_bytes`.
        arena_bytes: scratch memory a run needs beside it.
        inputs: the names of the inputs that are used, in the order in which `run` takes their addresses.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        wanted: Iterable[str],
        in_bytes: Mapping[str, bool],
        library: Library,
        members: int = 1,
        further: Further | None = None,
    ) -> None:
        """`members` is the size of the team that will run it; any team can. The results of `further` are outputs."""
        recorder, names = Recorder(), set(wanted)
        needed = ancestors(nodes, names | (further.needs if further else set()))
        self.inputs = tuple(nodes[i].name for i in needed if nodes[i].is_input)
        given, values = record(recorder, nodes, needed, in_bytes)
        results = {n.name: values[i] for i, n in enumerate(nodes) if n.name in names}
        if further is not None:
            extra = further.append(recorder, {nodes[i].name: value for i, value in values.items()})
            if clash := extra.keys() & {n.name for n in nodes}:
                raise ModelError(f"the model has a layer of the name {min(clash)!r}, which fastact gives a result")
            results |= extra
        results = _copied_inputs(recorder, results, set(given))
        kept = list(results.values())
        banded = bands.band(recorder.program, {recorder.root(v) for v in kept}, recorder.root, members)
        layout = _Layout(recorder.root, banded, given, kept)
        self.outputs = tuple(Output(name, layout.place(value).offset, value.shape) for name, value in results.items())
        self.output_bytes, self.arena_bytes = layout.output_bytes, layout.arena_bytes
        rows: list[Row] = []
        stretches: list[Stretch] = []
        for i, band in enumerate(banded):
            first = len(rows)
            rows += bands.rows(band, layout.place, layout.scratch(i), library.registers)
            made = dict.fromkeys(recorder.makers[instruction.output.number] for instruction in band.instructions)
            stretches.append(Stretch(first, len(rows), tuple(made)))
        self.stretches = tuple(stretches)
        self.table = Table(rows, FIRST_INPUT + len(given), library.kernel)

    def run(self, team: Team, inputs: Sequence[int], arena: int, outputs: int) -> None:
        """Computes the wanted maps.

        Args:
            team: the threads that do it.
            inputs: the addresses of :attr:`inputs`, in that order.
            arena: the address of `arena_bytes`.
            outputs: the address of `output_bytes`.
        """
        self.table.place(ARENA, arena)
        self.table.place(OUTPUTS, outputs)
        for i, address in enumerate(inputs):
            self.table.place(FIRST_INPUT + i, address)
        team.run(self.table.address, self.table.steps)


def record(
    recorder: Recorder, nodes: Sequence[Node], needed: Sequence[int], in_bytes: Mapping[str, bool]
) -> tuple[list[int], dict[int, Value]]:
    """Lowers the needed nodes; returns the inputs' buffers and every node's value."""
    given: list[int] = []
    values: dict[int, Value] = {}
    for i in needed:
        node = nodes[i]
        recorder.node = node.name
        if node.is_input:
            frame = recorder.new(_shape(node))
            given.append(frame.number)
            values[i] = recorder.emit(ops.FromBytes(255.0), frame) if in_bytes.get(node.name) else frame
        elif node.layer is None:
            values[i] = values[node.inputs[0]]
        else:
            values[i] = node.layer.lower(recorder, *(values[k] for k in node.inputs))
    return given, values


def _shape(node: Node) -> ops.Shape:
    shape = node.known_shape
    if None in shape:
        raise ModelError(f"input {node.name!r} has an open size: give one with at_size or a frame")
    return tuple(n for n in shape if n is not None)


def ancestors(nodes: Sequence[Node], names: set[str]) -> list[int]:
    """The nodes that the named ones need, themselves included, in order."""
    needed: set[int] = set()
    for i in reversed(range(len(nodes))):
        if nodes[i].name in names or i in needed:
            needed |= {i, *nodes[i].inputs}
    return sorted(needed)


def _copied_inputs(recorder: Recorder, results: Mapping[str, Value], given: set[int]) -> dict[str, Value]:
    """Wanted maps that are an input as it came in are copied, since an output must not lie in the caller's frame."""
    copied = {}
    for name, value in results.items():
        if recorder.root(value) in given:
            recorder.node = name
            flat = recorder.emit(ops.Reshape((math.prod(value.shape),)), value)
            value = recorder.emit(ops.Reshape(value.shape), recorder.emit(ops.Concat(), flat))
        copied[name] = value
    return copied


class _Layout:
    """Gives every buffer its place: inputs where they are, wanted maps side by side, the rest in the arena."""

    def __init__(
        self, root: Callable[[Value], int], banded: Sequence[Band], given: Sequence[int], wanted: Sequence[Value]
    ) -> None:
        self._root = root
        self._places: dict[int, Place] = {number: Place(FIRST_INPUT + i) for i, number in enumerate(given)}
        self._scratch: list[Place] = []
        self.output_bytes = self.arena_bytes = 0
        for value in wanted:
            if root(value) not in self._places:
                self._places[root(value)] = Place(OUTPUTS, self.output_bytes)
                self.output_bytes += _bytes(value)
        self._arrange(banded)
        if self.output_bytes + self.arena_bytes > _physical_memory():
            raise ModelError(
                f"the maps need {(self.output_bytes + self.arena_bytes) / 2**30:.1f} GiB, more than this machine has: "
                "choose fewer layers or a smaller input"
            )

    def place(self, value: Value) -> Place:
        """Where `value` lies."""
        return self._places[self._root(value)]

    def scratch(self, number: int) -> Place:
        """Where band number `number` has its scratch memory."""
        return self._scratch[number]

    def _arrange(self, banded: Sequence[Band]) -> None:
        """Arena places, first fit over buffers alive at the same time.

        All that a band reads and writes is alive throughout it, since its strips take turns.
        """
        last_use: dict[int, tuple[int, int]] = {}
        for i, band in enumerate(banded):
            for j, instruction in enumerate(band.instructions):
                last_use |= {self._root(v): (i, j) for v in instruction.inputs}
        alive: dict[int, tuple[int, int]] = {}
        for i, band in enumerate(banded):
            made: set[int] = set()
            for j, instruction in enumerate(band.instructions[band.feeds :], band.feeds):
                root = self._root(instruction.output)
                if root not in self._places:
                    first = self._root(instruction.inputs[0])
                    of_this = first in made or j == band.feeds  # else a strip may need what another has overwritten
                    if of_this and first in alive and last_use[first] == (i, j) and _may_overwrite(instruction):
                        alive[root] = alive.pop(first)
                    else:
                        alive[root] = _first_fit(alive.values(), _bytes(instruction.output)), _bytes(instruction.output)
                    self._places[root] = Place(ARENA, alive[root][0])
                    self.arena_bytes = max(self.arena_bytes, sum(alive[root]))
                made.add(root)
            self._scratch.append(Place(ARENA, _first_fit(alive.values(), band.scratch_bytes)))
            if band.scratch_bytes:
                self.arena_bytes = max(self.arena_bytes, self._scratch[-1].offset + band.scratch_bytes)
            for dead in [b for b in alive if last_use.get(b, (i, 0))[0] <= i]:
                del alive[dead]


def _may_overwrite(instruction: Instruction) -> bool:
    """Whether the output may lie where the first input does."""
    same_size = math.prod(instruction.inputs[0].shape) == math.prod(instruction.output.shape)  # else it is stretched
    return encode.runs_in_place(instruction.op) and same_size


def _first_fit(taken: Iterable[tuple[int, int]], size: int) -> int:
    """The lowest offset at which `size` bytes are free."""
    offset = 0
    for start, length in sorted(taken):
        if offset + size <= start:
            break
        offset = max(offset, start + length)
    return offset


def _bytes(value: Value) -> int:
    """A value's bytes as float32, in whole cache lines."""
    return aligned(4 * math.prod(value.shape))


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**40
