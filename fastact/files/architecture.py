"""The configuration of a model, whatever file it comes from: checked, and with the version of Keras that wrote it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import FileError, UnsupportedError
from ..kernels.records import dataclass
from . import bounded_json
from .model import MODEL_CLASSES
from .text import listed, quoted

__all__ = [
    "SAVE_AGAIN",
    "Architecture",
    "check",
    "inner_names",
    "layer_names",
    "model_name",
    "parse_version",
    "read_json",
]

SAVE_AGAIN = "load it with Keras 2.0 to 2.2 and save it again"

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?![0-9])")


@dataclass(frozen=True)
class Architecture:
    """A model without its weights."""

    path: Path
    """The file it comes from."""
    config: dict[str, Any]
    keras_version: tuple[int, ...]
    backend: str


def version_numbers(text: str) -> tuple[int, ...]:
    """``"2.2.4-tf"`` as ``(2, 2, 4)``, ``"3.0"`` as ``(3, 0, 0)``; empty for what is no version."""
    found = _VERSION.match(text)
    return tuple(int(part) for part in found.groups(default="0")) if found else ()


def parse_version(path: Path, text: str) -> tuple[int, ...]:
    """Parse ``"2.2.4-tf"`` as ``(2, 2, 4)``.

    Raises:
        FileError: it is no version.
        UnsupportedError: neither Keras 2 nor 3.
    """
    version = version_numbers(text)
    if not version:
        raise FileError(f"{quoted(path)} is damaged: {quoted(text)} is no version of Keras")
    if version[0] not in (2, 3):
        shown = ".".join(map(str, version))
        advice = SAVE_AGAIN if version[0] < 2 else "look for a newer fastact"
        raise UnsupportedError(
            f"{quoted(path)} was saved by Keras {shown}, and fastact reads files of Keras 2 and 3: {advice}"
        )
    return version


def check(path: Path, config: Any, what: str) -> dict[str, Any]:
    """Return the configuration if it is one of a model; `what` says what it is called in the file.

    Raises:
        FileError: it is none.
        UnsupportedError: of another class than fastact reads, or of Keras 1.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise FileError(f"{quoted(path)} is damaged: its {what} names no class of model")
    if config["class_name"] not in MODEL_CLASSES:
        raise UnsupportedError(
            f"{quoted(path)} holds a model of class {quoted(config['class_name'])}, and fastact reads "
            f"{listed(MODEL_CLASSES)}"
        )
    if not isinstance(config.get("config"), (dict, list)):
        raise FileError(f"{quoted(path)} is damaged: its {what} holds no layers")
    for layer in _layers(config):
        if "nb_filter" in layer["config"] or "dim_ordering" in layer["config"]:
            raise UnsupportedError(
                f"{quoted(path)} holds a layer of Keras 1, {quoted(layer['class_name'])}: {SAVE_AGAIN}"
            )
    return config


def layer_names(config: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of all layers, nested ones too."""
    names = (layer["config"].get("name") for layer in _layers(config))
    return frozenset(name for name in names if isinstance(name, str))


def inner_names(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what layers within a layer are called, by the layer's name and by what its weights' names begin with.

    ``{"rnn": {"0": "lstm_cell", "1": "lstm_cell_1"}, "bidirectional": {"backward": "lstm_4"}}``: only of RNN over
    several cells, and of Bidirectional with a layer of its own for the way back.
    """
    found = {}
    for layer in _layers(config):
        inner = layer["config"]
        cells = _inner(inner.get("cell")).get("cells")
        if isinstance(cells, list):
            found[str(inner.get("name"))] = {str(i): str(_inner(cell).get("name")) for i, cell in enumerate(cells)}
        elif layer["class_name"] == "Bidirectional" and "backward_layer" in inner:
            found[str(inner.get("name"))] = {"backward": str(_inner(inner["backward_layer"]).get("name"))}
    return found


def model_name(config: Mapping[str, Any]) -> str:
    """Return the name of the whole model; empty where it has none."""
    inner = config["config"]
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def read_json(path: Path, descriptor: int) -> Architecture:
    """Read what ``model.to_json()`` gives, or the ``config.json`` of a ``.keras`` file.

    Raises:
        FileError: it is no architecture.
        UnsupportedError: of a class, or a version of Keras, that fastact does not read.
    """
    try:
        config = bounded_json.parse(os.pread(descriptor, bounded_json.MAX_BYTES + 1, 0))
    except bounded_json.JsonError as error:
        raise FileError(f"{quoted(path)} cannot be read: it {error}") from None
    if not isinstance(config, dict) or "class_name" not in config:
        raise FileError(
            f"{quoted(path)} is JSON text but no architecture: give a file with the text of model.to_json()"
        )
    checked = check(path, config, "text")
    version, backend = config.get("keras_version"), config.get("backend")
    return Architecture(
        path,
        checked,
        parse_version(path, version) if isinstance(version, str) else _version_by_spelling(checked),
        backend if isinstance(backend, str) and backend.isprintable() else "unknown",
    )


def _version_by_spelling(config: dict[str, Any]) -> tuple[int, ...]:
    """Tell Keras 2 from Keras 3, whose ``to_json`` names no version, by the name of an input's shape."""
    for layer in _layers(config):
        if "batch_input_shape" in layer["config"]:
            return (2, 0, 0)
        if "batch_shape" in layer["config"]:
            return (3, 0, 0)
    return (3, 0, 0) if "module" in config else (2, 0, 0)


def _inner(item: Any) -> dict[str, Any]:
    """The configuration of a layer or a cell; empty where it has none."""
    config = item.get("config") if isinstance(item, dict) else None
    return config if isinstance(config, dict) else {}


def _layers(config: Any) -> Iterator[dict[str, Any]]:
    """Yield whatever has a class and a configuration: models, layers, and what they are made of."""
    waiting: list[Any] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
            if isinstance(item.get("config"), dict) and isinstance(item.get("class_name"), str):
                yield item
