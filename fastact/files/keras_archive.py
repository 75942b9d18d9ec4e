"""``.keras`` archives: Keras 2.13 to 2.15, tf-keras, and Keras 3.

metadata.json       keras_version, date_saved
config.json         the configuration
model.weights.h5    see numbered_paths.py
assets/             never read
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UnsupportedError
from . import architecture, bounded_json, hdf5, sniff
from .archive import Archive
from .model import SavedModel
from .numbered_weights import NamedWeights
from .text import listed, quoted

__all__ = ["open_model"]

_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_NPZ = "model.weights.npz"


@contextmanager
def open_model(path: Path, descriptor: int, max_weight_bytes: int) -> Iterator[SavedModel]:
    """Open a ``.keras`` archive; see `fastact.files.open_model`."""
    archive = Archive(path, descriptor, os.fstat(descriptor).st_size)
    _check_members(archive)
    version = _keras_version(archive)
    config = architecture.check(path, _json(archive, _CONFIG), _CONFIG)
    with hdf5.opened(path, archive.source(_WEIGHTS, max_weight_bytes), _WEIGHTS) as file:
        with hdf5.guarded(path, "the weights"):
            weights = NamedWeights(file, config, version, max_weight_bytes)
        yield SavedModel(
            path=path,
            format=f"Keras {version[0]} .keras",
            keras_version=version,
            backend="unknown",
            config=config,
            weights=weights,
            identity=sniff.identity(descriptor),
        )


def _check_members(archive: Archive) -> None:
    names = set(archive.names)
    if _CONFIG not in names and any(name.endswith("/data.pkl") for name in names):
        raise archive.problem(
            "is a PyTorch model, and fastact reads Keras models: give a file saved with model.save('x.keras')"
        )
    if _CONFIG not in names:
        raise archive.problem(
            f"is a zip archive but no '.keras' file (it holds {listed(sorted(names))}): give a file saved with "
            "model.save('x.keras') or model.save('x.h5')"
        )
    if _NPZ in names and _WEIGHTS not in names:
        raise UnsupportedError(
            f"{quoted(archive.path)} holds its weights as {_NPZ}, which fastact does not read: load it with Keras and "
            "save it again with model.save('x.keras')"
        )
    for name in (_METADATA, _WEIGHTS):
        if name not in names:
            raise archive.problem(f"holds no {name}: copy or save it again")


def _keras_version(archive: Archive) -> tuple[int, ...]:
    metadata = _json(archive, _METADATA)
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    if not isinstance(version, str):
        raise archive.problem(f"is damaged: its {_METADATA} names no version of Keras")
    return architecture.parse_version(archive.path, version)


def _json(archive: Archive, name: str) -> Any:
    try:
        return bounded_json.parse(archive.data(name, bounded_json.MAX_BYTES))
    except bounded_json.JsonError as error:
        raise archive.problem(f"cannot be read: its {name} {error}") from None
