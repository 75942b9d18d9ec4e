"""HDF5 files of weights alone, which need a configuration from elsewhere.

``model.save_weights`` of Keras 2 writes what `legacy_h5` has in ``/model_weights``, at the root; that of Keras 3, and
of Keras 2.13 and later for names ending in ``.weights.h5``, writes what a ``.keras`` archive has in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import architecture, bounded_json, hdf5, legacy_h5, sniff
from .architecture import Architecture
from .legacy_weights import LegacyWeights
from .model import SavedModel, WeightReader
from .numbered_weights import NumberedWeights
from .source import InFile
from .text import quoted

__all__ = ["open_model"]


@contextmanager
def open_model(path: Path, descriptor: int, given: Architecture, max_weight_bytes: int) -> Iterator[SavedModel]:
    """Open a file of weights for a model configured as `given`; see `fastact.files.open_model`."""
    with hdf5.opened(path, InFile(descriptor, 0, os.fstat(descriptor).st_size)) as file:
        with hdf5.guarded(path, "the weights"):
            weights = _weights(file, file.root(), given, max_weight_bytes)
        yield SavedModel(
            path=path,
            format=f"Keras {given.keras_version[0]} weights, configured by {quoted(given.path)}",
            keras_version=given.keras_version,
            backend=given.backend,
            config=given.config,
            weights=weights,
            identity=sniff.identity(descriptor),
            config_path=given.path,
        )


def _weights(file: hdf5.H5File, root: hdf5.Group, given: Architecture, max_weight_bytes: int) -> WeightReader:
    if file.text(root, "model_config", bounded_json.MAX_BYTES) is not None:
        raise file.problem("holds a configuration of its own: leave --config (config= in Python) out")
    root = file.group(root, "model_weights") or root  # of a model that was saved without its configuration
    if not legacy_h5.is_weights_only(file, root):
        raise legacy_h5.no_model(file, root)
    if file.list_of_names(root, "layer_names") is None:
        return NumberedWeights(file, given.config, given.keras_version, max_weight_bytes)
    version = legacy_h5.short_text(file, root, "keras_version")
    if version is not None and architecture.parse_version(file.path, version)[0] != given.keras_version[0]:
        raise file.problem(
            f"was saved by Keras {version}, and the configuration in {quoted(given.path)} by Keras "
            f"{given.keras_version[0]}, which names weights otherwise: give a configuration of the same version"
        )
    backend = legacy_h5.short_text(file, root, "backend")
    legacy_h5.check_backend(file.path, backend or given.backend)
    return LegacyWeights(file, root, given.config, max_weight_bytes)
