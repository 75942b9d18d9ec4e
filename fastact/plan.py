"""A plan: the steps that compute the wanted maps of a model, and where everything lies in memory.

Layers lower themselves to operations; a view (Reshape, Dropout) costs nothing, since it only gives a buffer another
shape. Buffers of maps nobody asked for share one arena by liveness; wanted maps lie side by side in a block of their
own, which each call can have anew.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastact.errors import ModelError
from fastact.kernels import ops
from fastact.kernels.cpu import encode
from fastact.kernels.cpu.library import Library
from fastact.kernels.cpu.steps import Buffer, Place, Row, Table
from fastact.kernels.cpu.threads import Team
from fastact.layers import Tape, Value
from fastact.node import Node

ARENA, OUTPUTS, FIRST_INPUT = 0, 1, 2
"""Regions of memory: what is dropped after a call, the wanted maps, and one region for each input."""

ALIGNMENT = 64


@dataclass(frozen=True)
class Recorded:
    """One operation with the numbers of its inputs' and output's buffers."""

    op: ops.Op
    inputs: tuple[Value, ...]
    output: Value


class Recorder(Tape):
    """Collects operations in order. Values that are views of one buffer share its `root`."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
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
        """Appends `op`, in the parts the kernels have; a Reshape becomes a view."""
        if isinstance(op, ops.Reshape):
            return self.new(op.target, self.root(inputs[0]))
        for part in encode.legalize(op):
            output = self.new(part.shape(*(i.shape for i in inputs)))
            self.recorded.append(Recorded(part, inputs, output))
            inputs = (output,)
        return inputs[0]


@dataclass(frozen=True)
class Output:
    """A wanted map: `offset` bytes into the block of outputs."""

    name: str
    offset: int
    shape: ops.Shape


class Plan:
    """The table of steps for some inputs and some wanted layers, ready to run.

    Attributes:
        outputs: where each wanted map lies in a block of `output_bytes`.
        arena_bytes: scratch memory a run needs beside it.
        inputs: the names of the inputs that are used, in the order in which `run` takes their addresses.
    """

    def __init__(self, nodes: Sequence[Node], wanted: Iterable[str], in_bytes: Mapping[str, bool], library: Library):
        recorder, names = Recorder(), set(wanted)
        needed = _ancestors(nodes, names)
        self.inputs = tuple(nodes[i].name for i in needed if nodes[i].is_input)
        given, values = self._record(recorder, nodes, needed, in_bytes)
        results = {n.name: values[i] for i, n in enumerate(nodes) if n.name in names}
        results = _copied_inputs(recorder, results, set(given))
        layout = _Layout(recorder, given, [results[n.name] for n in nodes if n.name in names])
        self.outputs = tuple(
            Output(n.name, layout.place(results[n.name]).offset, results[n.name].shape)
            for n in nodes
            if n.name in names
        )
        self.output_bytes, self.arena_bytes = layout.output_bytes, layout.arena_bytes
        rows: list[Row] = []
        for r in recorder.recorded:
            inputs = [Buffer(layout.place(v), v.shape) for v in r.inputs]
            rows += encode.encode(r.op, inputs, Buffer(layout.place(r.output), r.output.shape), library.registers)
        self.table = Table(rows, FIRST_INPUT + len(given), library.kernel)

    @staticmethod
    def _record(
        recorder: Recorder, nodes: Sequence[Node], needed: Sequence[int], in_bytes: Mapping[str, bool]
    ) -> tuple[list[int], dict[int, Value]]:
        """Lowers the needed nodes; returns the inputs' buffers and every node's value."""
        given: list[int] = []
        values: dict[int, Value] = {}
        for i in needed:
            node = nodes[i]
            if node.is_input:
                frame = recorder.new(_shape(node))
                given.append(frame.number)
                values[i] = recorder.emit(ops.FromBytes(255.0), frame) if in_bytes.get(node.name) else frame
            elif node.layer is None:
                values[i] = values[node.inputs[0]]
            else:
                values[i] = node.layer.lower(recorder, *(values[k] for k in node.inputs))
        return given, values

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
        team.run(self.table.address, len(self.table.rows))


def _shape(node: Node) -> ops.Shape:
    shape = node.known_shape
    if None in shape:
        raise ModelError(f"input {node.name!r} has an open size: give one with at_size or a frame")
    return tuple(n for n in shape if n is not None)


def _ancestors(nodes: Sequence[Node], names: set[str]) -> list[int]:
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
            flat = recorder.emit(ops.Reshape((math.prod(value.shape),)), value)
            value = recorder.emit(ops.Reshape(value.shape), recorder.emit(ops.Concat(), flat))
        copied[name] = value
    return copied


class _Layout:
    """Gives every buffer its place: inputs where they are, wanted maps side by side, the rest in the arena."""

    def __init__(self, recorder: Recorder, given: Sequence[int], wanted: Sequence[Value]) -> None:
        self._root = recorder.root
        self._places: dict[int, Place] = {root: Place(FIRST_INPUT + i) for i, root in enumerate(given)}
        self.output_bytes = self.arena_bytes = 0
        for value in wanted:
            if self._root(value) not in self._places:
                self._places[self._root(value)] = Place(OUTPUTS, self.output_bytes)
                self.output_bytes += _bytes(value)
        self._arrange(recorder.recorded)
        if self.output_bytes + self.arena_bytes > _physical_memory():
            raise ModelError(
                f"the maps need {(self.output_bytes + self.arena_bytes) / 2**30:.1f} GiB, more than this machine has: "
                "choose fewer layers or a smaller input"
            )

    def place(self, value: Value) -> Place:
        """Where `value` lies."""
        return self._places[self._root(value)]

    def _arrange(self, recorded: Sequence[Recorded]) -> None:
        """Arena places, first fit over buffers alive at the same time; an operation in place takes over its input's."""
        last_use = {self._root(v): i for i, r in enumerate(recorded) for v in r.inputs}
        alive: dict[int, tuple[int, int]] = {}
        for i, r in enumerate(recorded):
            root, size = self._root(r.output), _bytes(r.output)
            if root not in self._places:
                first = self._root(r.inputs[0])
                same_size = math.prod(r.inputs[0].shape) == math.prod(r.output.shape)  # else it is stretched
                if first in alive and last_use[first] == i and encode.runs_in_place(r.op) and same_size:
                    alive[root] = alive.pop(first)
                else:
                    alive[root] = _first_fit(alive.values(), size), size
                self._places[root] = Place(ARENA, alive[root][0])
                self.arena_bytes = max(self.arena_bytes, sum(alive[root]))
            for dead in [b for b in alive if last_use.get(b, i) <= i]:
                del alive[dead]


def _first_fit(taken: Iterable[tuple[int, int]], size: int) -> int:
    """The lowest offset at which `size` bytes are free."""
    offset = 0
    for start, length in sorted(taken):
        if offset + size <= start:
            break
        offset = max(offset, start + length)
    return offset


def _bytes(value: Value) -> int:
    """A value's bytes as float32, rounded up to the alignment of vectors and cache lines."""
    return -(-4 * math.prod(value.shape) // ALIGNMENT) * ALIGNMENT


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**40
