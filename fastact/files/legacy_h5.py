"""Legacy Keras ``.h5`` files: Keras 2.0 to 2.15, tf-keras, and Keras 3's ``model.save("x.h5")``.

/                     attributes keras_version, backend, model_config (JSON), training_config
/model_weights        attributes keras_version, backend, layer_names
/model_weights/L      attribute weight_names; L may hold slashes, and so be several groups deep
/model_weights/L/W    a dataset; W holds slashes: "conv2d/kernel:0"
/optimizer_weights    never read
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from h5py import h5g

from ..errors import FileError, UnsupportedError
from . import bounded_json, hdf5, sniff
from .legacy_weights import LegacyWeights
from .model import MODEL_CLASSES, SavedModel
from .text import listed, quoted

__all__ = ["open_model"]

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?![0-9])")
_SHORT = 64
"""The most bytes of a version or a back end's name."""
_SAVE_AGAIN = "load it with Keras 2.0 to 2.2 and save it again"


@contextmanager
def open_model(path: Path, descriptor: int, max_weight_bytes: int) -> Iterator[SavedModel]:
    """Open a legacy ``.h5`` file; see `fastact.files.open_model`."""
    with hdf5.opened(path, descriptor) as file:
        with hdf5.guarded(path, "the configuration"):
            model = _saved_model(file, descriptor, max_weight_bytes)
        yield model


def _saved_model(file: hdf5.H5File, descriptor: int, max_weight_bytes: int) -> SavedModel:
    root = file.root()
    text = file.text(root, "model_config", bounded_json.MAX_BYTES)
    if text is None:
        raise _no_configuration(file, root)
    weights = file.group(root, "model_weights")
    if weights is None:
        raise file.problem("holds a configuration but no weights: save the model with model.save('x.h5')")
    version = _keras_version(file, root, weights)
    config = _configuration(file, text)
    backend = _short_text(file, weights, "backend") or _short_text(file, root, "backend") or "unknown"
    if backend == "theano":
        raise UnsupportedError(
            f"{quoted(file.path)} was saved with Theano, whose convolutions turn their kernels round: load "
            "it with Keras on TensorFlow and save it again"
        )
    layers = frozenset(_layer_names(file.path, config))
    inner = config["config"]
    name = inner.get("name") if isinstance(inner, dict) else None
    return SavedModel(
        path=file.path,
        format=f"Keras {version[0]} .h5",
        keras_version=version,
        backend=backend,
        config=config,
        weights=LegacyWeights(file, weights, layers, name if isinstance(name, str) else "", max_weight_bytes),
        identity=sniff.identity(descriptor),
    )


def _no_configuration(file: hdf5.H5File, root: h5g.GroupID) -> FileError:
    found = set(file.names(root))
    marks = {"layers", "_layer_checkpoint_dependencies", "model_weights", "top_level_model_weights"}
    if marks & found or file.list_of_names(root, "layer_names") is not None:
        return file.problem(
            "holds weights without the configuration of their model: save the whole model with "
            "model.save('x.h5') in place of its weights alone"
        )
    return file.problem(
        f"is an HDF5 file but holds no Keras model (it holds {listed(sorted(found))}): give a file "
        "saved with model.save('x.h5')"
    )


def _keras_version(file: hdf5.H5File, root: h5g.GroupID, weights: h5g.GroupID) -> tuple[int, ...]:
    of_root, of_weights = (_short_text(file, group, "keras_version") for group in (root, weights))
    if of_weights is None:  # Keras 1 gave a version to the root at most
        version = of_root or "1 (it names no version)"
        raise UnsupportedError(
            f"{quoted(file.path)} was saved by Keras {version}, whose files fastact does not read: {_SAVE_AGAIN}"
        )
    versions = [_parsed(file, text) for text in (of_root, of_weights) if text is not None]
    if len({version[0] for version in versions}) > 1:
        raise file.problem("is damaged: its configuration and its weights are of different versions of Keras")
    if versions[0][0] not in (2, 3):
        version = ".".join(map(str, versions[0]))
        advice = _SAVE_AGAIN if versions[0][0] < 2 else "look for a newer fastact"
        raise UnsupportedError(
            f"{quoted(file.path)} was saved by Keras {version}, and fastact reads files of Keras 2 and 3: {advice}"
        )
    return versions[0]


def _short_text(file: hdf5.H5File, group: h5g.GroupID, name: str) -> str | None:
    text = file.text(group, name, _SHORT)
    if text is None:
        return None
    shown = text.decode("utf-8")
    if not shown.isprintable():
        raise file.problem(f"is damaged: its attribute {quoted(name)} is {quoted(shown)}")
    return shown


def _parsed(file: hdf5.H5File, text: str) -> tuple[int, ...]:
    """Parse ``"2.2.4-tf"`` as ``(2, 2, 4)``."""
    found = _VERSION.match(text)
    if not found:
        raise file.problem(f"is damaged: {quoted(text)} is no version of Keras")
    return tuple(int(part) for part in found.groups(default="0"))


def _configuration(file: hdf5.H5File, text: bytes) -> dict[str, Any]:
    try:
        config = bounded_json.parse(text)
    except bounded_json.JsonError as error:
        raise file.problem(f"cannot be read: its model_config {error}") from None
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise file.problem("is damaged: its model_config names no class of model")
    if config["class_name"] not in MODEL_CLASSES:
        raise UnsupportedError(
            f"{quoted(file.path)} holds a model of class {quoted(config['class_name'])}, and fastact reads "
            f"{listed(MODEL_CLASSES)}"
        )
    if not isinstance(config.get("config"), (dict, list)):
        raise file.problem("is damaged: its model_config holds no layers")
    return config


def _layer_names(path: Path, config: dict[str, Any]) -> Iterator[str]:
    """Yield the names of all layers, nested ones too; refuse those of Keras 1."""
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
            inner = item.get("config")
            if not isinstance(inner, dict) or not isinstance(item.get("class_name"), str):
                continue
            if "nb_filter" in inner or "dim_ordering" in inner:
                raise UnsupportedError(
                    f"{quoted(path)} holds a layer of Keras 1, {quoted(item['class_name'])}: {_SAVE_AGAIN}"
                )
            if isinstance(inner.get("name"), str):
                yield inner["name"]
