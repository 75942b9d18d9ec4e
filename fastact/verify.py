"""The same maps from TensorFlow, and how far fastact's are from them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastact import files, litert
from fastact.errors import MissingExtraError, UnsupportedError
from fastact.files.model import MODEL_CLASSES
from fastact.graph import Model
from fastact.kernels.ops import Floats
from fastact.maps import FeatureMaps

TOLERANCE = 1e-5
"""How far from TensorFlow a value may be, in parts of the layer's largest: float32 sums in another order differ by a
few 1e-7 in the first layers and up to some 1e-6 in the last."""


@dataclass(frozen=True)
class Difference:
    """One layer's difference: the largest absolute one, and that in parts of the layer's largest value."""

    name: str
    absolute: float
    relative: float

    def within(self, tolerance: float) -> bool:
        """Whether it is small enough; NaN never is."""
        return self.relative <= tolerance


def compare(maps: FeatureMaps, others: Mapping[str, Floats]) -> list[Difference]:
    """The difference of every layer that is in both; another shape counts as infinitely far."""
    return [_difference(name, array, others[name]) for name, array in maps.items() if name in others]


def _difference(name: str, ours: Floats, theirs: Floats) -> Difference:
    if ours.shape != theirs.shape:
        return Difference(name, np.inf, np.inf)
    both = np.isnan(ours) & np.isnan(theirs) | (ours == theirs)  # equal infinities differ by NaN otherwise
    with np.errstate(invalid="ignore"):
        apart = np.where(both, 0.0, np.abs(ours.astype(np.float64) - theirs))
    largest = float(np.max(np.abs(theirs), initial=0.0, where=np.isfinite(theirs)))
    absolute = float(np.max(apart, initial=0.0))
    return Difference(name, absolute, absolute / largest if largest else absolute)


def tensorflow_maps(model: Model, inputs: Mapping[str, Floats]) -> tuple[str, dict[str, Floats]]:
    """Every layer's map as TensorFlow computes it from the model's file, and which Keras loaded it.

    Of a TensorFlow Lite file, as its interpreter does, and which one.

    Args:
        model: as fastact read it; its file is loaded again, by Keras in its safe mode.
        inputs: the inputs by name, float32, without batch axis.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        UnsupportedError: no installed Keras loads the file.
    """
    if model.format == litert.FORMAT:
        return litert.interpreted_maps(model, inputs)
    name, network = _load(model.source, model.config_source)
    batch = [np.asarray(inputs[n], np.float32)[np.newaxis] for n in model.inputs]
    return name, {key: value[0] for key, value in keras_maps(network, batch).items()}


def _load(path: str, config: str | None) -> tuple[str, Any]:
    """The file as a Keras model: by Keras 3, else by tf-keras, which reads what Keras 2 wrote and Keras 3 does not."""
    tried = []
    for package in ("keras", "tf_keras"):
        try:
            keras = importlib.import_module(package)
            importlib.import_module("tensorflow")
        except ImportError:
            continue
        try:
            return f"{package} {keras.__version__}", _network(keras, path, config)
        except Exception as error:  # Keras raises whatever its layers raise
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            tried.append(f"{package} {keras.__version__}: {said[:200]}")
    if not tried:
        raise MissingExtraError("verify", "TensorFlow", "verify")
    raise UnsupportedError(f"Keras cannot load {path!r} to compare with ({'; '.join(tried)})")


def _network(keras: Any, path: str, config: str | None) -> Any:
    """The model in a file, or the one that `config` describes with the weights in the file."""
    try:
        if config is None:
            return keras.models.load_model(path, compile=False)
        if Path(config).is_file() and Path(config).read_bytes().lstrip().startswith(b"{"):
            network = keras.models.model_from_json(Path(config).read_text("utf-8"))
        else:
            network = keras.models.load_model(config, compile=False)
    except TypeError:  # Keras 3.15 writes arguments that Keras 3.12, the last for Python 3.10, does not take
        network = _by_a_newer_keras(keras, path, config)
    network.load_weights(path)
    return network


def _by_a_newer_keras(keras: Any, path: str, config: str | None) -> Any:
    """The model, without what an older Keras may not know and no map depends on; its weights are to be loaded."""
    with files.open_model(path, config=config) as saved:
        kind = keras.Sequential if saved.config["class_name"] == "Sequential" else keras.Model
        return kind.from_config(_plainer(saved.config["config"]))


def _plainer(config: Any) -> Any:
    """A configuration whose initializers all give zeros, and without a word of quantization where there is none."""
    if isinstance(config, dict):
        return {
            key: "zeros" if key.endswith("_initializer") and isinstance(value, dict) else _plainer(value)
            for key, value in config.items()
            if (key, value) != ("quantization_config", None)
        }
    return [_plainer(value) for value in config] if isinstance(config, list) else config


def keras_maps(network: Any, inputs: list[Any], prefix: str = "") -> dict[str, Any]:
    """Every layer's output under fastact's names, with the batch axis, from a functional or Sequential Keras model.

    One multi-output model computes a network's layers together with what is fed to the models inside it, which are
    asked in turn; to a model in a TimeDistributed layer the steps are a batch. Works with Keras 2 (tf_keras) and
    Keras 3; inputs themselves are left out.
    """
    calls = list(_calls(network))
    tensors = {f"{i}.{k} given": t for i, (*_, outputs) in enumerate(calls) for k, t in enumerate(outputs)}
    tensors |= {f"{i}.{k} fed": t for i, (_, layer, fed, _) in enumerate(calls) if _is_model(_of_each_step(layer))
                for k, t in enumerate(fed)}  # fmt: skip
    keras = importlib.import_module(type(network).__module__.partition(".")[0])
    results = keras.Model(network.inputs, list(tensors.values())).predict_on_batch(
        inputs if len(inputs) > 1 else inputs[0]
    )
    values = dict(zip(tensors, results if isinstance(results, list | tuple) else [results], strict=True))
    maps: dict[str, Any] = {}
    for i, (name, layer, fed, outputs) in enumerate(calls):
        if len(outputs) == 1 or not _is_model(layer):
            names = [name] if len(outputs) == 1 else [f"{name}.{k}" for k in range(len(outputs))]
            maps |= {prefix + n: np.asarray(values[f"{i}.{k} given"]) for k, n in enumerate(names)}
        if _is_model(layer):
            maps |= keras_maps(layer, [values[f"{i}.{k} fed"] for k in range(len(fed))], f"{prefix}{name}/")
        elif _is_model(_of_each_step(layer)):
            steps = np.asarray(values[f"{i}.0 fed"])
            inside = keras_maps(_of_each_step(layer), [steps.reshape(-1, *steps.shape[2:])], f"{prefix}{name}/")
            maps |= {key: value.reshape(*steps.shape[:2], *value.shape[1:]) for key, value in inside.items()}
    return maps


def _calls(network: Any) -> Iterator[tuple[str, Any, list[Any], list[Any]]]:
    """Every call of every layer in a network: fastact's name for it, the layer, tensors in and tensors out.

    Keras keeps the calls of a layer in all networks in one list; which of them are this network's it holds as keys
    of "layer_ib-number", the layer being its id in Keras 3 and its name in Keras 2.
    """
    network = getattr(network, "_functional", None) or network
    own = set(getattr(network, "_nodes", None) or network._network_nodes)
    for layer in getattr(network, "operations", None) or network.layers:
        kept = 0
        for number, node in enumerate(layer._inbound_nodes):
            if not {f"{id(layer)}_ib-{number}", f"{layer.name}_ib-{number}"} & own:
                continue
            name = layer.name + (f":{kept}" if kept else "")
            kept += 1
            if type(layer).__name__ == "InputLayer":
                continue
            if hasattr(node, "keras_inputs"):  # Keras 2
                outputs = node.outputs if isinstance(node.outputs, list | tuple) else [node.outputs]
                yield name, layer, list(node.keras_inputs), list(outputs)
            else:
                yield name, layer, list(node.input_tensors), list(node.output_tensors)


def _of_each_step(layer: Any) -> Any:
    """The layer in a TimeDistributed one; any other as it is."""
    return layer.layer if type(layer).__name__ == "TimeDistributed" else layer


def _is_model(layer: Any) -> bool:
    return type(layer).__name__ in MODEL_CLASSES
