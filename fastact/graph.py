"""The model: every layer of a file as a node of one graph, with its shape, and nothing computed.

Nested models are laid open: a layer inside `tower` is the node ``tower/conv2d``, and `tower` itself is a node that
gives what comes out of it. The second call of a shared layer `stem` is the node ``stem:1``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from fastact.cost import Cost, trace
from fastact.errors import InputError, ModelError, UnsupportedError
from fastact.files import SavedModel, open_model
from fastact.layers import Arguments, Config, Layer, Shape, create, show
from fastact.node import Node
from fastact.topology import MOST_LAYERS, LayerEntry, Reference, Topology, parse

LayerPath = tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A network as its file describes it.

    Attributes:
        source: the file's path.
        format: what kind of file, in words.
        identity: SHA-256 of the file, hexadecimal.
        nodes: every layer's every call, each after those it takes inputs from.
        inputs: names of the inputs, in the file's order.
        outputs: names of the layers whose maps are the model's outputs, in the file's order.
    """

    source: str
    format: str
    identity: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _topology: Topology
    _layers: Mapping[LayerPath, Layer | str]

    @cached_property
    def layers(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        """Multiply-adds and receptive field of every layer that can be computed at this input size."""
        return trace(self.nodes)

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        """The inputs' shapes without the batch axis; None where a length is open."""
        return {name: self.layers[name].known_shape for name in self.inputs}

    @property
    def parameters(self) -> int:
        """Numbers in all weights, those of a shared layer counted once."""
        layers = (layer for layer in self._layers.values() if isinstance(layer, Layer))
        return sum(w.size for layer in layers for w in layer.weights.values())

    def at_size(self, size: tuple[int, int]) -> Model:
        """The same weights planned for pictures of `size`, (rows, columns).

        Layers that cannot follow (a dense layer after Flatten, a window larger than its map) stay in the model with
        the reason why in :attr:`Node.reason`.

        Raises:
            InputError: the model does not have exactly one picture as input.
        """
        pictures = [name for name, shape in self.input_shapes.items() if len(shape) == 3]
        if len(pictures) != 1:
            raise InputError(f"{self.source}: another input size needs one picture as input, not {len(pictures)}")
        if min(size) < 1:
            raise InputError(f"an input of {size[0]} rows and {size[1]} columns is no picture")
        channels = self.input_shapes[pictures[0]][-1]
        nodes = _wire(self._topology, self._layers, {pictures[0]: (*size, channels)})
        return replace(self, nodes=nodes)


def load(path: str | os.PathLike[str]) -> Model:
    """Reads a model and its weights; nothing in the file is executed and nothing is computed.

    Layers fastact cannot compute are in the model, with the reason in :attr:`Node.reason`.

    Raises:
        FileError: the file cannot be read, is damaged, or is not safe to read.
        UnsupportedError: a kind of file fastact does not read.
        ModelError: the configuration in it does not describe a network.
    """
    with open_model(path) as saved:
        topology = parse(saved.config)
        layers = _create(topology, saved.keras_version)
        nodes = _wire(topology, layers, {})
        _read_weights(saved, nodes)
    names = [[_reference_name(topology, r) for r in ends] for ends in (topology.inputs, topology.outputs)]
    return Model(
        os.fspath(path), saved.format, saved.identity, nodes, tuple(names[0]), tuple(names[1]), topology, layers
    )


def _create(topology: Topology, version: tuple[int, ...], outside: LayerPath = ()) -> dict[LayerPath, Layer | str]:
    """Every layer by its path through nested models; a reason in words for one fastact cannot compute."""
    layers: dict[LayerPath, Layer | str] = {}
    for entry in topology.layers.values():
        path = (*outside, entry.name)
        if entry.inside is not None:
            layers |= _create(entry.inside, version, path)
            continue
        try:
            layers[path] = create(entry.class_name, Config(entry.class_name, entry.name, entry.config, version))
        except UnsupportedError as error:
            layers[path] = str(error)
    return layers


def _wire(topology: Topology, layers: Mapping[LayerPath, Layer | str], sizes: Mapping[str, Shape]) -> tuple[Node, ...]:
    """All nodes, with shapes; `sizes` overrides the shapes of inputs."""
    nodes: list[Node] = []
    for node in _nodes(topology, layers, sizes, (), "", {}, nodes):
        nodes.append(node)
        if len(nodes) > MOST_LAYERS:
            raise ModelError(f"the configuration comes to more than {MOST_LAYERS} layers, nested ones counted")
    for name, count in Counter(n.name for n in nodes).items():
        if count > 1:
            raise ModelError(f"the configuration gives two layers the name {name!r}")
    return tuple(nodes)


def _nodes(
    topology: Topology,
    layers: Mapping[LayerPath, Layer | str],
    sizes: Mapping[str, Shape],
    outside: LayerPath,
    prefix: str,
    given: Mapping[str, int],
    made: list[Node],
) -> Iterator[Node]:
    """The nodes of one model, those of models inside it laid open; `given` are a nested model's inputs.

    Yields each node before the next is asked for, and `made` is what has been yielded so far, over all models.
    """
    results: dict[tuple[str, int], list[int]] = {}
    for entry, number in topology.in_order():
        call = entry.calls[number]
        name = prefix + entry.name + (f":{number}" if number else "")
        if entry.name in given:
            results[entry.name, number] = [given[entry.name]]
            continue
        inputs = [_pick(results, r) for r in call.inputs]
        path = (*outside, entry.name)
        if entry.inside is None:
            yield _node(name, entry, layers[path], path, inputs, call.arguments, made, sizes)
            results[entry.name, number] = [len(made) - 1]
            continue
        ends = entry.inside.inputs
        if len(ends) != len(inputs):
            raise ModelError(f"model {name!r} has {len(ends)} inputs and is called with {len(inputs)}")
        into = {end.layer: i for end, i in zip(ends, inputs, strict=True)}
        start = len(made)
        yield from _nodes(entry.inside, layers, {}, path, name + "/", into, made)
        by_name = {node.name: start + i for i, node in enumerate(made[start:])}
        outputs = [
            into[r.layer] if r.layer in into else by_name[name + "/" + _reference_name(entry.inside, r)]
            for r in entry.inside.outputs
        ]
        results[entry.name, number] = outputs
        if len(outputs) == 1:
            yield Node.alias(name, entry.class_name, outputs[0], made[outputs[0]])
            results[entry.name, number] = [len(made) - 1]


def _pick(results: Mapping[tuple[str, int], list[int]], reference: Reference) -> int:
    outputs = results[reference.layer, reference.call]
    if reference.output >= len(outputs):
        # An output beyond the first of a layer: what takes it is told that it cannot be had.
        return -1
    return outputs[reference.output]


def _reference_name(topology: Topology, reference: Reference) -> str:
    """The node's name, within its model, that a reference points to."""
    inside = topology.layers[reference.layer].inside
    name = reference.layer + (f":{reference.call}" if reference.call else "")
    if inside is not None and len(inside.outputs) > 1:
        return name + "/" + _reference_name(inside, inside.outputs[reference.output])
    return name


def _node(
    name: str,
    entry: LayerEntry,
    layer: Layer | str,
    path: LayerPath,
    inputs: list[int],
    arguments: Arguments,
    made: list[Node],
    sizes: Mapping[str, Shape],
) -> Node:
    """One call of one layer, with its shape or the reason why it has none."""
    node = Node(name, entry.class_name, layer if isinstance(layer, Layer) else None, path, tuple(inputs))
    if not isinstance(layer, Layer):
        return replace(node, reason=layer)
    if -1 in inputs:
        return replace(node, reason="it takes an output beyond the first of a layer, which fastact does not follow")
    missing = [made[i].name for i in inputs if made[i].reason is not None]
    if missing:
        return replace(node, reason=f"it needs {missing[0]!r}, which is not computed")
    if name in sizes:
        return replace(node, shape=sizes[name])
    shapes = [made[i].known_shape for i in inputs]
    try:
        layer.check_call(len(inputs), arguments)
        wanted = layer.weight_shapes(*shapes)
        _check_weights(layer, wanted)
        return replace(node, shape=layer.output_shape(*shapes), weight_shapes=wanted)
    except UnsupportedError as error:
        return replace(node, reason=str(error))


def _check_weights(layer: Layer, wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises UnsupportedError where weights already read do not fit the shapes this input would need."""
    for name, weights in layer.weights.items():
        if weights.shape != wanted[name]:
            raise UnsupportedError(
                f"its weights are made for {show(weights.shape[:-1])} inputs and would get {show(wanted[name][:-1])}"
            )


def _read_weights(saved: SavedModel, nodes: tuple[Node, ...]) -> None:
    """Gives every layer that can be computed its weights."""
    wanted = {n.path: n.weight_shapes for n in nodes if n.reason is None and n.weight_shapes}
    arrays = saved.weights.read(wanted)
    for node in nodes:
        if node.path in wanted and node.layer is not None:
            node.layer.weights = dict(arrays[node.path])
