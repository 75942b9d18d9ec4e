"""What is computed for the wanted maps of a model: operations in order, the same for every back end.

Layers lower themselves to operations; a view (Reshape, Dropout) costs nothing, since it only gives a buffer another
shape. Where values lie is :mod:`fastact.layout`'s subject, and how they are computed the engines'.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from fastact.errors import ModelError
from fastact.kernels import ops
from fastact.kernels.program import Instruction, Value
from fastact.kernels.records import dataclass
from fastact.layers import Tape
from fastact.node import Node


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
class Recording:
    """The operations for some inputs and some wanted maps.

    Attributes:
        recorder: the operations in order, which buffers they use, and which nodes they were made for.
        inputs: the names of the inputs that are used.
        given: the value of each of them as it comes in, uint8 where the frame does.
        results: the wanted maps by name, none of them an input's own buffer.
    """

    recorder: Recorder
    inputs: tuple[str, ...]
    given: tuple[Value, ...]
    results: Mapping[str, Value]

    @classmethod
    def of(
        cls,
        nodes: Sequence[Node],
        wanted: Iterable[str],
        in_bytes: Mapping[str, bool],
        further: Further | None = None,
    ) -> Recording:
        """What gives the maps of the `wanted` nodes and the results of `further`, from inputs of which those that are
        `in_bytes` come as bytes.

        Raises ModelError: an input has an open size; a layer has the name of one of `further`'s results.
        """
        recorder, names = Recorder(), set(wanted)
        needed = ancestors(nodes, names | (further.needs if further else set()))
        given, values = record(recorder, nodes, needed, in_bytes)
        results = {n.name: values[i] for i, n in enumerate(nodes) if n.name in names}
        if further is not None:
            extra = further.append(recorder, {nodes[i].name: value for i, value in values.items()})
            if clash := extra.keys() & {n.name for n in nodes}:
                raise ModelError(f"the model has a layer of the name {min(clash)!r}, which fastact gives a result")
            results |= extra
        results = _copied_inputs(recorder, results, {value.number for value in given})
        return cls(recorder, tuple(nodes[i].name for i in needed if nodes[i].is_input), tuple(given), results)

    def makers(self, instructions: Iterable[Instruction]) -> tuple[str, ...]:
        """The nodes that instructions were made for, in order."""
        return tuple(dict.fromkeys(self.recorder.makers[i.output.number] for i in instructions))


def record(
    recorder: Recorder, nodes: Sequence[Node], needed: Sequence[int], in_bytes: Mapping[str, bool]
) -> tuple[list[Value], dict[int, Value]]:
    """Lowers the needed nodes; returns the inputs as they come in and every node's value."""
    given: list[Value] = []
    values: dict[int, Value] = {}
    for i in needed:
        node = nodes[i]
        recorder.node = node.name
        if node.is_input:
            frame = recorder.new(_shape(node))
            given.append(frame)
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
