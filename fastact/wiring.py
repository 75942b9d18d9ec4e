"""The nodes of a model: every call of every layer, models inside models laid open, with shapes or reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field, replace

from fastact.errors import ModelError, UnsupportedError
from fastact.kernels.records import dataclass
from fastact.layers import Arguments, Layer, Shape, show
from fastact.node import Node
from fastact.topology import MOST_LAYERS, LayerEntry, Reference, Topology

LayerPath = tuple[str, ...]

MOST_LETTERS = 2**22
"""Of all names together. Those of nested layers hold the names around them: a file of 16 MB could ask for gigabytes."""


def wire(
    topology: Topology, layers: Mapping[LayerPath, Layer | str], sizes: Mapping[str, Shape]
) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """All nodes, with shapes, and the names of the outputs; `sizes` overrides the shapes of inputs."""
    wiring = _Wiring(layers, sizes)
    places = wiring.lay_open(topology, _Level())
    nodes = wiring.nodes
    for name, count in Counter(n.name for n in nodes).items():
        if count > 1:
            raise ModelError(f"the configuration gives two layers the name {name!r}")
    outputs = [
        _called(r.layer, r.call) if place < 0 else nodes[place].name
        for r, place in zip(topology.outputs, places, strict=True)
    ]
    return tuple(nodes), tuple(outputs)


@dataclass(frozen=True)
class _Level:
    """Where a model lies: its path, what its layers' names begin with, and the places of a nested model's inputs."""

    outside: LayerPath = ()
    prefix: str = ""
    given: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Use:
    """One call of one layer: the node's name, the layer's path, and what it is called with."""

    name: str
    path: LayerPath
    entry: LayerEntry
    inputs: tuple[int, ...]
    arguments: Arguments


class _Wiring:
    """Makes the nodes of a model, in order, each after those it takes inputs from."""

    def __init__(self, layers: Mapping[LayerPath, Layer | str], sizes: Mapping[str, Shape]) -> None:
        self.nodes: list[Node] = []
        self._layers, self._sizes = layers, sizes
        self._calls = self._letters = 0

    def lay_open(self, topology: Topology, level: _Level) -> list[int]:
        """Appends the nodes of one model, those of models inside it laid open; returns its outputs' places."""
        results: dict[tuple[str, int], list[int]] = {}
        for entry, number in topology.in_order():
            self._count(1)
            if entry.name in level.given:
                results[entry.name, number] = [level.given[entry.name]]
                continue
            name, path = level.prefix + _called(entry.name, number), (*level.outside, entry.name)
            self._count_letters(len(name))
            inputs = tuple(self._pick(results, r) for r in entry.calls[number].inputs)
            use = _Use(name, path, entry, inputs, entry.calls[number].arguments)
            results[entry.name, number] = self._layer(use) if entry.inside is None else self._model(use, entry.inside)
        return [self._pick(results, r) for r in topology.outputs]

    def _pick(self, results: Mapping[tuple[str, int], list[int]], reference: Reference) -> int:
        """The place of what a reference points to.

        An output beyond those of a layer is -1: what takes it is told that it cannot be had. A layer that is not
        computed has one node, whatever number of outputs it would have.
        """
        outputs = results[reference.layer, reference.call]
        if len(outputs) == 1 and outputs[0] >= 0 and self.nodes[outputs[0]].reason is not None:
            return outputs[0]
        return outputs[reference.output] if reference.output < len(outputs) else -1

    def _count(self, calls: int) -> None:
        """Calls are counted over all models, since a few that call each other twice over would come to millions.

        Each time step of a recurrent or distributed layer counts as a call.
        """
        self._calls += calls
        if self._calls > MOST_LAYERS:
            raise ModelError(
                f"the configuration comes to more than {MOST_LAYERS} layers, nested ones and time steps counted"
            )

    def _count_letters(self, letters: int) -> None:
        self._letters += letters
        if self._letters > MOST_LETTERS:
            raise ModelError(
                f"the configuration's layers have names of more than {MOST_LETTERS} letters, those around them "
                "counted: give nested models shorter names"
            )

    def _model(self, use: _Use, inside: Topology) -> list[int]:
        """Appends the nodes inside a nested model, and one of its own that gives what comes out of it."""
        if len(inside.inputs) != len(use.inputs):
            raise ModelError(f"model {use.name!r} has {len(inside.inputs)} inputs and is called with {len(use.inputs)}")
        given = {end.layer: i for end, i in zip(inside.inputs, use.inputs, strict=True)}
        outputs = self.lay_open(inside, _Level(use.path, use.name + "/", given))
        if len(outputs) == 1 and outputs[0] >= 0:
            return self._append(Node.alias(use.name, use.entry.class_name, outputs[0], self.nodes[outputs[0]]))
        return outputs

    def _layer(self, use: _Use) -> list[int]:
        """Appends the node of one call of one layer, with its shape or the reason why it has none."""
        layer = self._layers[use.path]
        node = Node(use.name, use.entry.class_name, layer if isinstance(layer, Layer) else None, use.path, use.inputs)
        if not isinstance(layer, Layer):
            return self._append(replace(node, reason=layer))
        if -1 in use.inputs:
            reason = "it takes an output of a layer that fastact knows no such output of"
            return self._append(replace(node, reason=reason))
        missing = [self.nodes[i].name for i in use.inputs if self.nodes[i].reason is not None]
        if missing:
            return self._append(replace(node, reason=f"it needs {missing[0]!r}, which is not computed"))
        if use.name in self._sizes:
            return self._append(replace(node, shape=self._sizes[use.name]))
        shapes = [self.nodes[i].known_shape for i in use.inputs]
        try:
            nodes = _shaped(node, layer, use.arguments, shapes)
        except UnsupportedError as error:
            return self._append(replace(node, reason=str(error)))
        self._count(sum(n.layer.steps(*shapes) - 1 for n in nodes if n.layer is not None))
        return self._append(*nodes)

    def _append(self, *nodes: Node) -> list[int]:
        self.nodes += nodes
        return list(range(len(self.nodes) - len(nodes), len(self.nodes)))


def _called(layer: str, call: int) -> str:
    """The name of a call: the layer's own for the first."""
    return layer + (f":{call}" if call else "")


def _shaped(node: Node, layer: Layer, arguments: Arguments, shapes: list[Shape]) -> list[Node]:
    """The node with its shape, or one for each output; raises UnsupportedError for inputs the layer cannot take."""
    parts = layer.parts(arguments, *shapes)
    wanted = layer.weight_shapes(*shapes)
    _check_weights(layer, wanted)
    names = [node.name] if len(parts) == 1 else [f"{node.name}.{i}" for i in range(len(parts))]
    return [
        replace(node, name=name, layer=part, shape=part.output_shape(*shapes), weight_shapes=wanted)
        for name, part in zip(names, parts, strict=True)
    ]


def _check_weights(layer: Layer, wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises UnsupportedError where weights already read do not fit the shapes this input would need."""
    for name, weights in layer.weights.items():
        if weights.shape != wanted[name]:
            raise UnsupportedError(
                f"its weights are made for {show(weights.shape[:-1])} inputs and would get {show(wanted[name][:-1])}"
            )
