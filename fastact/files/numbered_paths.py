"""Where the layout of ``.keras`` and ``.weights.h5`` files has a layer's weights.

There a layer goes by its class and by a number, not by its name. For the layers of a model, in the order of its
configuration:

===============================================  =========================================================
layer                                            group with its weights, numbered from 0
===============================================  =========================================================
the first Conv2D, the second                     ``layers/conv2d/vars``, ``layers/conv2d_1/vars``
in a nested model, the first of its class        ``layers/functional/layers/conv2d/vars``
a recurrent layer                                ``layers/lstm/cell/vars``
RNN over several cells                           ``layers/rnn/cell/cells/lstm_cell/vars``, ``…_1/vars``
TimeDistributed                                  ``layers/time_distributed/layer/vars``
TimeDistributed of a model                       ``layers/time_distributed/layer/layers/conv2d/vars``
Bidirectional                                    ``layers/bidirectional/forward_layer/cell/vars``, ``backward_layer``
===============================================  =========================================================

Keras saves an object that is used in several models once, where it comes to it first. Its other places are

- counted but empty by Keras 3,
- not counted by Keras 2.14 and later (tf-keras too),
- counted by Keras 2.13, which counts every layer with weights twice and has ``_layer_checkpoint_dependencies`` for
  ``layers``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..kernels.records import dataclass
from .hdf5 import H5File
from .model import MODEL_CLASSES, LayerPath
from .text import listed, quoted

__all__ = ["CONTAINERS", "Places", "snake_case"]

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""The group of a model's layers; the second in Keras 2.13."""

_WITH_CELL = frozenset({"LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
_MOST_TWINS = 64


@dataclass(frozen=True)
class _Item:
    """A layer as configured."""

    name: str
    class_name: str
    entry: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        config = self.entry.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def key(self) -> tuple[str, str]:
        """The same for all places of one object, and for few others."""
        return self.class_name, self.name

    @property
    def is_marked(self) -> bool:
        """Whether Keras marked it as an object that the configuration holds several times."""
        return "shared_object_id" in self.entry

    @property
    def is_operation(self) -> bool:
        """Whether it is an operation of Keras 3 that is no layer and so is not counted."""
        return ".ops." in str(self.entry.get("module"))


class Places:
    """The places of all layers of a model in an open file."""

    def __init__(self, file: H5File, config: dict[str, Any], version: tuple[int, ...]) -> None:
        self._file = file
        self._root = file.root()
        self._is_keras3 = version[0] >= 3
        self._container = next((name for name in CONTAINERS if self._exists(name)), CONTAINERS[0])
        self._has_marks = False
        self._places: dict[LayerPath, tuple[_Item, str | None]] = {}
        self._groups: dict[tuple[str, str], list[str]] = {}
        self._models: dict[tuple[str, str], list[LayerPath]] = {}
        self._find_marks(config)
        self._walk(config, self._container, ())

    def own(self, path: LayerPath) -> tuple[str, str]:
        """Return the group of a layer, or of its other place where Keras saved it there, and the layer's name.

        Raises:
            FileError: there is no such layer, or it could be in two places.
        """
        if path not in self._places:
            raise self._file.problem(f"has no layer {quoted('/'.join(path))} in its configuration")
        item, group = self._places[path]
        return self._held(item, group), item.name

    def parts(self, path: LayerPath) -> dict[str, str]:
        """Return the groups above a layer's ``vars``, by what stands before the names of the weights in each.

        ``{"": "layers/conv2d"}``; for a Bidirectional layer the keys are ``"forward"`` and ``"backward"``.

        Raises:
            FileError: there is no such layer, or it could be in two places.
        """
        group, _ = self.own(path)
        return self._parts(self._places[path][0], group)

    # The walk, in the order in which Keras saves.

    def _walk(self, entry: dict[str, Any], container: str | None, above: LayerPath) -> None:
        """Place the layers of a model; its group of layers is None where it was saved before."""
        for item, group in self._numbered(list(_items(entry)), container):
            path = (*above, item.name)
            self._places[path] = item, group
            self._note(item, group)
            inner, inside = item, group
            if item.class_name == "TimeDistributed":
                inner, inside = _wrapped(item), group and f"{group}/layer"
                self._note(inner, inside)
            if inner.class_name not in MODEL_CLASSES:
                continue
            twin = self._twin(inner, inside)
            if twin is not None:
                self._repeat(inner.entry, twin, path)
                continue
            self._walk(inner.entry, inside and f"{inside}/{self._container}", path)
            if inside is not None:
                self._models.setdefault(inner.key, []).append(path)

    def _note(self, item: _Item, group: str | None) -> None:
        if group is not None:
            self._groups.setdefault(item.key, []).append(group)

    def _twin(self, item: _Item, group: str | None) -> LayerPath | None:
        """Return the path under which a nested model was saved before, if it was and can be told."""
        before = self._models.get(item.key, ())
        return before[0] if len(before) == 1 and (group is None or not self._exists(group)) else None

    def _repeat(self, entry: dict[str, Any], twin: LayerPath, path: LayerPath) -> None:
        """Place the layers of a model that was saved before where they were then."""
        for item in _items(entry):
            before, now = (*twin, item.name), (*path, item.name)
            self._places[now] = self._places.get(before, (item, None))
            inner = _wrapped(item) if item.class_name == "TimeDistributed" else item
            if inner.class_name in MODEL_CLASSES:
                self._repeat(inner.entry, before, now)

    def _numbered(self, items: Sequence[_Item], container: str | None) -> Iterator[tuple[_Item, str | None]]:
        """Yield layers with their groups one by one: what is inside a layer is saved before the next one."""
        if container is None:
            return ((item, None) for item in items)
        if self._is_keras3:
            return self._numbered_by_keras3(items, container)
        if self._container == CONTAINERS[0]:
            return self._numbered_by_keras214(items, container)
        return self._numbered_by_keras213(items, container)

    def _numbered_by_keras3(self, items: Sequence[_Item], container: str) -> Iterator[tuple[_Item, str]]:
        counts: dict[str, int] = {}
        for item in items:
            if item.is_operation:
                continue
            name = snake_case(item.class_name)
            number = counts[name] = counts.get(name, -1) + 1
            yield item, _group(container, name, number)

    def _numbered_by_keras214(self, items: Sequence[_Item], container: str) -> Iterator[tuple[_Item, str | None]]:
        """Without the objects saved before: where the file has a group for every layer, there are none."""
        totals: dict[str, int] = {}
        for item in items:
            name = snake_case(item.class_name)
            totals[name] = totals.get(name, 0) + 1
        counts: dict[str, int] = {}
        left_out = set()
        for item in items:
            name = snake_case(item.class_name)
            number = counts.get(name, 0)
            if self._may_be_saved(item) and not self._exists(_group(container, name, totals[name] - 1)):
                left_out.add(name)
                yield item, None
                continue
            counts[name] = number + 1
            yield item, _group(container, name, number)
        for name in left_out:
            self._check_last(container, name, counts.get(name, 0))

    def _numbered_by_keras213(self, items: Sequence[_Item], container: str) -> Iterator[tuple[_Item, str | None]]:
        """With two numbers for each layer that has weights; its second number is never a group's."""
        counts: dict[str, int] = {}
        left_out = set()
        for item in items:
            name = snake_case(item.class_name)
            number = counts.get(name, 0)
            group = _group(container, name, number)
            if self._may_be_saved(item) and not self._exists(group):
                left_out.add(name)
                counts[name] = number + 2
                yield item, None
                continue
            counts[name] = number + (1 if self._exists(_group(container, name, number + 1)) else 2)
            yield item, group
        for name in left_out:
            self._check_last(container, name, counts[name])

    def _may_be_saved(self, item: _Item) -> bool:
        """Whether an object saved before may be the same."""
        return item.key in self._groups and (item.is_marked or not self._has_marks)

    def _check_last(self, container: str, name: str, count: int) -> None:
        """Refuse a file in which more layers of a class are than were counted."""
        if self._exists(_group(container, name, count)):
            raise self._file.problem(
                f"is ambiguous: which layers its group {quoted(container)} shares with others cannot be told"
            )

    # Where weights lie.

    def _held(self, item: _Item, group: str | None) -> str:
        """Return the group that an object was saved to: its own, or the only one of its name and class there is."""
        if group is not None and self._exists(group):
            return group
        others = [one for one in self._groups.get(item.key, ())[:_MOST_TWINS] if self._exists(one)]
        if len(others) != 1:
            what = f"could have them in {listed(others)}" if others else "has none where Keras saves them"
            raise self._file.problem(
                f"does not agree with its configuration: of the weights of layer {quoted(item.name)} it {what}"
            )
        return others[0]

    def _parts(self, item: _Item, group: str) -> dict[str, str]:
        if item.class_name == "TimeDistributed":
            inner = _wrapped(item)
            return self._parts(inner, self._held(inner, f"{group}/layer"))
        if item.class_name == "Bidirectional":
            forward = _item(item.config.get("layer"))
            backward = _item(item.config.get("backward_layer")) if item.config.get("backward_layer") else forward
            both = {"forward": forward, "backward": backward}
            return {
                "/".join(filter(None, (way, part))): place
                for way, inner in both.items()
                for part, place in self._parts(inner, f"{group}/{way}_layer").items()
            }
        if item.class_name in _WITH_CELL:
            return {"": f"{group}/cell"}
        if item.class_name == "RNN":
            return self._cells(_item(item.config.get("cell")), f"{group}/cell")
        return {"": group}

    def _cells(self, cell: _Item, group: str) -> dict[str, str]:
        if cell.class_name != "StackedRNNCells":
            return {"": group}
        cells = cell.config.get("cells")
        items = [_item(one) for one in cells] if isinstance(cells, list) else []
        numbered = self._numbered_by_keras3(items, f"{group}/cells")
        return {str(number): place for number, (_, place) in enumerate(numbered)}

    def _exists(self, group: str) -> bool:
        return self._file.group(self._root, group) is not None

    def _find_marks(self, config: dict[str, Any]) -> None:
        waiting = [config]
        while waiting:
            for item in _items(waiting.pop()):
                if item.class_name == "TimeDistributed":
                    item = _wrapped(item)
                self._has_marks = self._has_marks or item.is_marked
                if item.class_name in MODEL_CLASSES:
                    waiting.append(item.entry)


def snake_case(class_name: str) -> str:
    """Return what Keras makes of a class's name: ``"Conv2DTranspose"`` gives ``"conv2d_transpose"``."""
    name = re.sub(r"\W+", "", class_name.rpartition(">")[2])
    for pattern in ("(.)([A-Z][a-z]+)", "([a-z])([A-Z])"):
        name = re.sub(pattern, r"\1_\2", name)
    return name.lower()


def _group(container: str, name: str, number: int) -> str:
    return f"{container}/{name}_{number}" if number else f"{container}/{name}"


def _items(entry: dict[str, Any]) -> Iterator[_Item]:
    """Yield the layers of a model as it lists them."""
    inner = entry.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    return map(_item, layers if isinstance(layers, list) else ())


def _wrapped(item: _Item) -> _Item:
    return _item(item.config.get("layer"))


def _item(entry: Any) -> _Item:
    """Take a layer's configuration apart; what it lacks is empty, and no layer of that name is ever asked for."""
    entry = entry if isinstance(entry, dict) else {}
    config = entry.get("config")
    name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None)
    class_name = entry.get("class_name")
    return _Item(name if isinstance(name, str) else "", class_name if isinstance(class_name, str) else "", entry)
