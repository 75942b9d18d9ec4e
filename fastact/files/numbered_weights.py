"""The weights of ``.keras`` and ``.weights.h5`` files: found by class and number, checked, added up, then read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import datasets, hdf5
from .datasets import Weight
from .model import LayerPath, Shape
from .numbered_paths import Places
from .text import quoted

__all__ = ["NamedWeights", "NumberedWeights"]

_MAX_NAME_BYTES = 4096
_MOST_VARIABLES = 64
"""The most variables of one layer."""


class NumberedWeights:
    """The `WeightReader` of a file of weights alone, whose layers may have other names than the configuration's."""

    def __init__(self, file: hdf5.H5File, config: dict[str, Any], version: tuple[int, ...], max_bytes: int) -> None:
        """Read the weights of a model configured like that, and saved by that version of Keras."""
        self._file = file
        self._root = file.root()
        self._config = config
        self._version = version
        self._max_bytes = max_bytes

    def read(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, NDArray[np.float32]]]:
        """See `WeightReader.read`."""
        with hdf5.guarded(self._file.path, "the weights"):
            return datasets.read_all(self._file, self._locate(wanted), self._max_bytes)

    def _locate(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, Weight]]:
        """Find and check every weight by its header, in the order asked for."""
        if not any(wanted.values()):
            return {layer: {} for layer in wanted}
        places = Places(self._file, self._config, self._version)
        return {layer: self._locate_in(layer, shapes, places) if shapes else {} for layer, shapes in wanted.items()}

    def _locate_in(self, layer: LayerPath, shapes: Mapping[str, Shape], places: Places) -> dict[str, Weight]:
        self._check_name(*places.own(layer))
        groups = places.parts(layer)
        by_part: dict[str, list[str]] = {}
        for name in shapes:
            by_part.setdefault(name.rpartition("/")[0], []).append(name)
        found: dict[str, Weight] = {}
        for part, names in by_part.items():
            group = self._file.group(self._root, f"{groups[part]}/vars") if part in groups else None
            if group is None:
                raise self._missing(layer, names[0])
            for number, name in enumerate(names):
                found[name] = self._weight(layer, name, shapes[name], group, number)
            self._refuse_extra(layer, group, len(names))
        return {name: found[name] for name in shapes}

    def _check_name(self, group: str, name: str) -> None:
        """Nothing to compare: the names that Keras gives by itself differ from session to session."""

    def _weight(self, layer: LayerPath, name: str, shape: Shape, group: hdf5.Group, number: int) -> Weight:
        dataset = self._file.dataset(group, str(number))
        if dataset is None:
            raise self._missing(layer, name)
        what = f"the weight {quoted(name)} of layer {quoted('/'.join(layer))}"
        return datasets.checked(self._file, dataset, tuple(shape), what)

    def _missing(self, layer: LayerPath, name: str) -> Exception:
        return self._file.problem(
            f"does not agree with its configuration: layer {quoted('/'.join(layer))} should have the weight "
            f"{quoted(name)}, and none is where Keras saves it"
        )

    def _refuse_extra(self, layer: LayerPath, group: hdf5.Group, count: int) -> None:
        """Refuse a variable beyond those that the configuration implies, unless it is a counter or a seed."""
        names = self._file.names(group)
        for name in names[: _MOST_VARIABLES - 1]:
            if name.isdecimal() and int(name) < count:
                continue
            dataset = self._file.dataset(group, name)
            if dataset is None or not datasets.is_integer(dataset):
                break
        else:
            if len(names) < _MOST_VARIABLES:
                return
        raise self._file.problem(
            f"does not agree with its configuration: layer {quoted('/'.join(layer))} stores more than the {count} "
            "weights that its configuration implies"
        )


class NamedWeights(NumberedWeights):
    """The `WeightReader` of a ``.keras`` file, where Keras 3.6 and later say whose weights a group has."""

    def _check_name(self, group: str, name: str) -> None:
        variables = self._file.group(self._root, f"{group}/vars")
        found = None if variables is None else self._file.text(variables, "name", _MAX_NAME_BYTES)
        if found is not None and found != name.encode():
            raise self._file.problem(
                f"does not agree with its configuration: its group {quoted(group)} has the weights of "
                f"{quoted(found.decode('utf-8', 'replace'))} in place of {quoted(name)}"
            )
