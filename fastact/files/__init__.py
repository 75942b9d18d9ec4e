"""Readers of model files: one module per format, and one row for it in `_FORMATS`.

    path ──► sniff.py ──► _FORMATS ──► legacy_h5.py ──────► SavedModel (configuration + weights by path)
             content,     kind ►       │ legacy_weights.py        find, check, add up, then read
             never name   reader       │ names.py                 which stored weight is whose, by name
                                       keras_archive.py ──► SavedModel
                                       │ archive.py               members of a zip archive, in memory
                                       │ numbered_weights.py      find, check, add up, then read
                                       │ numbered_paths.py        which stored weight is whose, by number
                          with ──────► weights_h5.py ─────► SavedModel
                          config=      │                          weights alone, in either layout

    architecture.py      the configuration, and its version of Keras
    bounded_json.py      its text
    hdf5/                groups, attributes and data of HDF5, without its library
    datasets.py          plain float datasets, whole in the file
    source.py            a file, a part of one, or memory, to read HDF5 from

                                       tf_saved_model.py ──► SavedModel, and the tf_*.py that it lists

A model that is a directory is opened by one file in it, which `sniff.entry` finds; its reader opens the others there
without following links.

To add a format: let `sniff.recognise` return a kind for it, write a module whose function takes
``(path, descriptor, max_weight_bytes)`` and is a context manager that yields a `SavedModel`, and add a row to
`_FORMATS`. Nothing else changes: the rest of fastact sees only `SavedModel` and `WeightReader`.

What every reader promises, whatever the file holds:

- nothing in a file is imported, evaluated, unpickled, extracted or executed, and no other file is opened because of
  it, but for the files of a model that is a directory, by names that are fixed;
- what is not read as weights is bounded by a constant, and weights by ``max_weight_bytes``, which is compared
  with their sum before the first of them is read;
- a weight is accepted only with the very shape that the configuration implies;
- what is wrong is a `FileError` or an `UnsupportedError` of one sentence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

from ..errors import FileError
from . import architecture, sniff
from .architecture import Architecture
from .model import LayerPath, SavedModel, Shape, WeightReader
from .text import quoted

__all__ = ["LayerPath", "SavedModel", "Shape", "WeightReader", "open_model"]

_Reader = Callable[[Path, int, int], AbstractContextManager[SavedModel]]


def _legacy_h5(path: Path, descriptor: int, max_weight_bytes: int) -> AbstractContextManager[SavedModel]:
    from . import legacy_h5  # a wrong path needs none of it

    return legacy_h5.open_model(path, descriptor, max_weight_bytes)


def _keras_archive(path: Path, descriptor: int, max_weight_bytes: int) -> AbstractContextManager[SavedModel]:
    from . import keras_archive

    return keras_archive.open_model(path, descriptor, max_weight_bytes)


def _tf_saved_model(path: Path, descriptor: int, max_weight_bytes: int) -> AbstractContextManager[SavedModel]:
    from . import tf_saved_model

    return tf_saved_model.open_model(path, descriptor, max_weight_bytes)


def _tflite(path: Path, descriptor: int, max_weight_bytes: int) -> AbstractContextManager[SavedModel]:
    from . import tflite

    return tflite.open_model(path, descriptor, max_weight_bytes)


_FORMATS: Mapping[str, _Reader] = MappingProxyType(
    {"hdf5": _legacy_h5, "zip": _keras_archive, "savedmodel": _tf_saved_model, "tflite": _tflite}
)


@contextmanager
def open_model(
    path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None, max_weight_bytes: int = 2**31
) -> Iterator[SavedModel]:
    """Open a model file, whatever its name, and close it on leaving the ``with`` block.

    Args:
        path: the file, or the directory of a TensorFlow SavedModel. Only regular files (or a link to one, outside
            such a directory) are read.
        config: for a file of weights alone, the file that the configuration is in: the text of ``model.to_json()``,
            or any model file, whose own weights are left aside.
        max_weight_bytes: the most bytes of weights that one call of ``weights.read`` may read, and that a compressed
            member of an archive may take in memory.

    Yields:
        The file's configuration, and a reader of its weights.

    Raises:
        FileError: not a file that can be read, or not what it claims to be, or not safe to read.
        UnsupportedError: a format, or a version of Keras, that fastact does not read.
    """
    where = sniff.entry(Path(path))
    given = None if config is None else _architecture(Path(config))
    with sniff.opened(where) as descriptor:
        kind = sniff.recognise(descriptor)
        if kind not in _FORMATS:
            raise _no_model(where, kind)
        with _reader(where, descriptor, kind, given, max_weight_bytes) as model:
            yield model


def _reader(
    path: Path, descriptor: int, kind: str, given: Architecture | None, max_weight_bytes: int
) -> AbstractContextManager[SavedModel]:
    if given is None:
        return _FORMATS[kind](path, descriptor, max_weight_bytes)
    if kind != "hdf5":
        raise FileError(
            f"{quoted(path)} is {sniff.describe(kind)}, not weights alone: leave --config (config= in Python) out"
        )
    from . import weights_h5

    return weights_h5.open_model(path, descriptor, given, max_weight_bytes)


def _architecture(path: Path) -> Architecture:
    """The configuration in a JSON file, or in a model file."""
    if not os.path.isdir(path):  # noqa: PTH112 - a Path's raises OSError for what `opened` explains
        with sniff.opened(path) as descriptor:
            if sniff.recognise(descriptor) == "json":
                return architecture.read_json(path, descriptor)
    with open_model(path) as model:
        return Architecture(path, model.config, model.keras_version, model.backend)


def _no_model(path: Path, kind: str) -> FileError:
    if kind == "json":
        return FileError(
            f"{quoted(path)} is {sniff.describe(kind)}: give the file of its weights as the model, and this one with "
            "--config (config= in Python), or a file saved with model.save('x.h5')"
        )
    return FileError(
        f"{quoted(path)} is not a Keras model but {sniff.describe(kind)}: give a file saved with model.save('x.h5')"
    )
