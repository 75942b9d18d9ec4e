"""Legacy Keras ``.h5`` files: Keras 2.0 to 2.15, tf-keras, and Keras 3's ``model.save("x.h5")``.

/                     attributes keras_version, backend, model_config (JSON), training_config
/model_weights        attributes keras_version, backend, layer_names
/model_weights/L      attribute weight_names; L may hold slashes, and so be several groups deep
/model_weights/L/W    a dataset; W holds slashes: "conv2d/kernel:0"
/optimizer_weights    never read
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import FileError, UnsupportedError
from . import architecture, bounded_json, hdf5, sniff
from .legacy_weights import LegacyWeights
from .model import SavedModel
from .source import InFile
from .text import listed, quoted

__all__ = ["check_backend", "is_weights_only", "no_model", "open_model", "short_text"]

_SHORT = 64
"""The most bytes of a version or a back end's name."""


@contextmanager
def open_model(path: Path, descriptor: int, max_weight_bytes: int) -> Iterator[SavedModel]:
    """Open a legacy ``.h5`` file; see `fastact.files.open_model`."""
    with hdf5.opened(path, InFile(descriptor, 0, os.fstat(descriptor).st_size)) as file:
        with hdf5.guarded(path, "the configuration"):
            model = _saved_model(file, descriptor, max_weight_bytes)
        yield model


def _saved_model(file: hdf5.H5File, descriptor: int, max_weight_bytes: int) -> SavedModel:
    root = file.root()
    text = file.text(root, "model_config", bounded_json.MAX_BYTES)
    if text is None:
        raise no_model(file, root)
    weights = file.group(root, "model_weights")
    if weights is None:
        raise file.problem("holds a configuration but no weights: save the model with model.save('x.h5')")
    version = _keras_version(file, root, weights)
    config = _configuration(file, text)
    backend = short_text(file, weights, "backend") or short_text(file, root, "backend") or "unknown"
    check_backend(file.path, backend)
    return SavedModel(
        path=file.path,
        format=f"Keras {version[0]} .h5",
        keras_version=version,
        backend=backend,
        config=config,
        weights=LegacyWeights(file, weights, config, max_weight_bytes),
        identity=sniff.identity(descriptor),
    )


def check_backend(path: Path, backend: str) -> None:
    """Raise UnsupportedError for weights that mean something else than TensorFlow's."""
    if backend == "theano":
        raise UnsupportedError(
            f"{quoted(path)} was saved with Theano, whose convolutions turn their kernels round: load "
            "it with Keras on TensorFlow and save it again"
        )


def is_weights_only(file: hdf5.H5File, root: hdf5.Group) -> bool:
    """Whether a file has the marks of weights, in the layout of before Keras 3 or in that of ``.keras`` files."""
    marks = {"layers", "_layer_checkpoint_dependencies", "top_level_model_weights"}
    return bool(marks & set(file.names(root))) or file.list_of_names(root, "layer_names") is not None


def no_model(file: hdf5.H5File, root: hdf5.Group) -> FileError:
    """Return the error about a file without a configuration, which says what it holds instead."""
    found = set(file.names(root))
    if "model_weights" in found or is_weights_only(file, root):
        return file.problem(
            "holds weights without the configuration of their model: give that, too, with --config FILE (config= in "
            "Python), such as the text of model.to_json(), or save the whole model with model.save('x.h5')"
        )
    return file.problem(
        f"is an HDF5 file but holds no Keras model (it holds {listed(sorted(found))}): give a file "
        "saved with model.save('x.h5')"
    )


def _keras_version(file: hdf5.H5File, root: hdf5.Group, weights: hdf5.Group) -> tuple[int, ...]:
    of_root, of_weights = (short_text(file, group, "keras_version") for group in (root, weights))
    if of_weights is None:  # Keras 1 gave a version to the root at most
        version = of_root or "1 (it names no version)"
        raise UnsupportedError(
            f"{quoted(file.path)} was saved by Keras {version}, whose files fastact does not read: "
            f"{architecture.SAVE_AGAIN}"
        )
    versions = [architecture.parse_version(file.path, text) for text in (of_root, of_weights) if text is not None]
    if len({version[0] for version in versions}) > 1:
        raise file.problem("is damaged: its configuration and its weights are of different versions of Keras")
    return versions[0]


def short_text(file: hdf5.H5File, group: hdf5.Group, name: str) -> str | None:
    """Return an attribute of at most 64 bytes that can be shown; None where there is none."""
    text = file.text(group, name, _SHORT)
    if text is None:
        return None
    shown = text.decode("utf-8")
    if not shown.isprintable():
        raise file.problem(f"is damaged: its attribute {quoted(name)} is {quoted(shown)}")
    return shown


def _configuration(file: hdf5.H5File, text: bytes) -> dict[str, Any]:
    try:
        config = bounded_json.parse(text)
    except bounded_json.JsonError as error:
        raise file.problem(f"cannot be read: its model_config {error}") from None
    return architecture.check(file.path, config, "model_config")
