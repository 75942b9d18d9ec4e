"""Keras's way of writing a network down, without Keras: what is written becomes a configuration and an .h5 file.

`Recorder` stands in for the namespace `keras` in a function such as ``lambda k, x: k.layers.Conv2D(8, 3)(x)``, so that
one definition makes a model of any Keras, and here a file that fastact and Keras read, its weights random.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fastact.files import SavedModel
from fastact.graph import Model, build

_POSITIONAL = {
    "Activation": ("activation",),
    "AveragePooling2D": ("pool_size",),
    "Conv2D": ("filters", "kernel_size"),
    "Conv2DTranspose": ("filters", "kernel_size"),
    "Dense": ("units",),
    "DepthwiseConv2D": ("kernel_size",),
    "Dropout": ("rate",),
    "MaxPooling2D": ("pool_size",),
    "ReLU": ("max_value",),
    "UpSampling2D": ("size",),
    "ZeroPadding2D": ("padding",),
}
"""What Keras calls the arguments that are given by place; layers that are not listed take none."""

_VERSION = (2, 15, 0)


@dataclass(frozen=True)
class _Tensor:
    """The output of a layer."""

    layer: str


@dataclass
class _Layer:
    """A layer that is written down when it is called."""

    recorder: Recorder
    class_name: str
    config: dict[str, Any]

    def __call__(self, x: _Tensor | list[_Tensor]) -> _Tensor:
        inputs = x if isinstance(x, list) else [x]
        return self.recorder.add(self.class_name, self.config, [t.layer for t in inputs])


@dataclass
class Recorder:
    """What stands for `keras`: `layers`, and `Model`, which gives a configuration."""

    written: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def layers(self) -> Recorder:
        """Every class of layers, as an attribute."""
        return self

    def __getattr__(self, class_name: str) -> Callable[..., _Layer]:
        if not class_name[:1].isupper():
            raise AttributeError(class_name)

        def make(*args: Any, **kwargs: Any) -> _Layer:
            names = _POSITIONAL.get(class_name, ())
            if len(args) > len(names):
                raise TypeError(f"{class_name} takes {len(names)} arguments by place, not {len(args)}")
            given = dict(zip(names, args, strict=False))
            return _Layer(self, class_name, given | kwargs)

        return make

    def Input(self, shape: tuple[int, ...], name: str | None = None) -> _Tensor:  # noqa: N802
        """Where a frame comes in."""
        return self.add("InputLayer", {"batch_input_shape": [None, *shape], "dtype": "float32", "name": name}, [])

    def add(self, class_name: str, config: Mapping[str, Any], inputs: list[str]) -> _Tensor:
        """Writes down one call."""
        self.counts[class_name] += 1
        name = config.get("name") or f"{class_name.lower()}_{self.counts[class_name]}"
        nodes = [[[i, 0, 0, {}] for i in inputs]] if inputs else []
        layer = {"class_name": class_name, "config": {**config, "name": name}, "name": name, "inbound_nodes": nodes}
        self.written.append(layer)
        return _Tensor(name)

    def Model(self, inputs: _Tensor | list[_Tensor], outputs: _Tensor | list[_Tensor]) -> dict[str, Any]:  # noqa: N802
        """The configuration of the functional model."""
        starts, ends = (end if isinstance(end, list) else [end] for end in (inputs, outputs))
        config = {
            "name": "model",
            "layers": self.written,
            "input_layers": [[start.layer, 0, 0] for start in starts],
            "output_layers": [[end.layer, 0, 0] for end in ends],
        }
        return {"class_name": "Functional", "config": config}


class _RandomWeights:
    """Whatever weights are asked for, of a size that keeps values from growing or vanishing through many layers."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def read(
        self, wanted: Mapping[tuple[str, ...], Mapping[str, tuple[int, ...]]]
    ) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
        return {path: {name: self._array(name, s) for name, s in shapes.items()} for path, shapes in wanted.items()}

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if "kernel" in name:
            products = math.prod(shape[:2] if name.startswith("depthwise") else shape[:-1])
            values = self._random.standard_normal(shape) * math.sqrt(2 / products)
        elif name == "gamma":  # below 1: what relu6 would cut off grows rounding errors from layer to layer
            values = self._random.uniform(0.4, 0.8, shape)
        elif name == "moving_variance":
            values = self._random.uniform(0.5, 1.5, shape)
        else:
            values = self._random.normal(0, 0.2, shape)
        return values.astype(np.float32)


def model_of(make: Callable[[Any], Any], seed: int = 1) -> tuple[dict[str, Any], Model]:
    """The configuration that `make(keras)` writes, and the model of it with random weights."""
    config = json.loads(json.dumps(make(Recorder())))  # lists where there were tuples, as in a file
    saved = SavedModel(Path("made.h5"), "made here", _VERSION, "tensorflow", config, _RandomWeights(seed), "0" * 64)
    return config, build(saved)


def write_h5(make: Callable[[Any], Any], path: Path, seed: int = 1) -> Path:
    """Writes the model that `make(keras)` writes down as a legacy .h5 file, with random weights."""
    import h5py  # for those alone who want a file

    config, model = model_of(make, seed)
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        for group in (file, weights):
            group.attrs["keras_version"] = ".".join(map(str, _VERSION))
            group.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        weights.attrs["layer_names"] = [node.name.encode() for node in model.nodes]
        for node in model.nodes:
            group = weights.create_group(node.name)
            arrays = {} if node.layer is None else node.layer.weights
            group.attrs["weight_names"] = np.array([f"{node.name}/{w}:0".encode() for w in arrays], dtype="S200")
            for name, array in arrays.items():
                group.create_dataset(f"{node.name}/{name}:0", data=array)
    return path
