"""What fastact is held against: TensorFlow's maps, a run through the references in float64, models made by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastact import Extractor, FeatureMaps
from fastact.errors import FileError
from fastact.files import SavedModel
from fastact.graph import Model, build
from fastact.kernels import ops, reference
from fastact.layers import Tape, Value

Arrays = dict[str, np.ndarray]


def keras_maps(model: Any, inputs: Mapping[str, np.ndarray]) -> Arrays:
    """Every map of every layer of a Keras model, nested ones too, under the names fastact gives them.

    `inputs` are in the model's order, several frames along their first axis, as are the maps. The model is run eagerly
    with a recorder around each layer's `call`, so that what is kept is what Keras computed in that very run.
    """
    maps: Arrays = {}
    where: list[str] = []
    done: Counter[str] = Counter()
    recorded: list[tuple[Any, Any]] = []

    def record(layer: Any, order: list[int]) -> None:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            path = "/".join([*where, layer.name])
            number, done[path] = order[done[path]], done[path] + 1
            where.append(layer.name + (f":{number}" if number else ""))
            try:
                result = original(*args, **kwargs)
            finally:
                name = "/".join(where)
                where.pop()
            if isinstance(result, list | tuple) and not hasattr(layer, "layers"):  # of a model: they are its layers'
                maps.update({f"{name}.{number}": output.numpy() for number, output in enumerate(result)})
            if hasattr(result, "numpy"):
                maps[name] = result.numpy()
            if hasattr(getattr(layer, "layer", None), "layers"):
                maps.update(_distributed_maps(name, layer.layer, args[0]))
            return result

        layer.call = call
        recorded.append((layer, original))

    try:
        for layer, order in _call_orders(model):
            record(layer, order)
        batch = list(inputs.values())
        model(batch if len(batch) > 1 else batch[0], training=False)
    finally:
        for layer, original in recorded:
            layer.call = original
    return maps


def _distributed_maps(name: str, model: Any, sequence: Any) -> Arrays:
    """The maps of a model in a TimeDistributed layer: its steps are a batch to the model."""
    (inputs,) = sequence.numpy()
    return {f"{name}/{inner}": array[None] for inner, array in keras_maps(model, {"": inputs}).items()}


def _call_orders(model: Any) -> Iterator[tuple[Any, list[int]]]:
    """Every layer, nested ones too, with the numbers of its calls in the order in which Keras comes to them."""
    network = getattr(model, "_functional", model)  # what a Sequential of Keras 3 runs
    by_depth = network._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    for layer in getattr(network, "operations", model.layers):  # Keras 3's operations are no layers
        if type(layer).__name__ == "InputLayer":
            continue
        numbered = [node for node in layer._inbound_nodes if node in nodes]
        yield layer, [numbered.index(node) for node in nodes if node in numbered]
        if hasattr(layer, "layers"):
            yield from _call_orders(layer)


class ReferenceTape(Tape):
    """Runs every operation as it comes, through its reference, in the dtype of the inputs."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []

    def add(self, array: np.ndarray) -> Value:
        self.arrays.append(array)
        return Value(len(self.arrays) - 1, array.shape)

    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        result = reference.run(op, *(self.arrays[i.number] for i in inputs))
        assert result.shape == op.shape(*(i.shape for i in inputs))
        return self.add(result)


def reference_maps(model: Model, inputs: Mapping[str, np.ndarray], dtype: type = np.float64) -> Arrays:
    """Every map of a fastact model, computed by the references in `dtype`."""
    tape, values, maps = ReferenceTape(), dict[int, Value](), Arrays()
    for place, node in enumerate(model.nodes):
        if node.reason is not None:
            continue
        if node.is_input:
            values[place] = tape.add(inputs[node.name].astype(dtype))
        elif node.layer is None:
            values[place] = values[node.inputs[0]]
        else:
            values[place] = node.layer.lower(tape, *(values[i] for i in node.inputs))
        maps[node.name] = tape.arrays[values[place].number]
    return maps


class RandomWeights:
    """A `WeightReader` that has whatever it is asked for."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)

    def read(
        self, wanted: Mapping[tuple[str, ...], Mapping[str, tuple[int, ...]]]
    ) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
        return {path: {name: self._array(name, s) for name, s in shapes.items()} for path, shapes in wanted.items()}

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if math.prod(shape) > 2**24:
            raise FileError(f"the file has no weight of shape {shape}")
        values = self._random.normal(0, 0.3, shape)
        return np.asarray(np.abs(values) + 0.1 if name == "moving_variance" else values, np.float32)


def handmade(config: Any, version: tuple[int, ...] = (3, 0, 0), seed: int = 1) -> Model:
    """The model of a configuration written by hand, with random weights."""
    return build(
        SavedModel(Path("handmade.h5"), "a test", version, "tensorflow", config, RandomWeights(seed), "0" * 64)
    )


def assert_as_recorded(model: Model, path: Path) -> FeatureMaps:
    """Runs a model on the inputs in a .npz and compares every map in it, within 1e-5 of the layer's largest value.

    The file holds `in/NAME` and `out/LAYER`, batch axis first. Layers fastact cannot compute are left to the caller.
    """
    with np.load(path) as recorded:
        arrays = {key: recorded[key][0] for key in recorded.files}
    maps = Extractor(model, "all")({key[3:]: array for key, array in arrays.items() if key.startswith("in/")})
    expected = {key[4:]: array for key, array in arrays.items() if key.startswith("out/")}
    assert expected
    for name, array in expected.items():
        if name in maps.missing:
            continue
        assert maps[name].shape == array.shape, name
        assert largest_difference(maps[name], array) <= 1e-5 * np.max(np.abs(array)), name
    return maps


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest absolute difference; NaN in one of them alone counts as infinite."""
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    return float(np.max(np.abs(np.nan_to_num(a.astype(np.float64)) - np.nan_to_num(b.astype(np.float64))), initial=0))
