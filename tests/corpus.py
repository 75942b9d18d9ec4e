"""Networks of the world, with weights that hide no mistake, in every file that can hold them.

A network's maps are compared once for each Keras, in its .h5 file: with Keras's own and with a float64 reference. From
another file with the same weights fastact must give the same maps to the bit.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cases import BOTH, KERAS2
from oracles import Arrays, keras_maps, largest_difference, reference_maps
from pilots import PILOTS
from tflite_models import converted

import fastact
from benchmarks.networks import unet

FRAMES = 2

Maps = list[Arrays]
"""Maps by layer, for each frame."""


@dataclass(frozen=True)
class Network:
    """One network.

    Attributes:
        name: what it is called.
        make: gives the model from a `keras` namespace.
        brightest: frames hold values from 0 to this; a network that rescales its input expects 255.
        brief: whether it belongs to the short form.
        keras: which Keras can make it.
    """

    name: str
    make: Callable[[Any], Any]
    brightest: float = 1.0
    brief: bool = False
    keras: tuple[str, ...] = BOTH


def _application(name: str, side: int, **arguments: Any) -> Network:
    def make(k: Any) -> Any:
        return getattr(k.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)

    return Network(f"{name} {side}x{side}", make, **arguments)


NETWORKS = (
    _application("MobileNetV2", 32, brief=True),
    _application("MobileNetV3Small", 64, brightest=255.0, brief=True),
    _application("EfficientNetB0", 64, brightest=255.0),
    _application("ResNet50", 64),
    _application("DenseNet121", 64),
    _application("Xception", 71),
    _application("NASNetMobile", 64),
    Network("U-Net 128x128", unet, brief=True),
    *(Network(f"pilot {case.id}", case.make) for case in PILOTS),
)


# Weights and frames.


def shake(model: Any, batches: list[np.ndarray], seed: int = 1) -> None:
    """Gives every weight, bias and statistic a value of its own, so that values neither explode nor die.

    Kernels are He's (2015). Running statistics are those of a run in training, each then moved at random: made up
    alone, they would not fit what comes in after a hundred layers.
    """
    random = np.random.default_rng(seed)
    for layer in _every_layer(model):
        for weight in layer.weights if not hasattr(layer, "layers") else ():
            if "int" not in str(weight.dtype):  # a counter, or the state of a random generator
                weight.assign(_values(random, layer, weight))
    normalizations = [layer for layer in _every_layer(model) if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    model(batches if len(batches) > 1 else batches[0], training=True)
    for layer, momentum in zip(normalizations, momenta, strict=True):
        layer.momentum = momentum
        mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
        variance = variance + 0.1 * variance.mean() + 0.2 * mean**2
        layer.moving_mean.assign(mean + random.normal(0, 0.2, mean.shape) * np.sqrt(variance))
        layer.moving_variance.assign(variance * random.uniform(0.7, 1.4, variance.shape))
    for layer in _every_layer(model):
        if hasattr(layer, "finalize_state"):  # keeps copies of its weights
            layer.finalize_state()


def _every_layer(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _every_layer(layer)


def _values(random: np.random.Generator, layer: Any, weight: Any) -> np.ndarray:
    leaf, shape = weight.name.split("/")[-1].split(":")[0], tuple(weight.shape)
    if "kernel" in leaf:
        alone = leaf == "depthwise_kernel" or type(layer).__name__ == "DepthwiseConv2D"
        return random.standard_normal(shape) * math.sqrt(2 / math.prod(shape[:2] if alone else shape[:-1]))
    if "variance" in leaf:
        return random.uniform(0.5, 2.0, shape)
    if leaf == "gamma":
        return random.uniform(0.5, 1.5, shape) * random.choice((-1, 1), shape)
    return random.normal(0, 0.2, shape)


def frames_for(network: Network, model: Any, count: int = FRAMES, seed: int = 2) -> list[np.ndarray]:
    """Of each input `count` frames along the first axis: noise over patches, some frames darker than others."""
    random = np.random.default_rng(seed)
    return [network.brightest * _frames(random, (count, *tensor.shape[1:])) for tensor in model.inputs]


def _frames(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    noise = random.uniform(0, 1, shape)
    if len(shape) > 3:
        rows, columns = (np.arange(n) // 9 for n in shape[-3:-1])
        patches = random.uniform(0, 1, (*shape[:-3], rows[-1] + 1, columns[-1] + 1, shape[-1]))
        noise = 0.3 * noise + 0.7 * patches[..., rows, :, :][..., columns, :]
    light = random.uniform(0.4, 1, (shape[0], *(1 for _ in shape[1:])))
    return (light * noise).astype(np.float32)


# Files.

H5, TFLITE = ".h5", ".tflite"
FORMATS: dict[str, tuple[str, ...]] = {
    H5: BOTH, ".keras": BOTH, ".weights.h5": BOTH, "legacy weights": (KERAS2,), "SavedModel": (KERAS2,),
    TFLITE: BOTH,
}  # fmt: skip
"""Who can write what. All but the last hold every layer and its very weights; a converter fuses layers."""


def saved(model: Any, kind: str, folder: Path, how: str = "float32") -> fastact.Model:
    """A Keras model written to a file of one of `FORMATS`, and read by fastact. The file is not kept.

    `how` is how a .tflite file is converted: "select" with TensorFlow's own operators, as runs of frames need.
    """
    path, config = folder / f"model{kind}", None
    if kind in (".weights.h5", "legacy weights"):
        path = folder / ("weights.h5" if "legacy" in kind else "model.weights.h5")
        model.save_weights(path)
        config = folder / "network.json"
        config.write_text(model.to_json())
    elif kind == TFLITE:
        path.write_bytes(converted(model, how))
    else:
        model.save(path, **({"save_format": "tf"} if kind == "SavedModel" else {}))
    found = fastact.load(path, config=config)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return found


# Maps.


def maps_of(model: fastact.Model, inputs: Arrays) -> Maps:
    """fastact's maps of every layer, of each frame."""
    extract, found = fastact.Extractor(model, "all"), []
    for i in range(FRAMES):
        maps = extract({name: batch[i] for name, batch in zip(model.inputs, inputs.values(), strict=True)})
        found.append({name: maps[name] for name in maps})
    return found


@dataclass(frozen=True)
class Difference:
    """What was found for a layer; all but `largest` in units of it.

    Attributes:
        largest: the largest value of Keras's map, without its sign.
        ours: fastact's largest error, against the reference.
        theirs: TensorFlow's.
        apart: the largest difference between the two.
    """

    largest: float
    ours: float
    theirs: float
    apart: float


def difference(ours: np.ndarray, theirs: np.ndarray, exact: np.ndarray) -> Difference:
    """How a layer's maps differ."""
    if not ours.shape == theirs.shape == exact.shape:
        raise AssertionError(f"fastact's map is {ours.shape}, Keras's {theirs.shape}, the reference's {exact.shape}")
    largest = float(np.max(np.abs(theirs)))
    pairs = ((ours, exact), (theirs, exact), (ours, theirs))
    return Difference(largest, *(largest_difference(*pair) / (largest or 1.0) for pair in pairs))


@dataclass
class Subject:
    """A network made by one Keras, and what the other files are held against."""

    network: Network
    keras_name: str
    keras_model: Any
    inputs: Arrays
    model: fastact.Model
    maps: Maps
    theirs: Maps
    exact: Maps

    @classmethod
    def of(cls, network: Network, keras: Any, folder: Path) -> Subject:
        """Makes the network, writes its .h5 file, and computes its maps in three ways."""
        keras.backend.clear_session()
        made = network.make(keras)
        batches = frames_for(network, made)
        shake(made, frames_for(network, made, count=8, seed=3))
        model = saved(made, H5, folder)
        inputs = dict(zip(model.inputs, batches, strict=True))
        theirs, exact = [], []
        for i in range(FRAMES):
            # One frame at a time, as fastact does: TensorFlow adds up in another order for a batch.
            theirs.append({n: a[0] for n, a in keras_maps(made, {n: b[i : i + 1] for n, b in inputs.items()}).items()})
            exact.append(reference_maps(model, {n: b[i] for n, b in inputs.items()}))
        return cls(network, keras.__name__, made, inputs, model, maps_of(model, inputs), theirs, exact)

    @property
    def lossless(self) -> tuple[str, ...]:
        """The other formats that this Keras writes with every layer and its very weights in them."""
        return tuple(kind for kind, by in FORMATS.items() if self.keras_name in by and kind not in (H5, TFLITE))

    def unlike(self, kind: str, folder: Path) -> list[str]:
        """The layers whose maps from a file of another format are not those from the .h5 file, to the bit."""
        found = maps_of(saved(self.keras_model, kind, folder), self.inputs)
        names = {name for maps in (*found, *self.maps) for name in maps}
        return sorted(
            name
            for name in names
            if not all(
                name in a and name in b and np.array_equal(a[name], b[name])
                for a, b in zip(found, self.maps, strict=True)
            )
        )

    def in_tflite(self, folder: Path) -> fastact.Model:
        """What a converter leaves of it."""
        how = "select" if any(len(batch.shape) > 4 for batch in self.inputs.values()) else "float32"
        return saved(self.keras_model, TFLITE, folder, how)

    def differences(self, maps: Maps | None = None) -> dict[str, Difference]:
        """Of every layer of Keras that is in `maps`, by default those from the .h5 file."""
        maps = self.maps if maps is None else maps
        return {
            name: difference(*(np.stack([frame[name] for frame in of]) for of in (maps, self.theirs, self.exact)))
            for name in self.theirs[0]
            if name in maps[0]
        }
