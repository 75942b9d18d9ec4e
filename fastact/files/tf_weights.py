"""The weights of a SavedModel: found by the names of layers, checked by the index, added up, and only then read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from .model import LayerPath, Shape
from .text import listed, quoted
from .tf_bundle import Bundle, Entry
from .tf_objects import Objects, Variable
from .tf_proto import DamageError
from .tf_records import KerasRecords

__all__ = ["BundleWeights"]

_LAYER = re.compile(r"layer-[0-9]{1,9}")
_INSIDE = ("layer", "cell", "cells")
"""What wrappers and recurrent layers call that which holds their weights; cells are a list, "0", "1" and so on."""
_PARTS: Mapping[str, str] = {"forward": "forward_layer", "backward": "backward_layer"}
_MOST_INSIDE = 16


class BundleWeights:
    """The `WeightReader` of a SavedModel."""

    def __init__(self, bundle: Bundle, objects: Objects, records: KerasRecords, max_bytes: int) -> None:
        """Read from `bundle` what `objects` name, layers being called as `records` say."""
        self._bundle = bundle
        self._objects = objects
        self._records = records
        self._max_bytes = max_bytes
        self._layers: dict[int, Mapping[str, int]] = {}
        self._closed = False

    def close(self) -> None:
        """Refuse to read from now on."""
        self._closed = True

    def read(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, NDArray[np.float32]]]:
        """See `WeightReader.read`."""
        index = self._bundle.index
        if self._closed:
            raise index.problem("is closed: read weights inside the with block of open_model")
        try:
            located = {layer: self._locate(layer, shapes) for layer, shapes in wanted.items()}
        except DamageError as error:
            raise index.problem(f"cannot be read: it {error}: copy or save the model again") from None
        total = sum(entry.nbytes for entries in located.values() for entry in entries.values())
        if total > self._max_bytes:
            raise index.problem(f"needs {total} bytes for its weights, more than the limit of {self._max_bytes}")
        return {
            layer: {leaf: self._values(entry, _what(leaf, layer)) for leaf, entry in entries.items()}
            for layer, entries in located.items()
        }

    def _locate(self, layer: LayerPath, shapes: Mapping[str, Shape]) -> dict[str, Entry]:
        """Find and check the weights of one layer by what the index says of them, in the order asked for."""
        if not shapes:
            return {}
        node, named, owners = self._node(layer), dict[str, Variable](), set[int]()
        for leaf in shapes:
            owner, own = self._owner(node, leaf)
            variable = _variable(own, leaf.rpartition("/")[2])
            if variable is None:
                raise self._bundle.index.problem(
                    f"does not agree with its configuration: {_what(leaf, layer)} is not in it, of that layer it holds "
                    f"{listed(own)}"
                )
            named[leaf] = variable
            owners.add(owner)
        self._refuse_extra(layer, owners, {variable.key for variable in named.values()})
        return {
            leaf: self._checked(named[leaf].key, tuple(shape), _what(leaf, layer)) for leaf, shape in shapes.items()
        }

    def _node(self, layer: LayerPath) -> int:
        """The object that is a layer: from the root by the names of the models that it is in."""
        node = 0
        for depth, name in enumerate(layer):
            layers = self._layers_in(node)
            if name not in layers:
                raise self._bundle.index.problem(
                    f"does not agree with its configuration: it holds no layer {quoted('/'.join(layer[: depth + 1]))} "
                    f"but {listed(layers)}"
                )
            node = layers[name]
        return node

    def _layers_in(self, node: int) -> Mapping[str, int]:
        """The layers of a model, or of the model in a wrapper, by name."""
        if node not in self._layers:
            model, children = node, self._objects.children(node)
            for _ in range(_MOST_INSIDE):
                if "layer" not in children or any(map(_LAYER.fullmatch, children)):
                    break
                model = children["layer"]
                children = self._objects.children(model)
            found: dict[str, int] = {}
            for local, child in children.items():
                name = self._records.name(child) if _LAYER.fullmatch(local) else None
                if name is not None and found.setdefault(name, child) != child:
                    raise DamageError(f"has two layers of the name {quoted(name)} in one model")
            self._layers[node] = found
        return self._layers[node]

    def _owner(self, node: int, leaf: str) -> tuple[int, Mapping[str, Variable]]:
        """The object, a layer or one inside it, that holds a weight of that name, and all variables it holds.

        Where none does, that is the innermost one.
        """
        for part in leaf.split("/")[:-1]:
            node = self._part(node, _PARTS.get(part, part))
        name = leaf.rpartition("/")[2]
        for _ in range(_MOST_INSIDE):
            own = self._objects.variables(node)
            inner = self._inner(node)
            if _variable(own, name) is not None or inner is None:
                return node, own
            node = inner
        raise DamageError(f"has layers in one another more than {_MOST_INSIDE} deep")

    def _part(self, node: int, local: str) -> int:
        for _ in range(_MOST_INSIDE):
            children, inner = self._objects.children(node), self._inner(node)
            if local in children:
                return children[local]
            if inner is None:
                raise DamageError(f"has no {quoted(local)} in a layer whose configuration implies it")
            node = inner
        raise DamageError(f"has layers in one another more than {_MOST_INSIDE} deep")

    def _inner(self, node: int) -> int | None:
        children = self._objects.children(node)
        inside = [children[name] for name in _INSIDE if name in children]
        if len(inside) > 1:
            raise DamageError("has a layer that wraps two others")
        return inside[0] if inside else None

    def _checked(self, key: str, shape: Shape, what: str) -> Entry:
        """What the index says of a weight, once it is known to be what the configuration implies."""
        index, entry = self._bundle.index, self._bundle.entry(key)
        if entry.shape != tuple(shape):
            raise index.problem(
                f"does not agree with its configuration: {what} has the shape {entry.shape}, where the configuration "
                f"implies {tuple(shape)}"
            )
        if entry.dtype is None:
            raise index.problem(
                f"cannot be read: {what} is stored as {entry.type_name}, where fastact reads float16, bfloat16, "
                "float32 and float64"
            )
        problem = entry.storage_problem()
        if problem:
            raise index.problem(f"is not safe to read: {what} {problem}")
        return entry

    def _refuse_extra(self, layer: LayerPath, owners: Iterable[int], claimed: set[str]) -> None:
        """Refuse a weight that the configuration does not imply, beside one that it does.

        A layer that says nothing of a bias and stores one would be computed wrongly. Integers (counters, seeds) never
        enter a computation.
        """
        for owner in owners:
            for name, variable in self._objects.variables(owner).items():
                if variable.key not in claimed and not self._bundle.entry(variable.key).is_integer:
                    raise self._bundle.index.problem(
                        f"does not agree with its configuration: layer {quoted('/'.join(layer))} also stores the "
                        f"weight {quoted(name)}, which its configuration does not imply"
                    )

    def _values(self, entry: Entry, what: str) -> NDArray[np.float32]:
        try:
            return entry.read()
        except DamageError as error:
            raise entry.shard.problem(f"cannot be read: the numbers of {what} {error}") from None


def _variable(own: Mapping[str, Variable], name: str) -> Variable | None:
    """The variable of that name: as its layer calls it, or as Keras does where the layer calls it otherwise.

    Normalization keeps the weight ``mean`` as ``adapt_mean``.
    """
    if name in own:
        return own[name]
    known = [variable for variable in own.values() if variable.full_name.rpartition("/")[2] == name]
    return known[0] if len(known) == 1 else None


def _what(leaf: str, layer: LayerPath) -> str:
    return f"the weight {quoted(leaf)} of layer {quoted('/'.join(layer))}"
