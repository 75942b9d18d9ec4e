"""The model: every layer of a file as a node of one graph, with its shape, and nothing computed.

Nested models are laid open: a layer inside `tower` is the node ``tower/conv2d``, and `tower` itself is a node that
gives what comes out of it. The second call of a shared layer `stem` is the node ``stem:1``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fastact.cost import PICTURE_RANKS, Cost, trace
from fastact.errors import InputError, ModelError, UnsupportedError
from fastact.files import SavedModel, open_model
from fastact.files.text import quoted
from fastact.kernels.records import dataclass
from fastact.layers import Config, Layer, Shape, create
from fastact.node import Node
from fastact.topology import Topology, parse
from fastact.wiring import LayerPath, wire

D = TypeVar("D", bound=np.generic)


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

    @cached_property
    def channels_first(self) -> bool:
        """Whether its layers take pictures with channels before rows and columns."""
        return any(isinstance(layer, Layer) and layer.channels_first for layer in self._layers.values())

    def picture_shape(self, shape: Shape) -> Shape:
        """The shape of an input or a map with its channels last, as pictures have them."""
        return (*shape[:-3], *shape[-2:], shape[-3]) if self.channels_first and len(shape) > 2 else shape

    def as_pictures_have(self, array: npt.NDArray[D]) -> npt.NDArray[D]:
        """An input or a map with its channels last, as pictures have them; a view."""
        return np.moveaxis(array, -3, -1) if self.channels_first and array.ndim > 2 else array

    def as_layers_have(self, picture: npt.NDArray[D]) -> npt.NDArray[D]:
        """A picture, or a run of them, with its channels where the layers have them; a view."""
        return np.moveaxis(picture, -1, -3) if self.channels_first else picture

    def at_size(self, size: tuple[int, int]) -> Model:
        """The same weights planned for pictures of `size`, (rows, columns), or sequences of them.

        Layers that cannot follow (a dense layer after Flatten, a window larger than its map) stay in the model with
        the reason why in :attr:`Node.reason`.

        Raises:
            InputError: the model does not have exactly one picture, or sequence of pictures, as input.
        """
        pictures = {name: shape for name, shape in self.input_shapes.items() if len(shape) in PICTURE_RANKS}
        if len(pictures) != 1:
            raise InputError(
                f"{self.source} has {len(pictures)} inputs for pictures, and another size is for one: run it at the "
                "size it has"
            )
        if min(size) < 1:
            raise InputError(f"an input of {size[0]} rows and {size[1]} columns is no picture")
        return self.at_shapes(
            {
                name: (*shape[:-2], *size) if self.channels_first else (*shape[:-3], *size, shape[-1])
                for name, shape in pictures.items()
            }
        )

    def at_shapes(self, shapes: Mapping[str, Shape]) -> Model:
        """The same weights planned for inputs of these shapes, without batch axis; other inputs stay as they are."""
        nodes, _ = wire(self._topology, self._layers, shapes)
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
        ModelError: the configuration in it does not describe a network; the message names the file.
    """
    with open_model(path, config=config) as saved:
        try:
            return build(saved)
        except ModelError as error:
            raise ModelError(f"{quoted(saved.config_path or saved.path)}: {error}") from error


def build(saved: SavedModel) -> Model:
    """The model of an open file; see :func:`load`."""
    topology = parse(saved.config)
    layers = _create(topology, saved.keras_version)
    nodes, outputs = wire(topology, layers, {})
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
            config = Config(entry.class_name, entry.name, entry.config, version, entry.module)
            layers[path] = create(entry.class_name, config)
        except UnsupportedError as error:
            layers[path] = str(error)
    return layers


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
