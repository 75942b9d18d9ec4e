"""The weights of a legacy ``.h5`` file: found and checked by their headers, added up, and only then read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import architecture, datasets, hdf5, names
from .datasets import Weight
from .model import LayerPath, Shape
from .text import listed, quoted

__all__ = ["LegacyWeights"]


class LegacyWeights:
    """The `WeightReader` of a legacy ``.h5`` file."""

    def __init__(self, file: hdf5.H5File, group: hdf5.Group, config: Mapping[str, Any], max_bytes: int) -> None:
        """Read from `group` the weights of a model configured like that."""
        self._file = file
        self._group = group
        self._layers = architecture.layer_names(config)
        self._inner = architecture.inner_names(config)
        self._model = architecture.model_name(config)
        self._max_bytes = max_bytes

    def read(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, NDArray[np.float32]]]:
        """See `WeightReader.read`."""
        with hdf5.guarded(self._file.path, "the weights"):
            return datasets.read_all(self._file, self._locate(wanted), self._max_bytes)

    def _locate(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, Weight]]:
        """Find and check every weight by its header, in the order asked for."""
        by_group: dict[str, dict[LayerPath, Mapping[str, Shape]]] = {}
        for layer, shapes in wanted.items():
            if shapes:
                by_group.setdefault(layer[0], {})[layer] = shapes
        listed_layers = self._listed_layers() if by_group else frozenset()
        found: dict[LayerPath, dict[str, Weight]] = {layer: {} for layer in wanted}
        for name, layers in by_group.items():
            found.update(self._locate_in(name, self._layer_group(name, listed_layers), layers))
        return found

    def _listed_layers(self) -> frozenset[str]:
        layers = self._file.list_of_names(self._group, "layer_names")
        if layers is None:
            raise self._file.problem("is damaged: its weights list no layers")
        if len(set(layers)) != len(layers):
            raise self._file.problem("is damaged: its weights list a layer twice")
        return frozenset(layers)

    def _layer_group(self, name: str, listed_layers: Collection[str]) -> hdf5.Group:
        group = self._file.group(self._group, name) if name in listed_layers else None
        if group is None:
            raise self._file.problem(
                f"does not agree with its configuration: it holds no weights of the layer {quoted(name)} but "
                f"those of {listed(sorted(listed_layers))}"
            )
        return group

    def _locate_in(
        self, name: str, group: hdf5.Group, layers: Mapping[LayerPath, Mapping[str, Shape]]
    ) -> dict[LayerPath, dict[str, Weight]]:
        """Find and check the weights of one group: of a layer, or of all layers in a nested model."""
        weight_names = self._file.list_of_names(group, "weight_names") or []
        if len(set(weight_names)) != len(weight_names):
            raise self._file.problem(f"is damaged: layer {quoted(name)} lists a weight twice")
        stored = [names.parse(one) for one in weight_names]
        try:
            assigned = names.assign(layers, stored, self._layers, self._model, self._inner)
        except names.MatchError as error:
            raise self._file.problem(str(error)) from None
        self._refuse_extra(name, group, assigned, stored)
        return {
            layer: {
                leaf: datasets.checked(
                    self._file,
                    self._dataset(group, assigned[layer][leaf].name),
                    tuple(shape),
                    f"the weight {quoted(leaf)} of layer {quoted('/'.join(layer))}",
                )
                for leaf, shape in shapes.items()
            }
            for layer, shapes in layers.items()
        }

    def _dataset(self, group: hdf5.Group, name: str) -> hdf5.Dataset:
        dataset = self._file.dataset(group, name)
        if dataset is None:
            raise self._file.problem(f"is damaged: it lists the weight {quoted(name)} but does not hold it")
        return dataset

    def _refuse_extra(
        self,
        name: str,
        group: hdf5.Group,
        assigned: Mapping[LayerPath, Mapping[str, names.StoredName]],
        stored: Sequence[names.StoredName],
    ) -> None:
        """Refuse a weight that the configuration does not imply, beside one that it does.

        A convolution whose configuration is silent on LoRA but whose weights hold it would be computed
        wrongly. Integers (counters, seeds) never enter a computation. In a nested model, the weights of
        layers that were not asked for lie under their own prefixes.
        """
        claimed = {one.name for found in assigned.values() for one in found.values()}
        prefixes = {one.prefix for found in assigned.values() for one in found.values() if one.prefix}
        alone = set(assigned) == {(name,)}
        for one in stored:
            if one.name in claimed or not (alone or one.prefix in prefixes):
                continue
            if not datasets.is_integer(self._dataset(group, one.name)):
                raise self._file.problem(
                    f"does not agree with its configuration: layer {quoted(name)} also stores the weight "
                    f"{quoted(one.name)}, which its configuration does not imply"
                )
