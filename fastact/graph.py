"""The model: every layer of a file as a node of one graph, with its shape, and nothing computed.

Nested models are laid open: a layer inside `tower` is the node ``tower/conv2d``, and `tower` itself is a node that
gives what comes out of it. The second call of a shared layer `stem` is the node ``stem:1``.
"""

from __future__ import annotations

import itertools
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
        config_source: path of the file that the configuration comes from, where that is another than `source`.
    """

    source: str
    format: str
    identity: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    _topology: Topology
    _layers: Mapping[LayerPath, Layer | str]
    config_source: str | None = None

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
        nodes, _ = _wire(self._topology, self._layers, {pictures[0]: (*size, channels)})
        return replace(self, nodes=nodes)


def load(path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None) -> Model:
    """Reads a model and its weights; nothing in the file is executed and nothing is computed.

    Layers fastact cannot compute are in the model, with the reason in :attr:`Node.reason`.

    Args:
        path: the model's file.
        config: for a file of weights alone, such as ``x.weights.h5``, the file that says what the network is: the
            text of ``model.to_json()``, or any other model file.

    Raises:
        FileError: the file cannot be read, is damaged, or is not safe to read.
        UnsupportedError: a kind of file fastact does not read.
        ModelError: the configuration in it does not describe a network.
    """
    with open_model(path, config=config) as saved:
        return build(saved)


def build(saved: SavedModel) -> Model:
    """The model of an open file; see :func:`load`."""
    topology = parse(saved.config)
    layers = _create(topology, saved.keras_version)
    nodes, outputs = _wire(topology, layers, {})
    _read_weights(saved, nodes)
    return Model(
        os.fspath(saved.path),
        saved.format,
        saved.identity,
        nodes,
        tuple(r.layer for r in topology.inputs),
        outputs,
        topology,
        _settled(layers, nodes),
        None if saved.config_path is None else os.fspath(saved.config_path),
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


def _wire(
    topology: Topology, layers: Mapping[LayerPath, Layer | str], sizes: Mapping[str, Shape]
) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """All nodes, with shapes, and the names of the outputs; `sizes` overrides the shapes of inputs."""
    nodes: list[Node] = []
    places = _lay_open(topology, layers, sizes, (), "", {}, nodes, itertools.count(1))
    for name, count in Counter(n.name for n in nodes).items():
        if count > 1:
            raise ModelError(f"the configuration gives two layers the name {name!r}")
    outputs = [
        _called(r.layer, r.call) if place < 0 else nodes[place].name
        for r, place in zip(topology.outputs, places, strict=True)
    ]
    return tuple(nodes), tuple(outputs)


def _lay_open(
    topology: Topology,
    layers: Mapping[LayerPath, Layer | str],
    sizes: Mapping[str, Shape],
    outside: LayerPath,
    prefix: str,
    given: Mapping[str, int],
    made: list[Node],
    calls: Iterator[int],
) -> list[int]:
    """Appends to `made` the nodes of one model, those of models inside it laid open; returns its outputs' places.

    `given` are a nested model's inputs; `calls` counts over all models, since a few that call each other twice over
    would come to millions.
    """
    results: dict[tuple[str, int], list[int]] = {}
    for entry, number in topology.in_order():
        if next(calls) > MOST_LAYERS:
            raise ModelError(f"the configuration comes to more than {MOST_LAYERS} layers, nested ones counted")
        if entry.name in given:
            results[entry.name, number] = [given[entry.name]]
            continue
        call, name, path = entry.calls[number], prefix + _called(entry.name, number), (*outside, entry.name)
        inputs = [_pick(results, r) for r in call.inputs]
        if entry.inside is None:
            made.append(_node(name, entry, layers[path], path, inputs, call.arguments, made, sizes))
            results[entry.name, number] = [len(made) - 1]
            continue
        ends = entry.inside.inputs
        if len(ends) != len(inputs):
            raise ModelError(f"model {name!r} has {len(ends)} inputs and is called with {len(inputs)}")
        into = {end.layer: i for end, i in zip(ends, inputs, strict=True)}
        outputs = _lay_open(entry.inside, layers, {}, path, name + "/", into, made, calls)
        if len(outputs) == 1 and outputs[0] >= 0:
            made.append(Node.alias(name, entry.class_name, outputs[0], made[outputs[0]]))
            outputs = [len(made) - 1]
        results[entry.name, number] = outputs
    return [_pick(results, r) for r in topology.outputs]


def _called(layer: str, call: int) -> str:
    """The name of a call: the layer's own for the first."""
    return layer + (f":{call}" if call else "")


def _pick(results: Mapping[tuple[str, int], list[int]], reference: Reference) -> int:
    """The place of what a reference points to.

    An output beyond the first of a layer is -1: what takes it is told that it cannot be had.
    """
    outputs = results[reference.layer, reference.call]
    return outputs[reference.output] if reference.output < len(outputs) else -1


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
    wanted: dict[LayerPath, Mapping[str, tuple[int, ...]]] = {}
    for n in nodes:
        if n.reason is None and n.weight_shapes and wanted.setdefault(n.path, n.weight_shapes) != n.weight_shapes:
            name = "/".join(n.path)
            raise ModelError(f"layer {name!r} is called twice, with inputs that need weights of different shapes")
    arrays = saved.weights.read(wanted)
    for node in nodes:
        if node.path in wanted and node.layer is not None:
            node.layer.weights = dict(arrays[node.path])


def _settled(layers: Mapping[LayerPath, Layer | str], nodes: tuple[Node, ...]) -> dict[LayerPath, Layer | str]:
    """`layers` with the reason for each that no node computes: its weights were not read, so no size changes that."""
    reasons = {n.path: n.reason for n in nodes if n.reason is not None}
    computed = {n.path for n in nodes if n.reason is None}
    return {path: layer if path in computed else reasons.get(path, layer) for path, layer in layers.items()}
