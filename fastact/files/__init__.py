"""Readers of model files: one module per format, and one row for it in `_FORMATS`.

    path ──► sniff.py ──► _FORMATS ──► legacy_h5.py ──► SavedModel (configuration + weights by path)
             content,     kind ►       legacy_weights.py      find, check, add up, then read
             never name   reader       names.py               which stored weight is whose
                                       bounded_json.py        the configuration
                                       hdf5.py                groups and attributes, no links
                                       stored_strings.py      sizes of strings before they are read
                                       datasets.py            plain float datasets, whole in the file

To add a format: let `sniff.recognise` return a kind for it, write a module whose function takes
``(path, descriptor, max_weight_bytes)`` and is a context manager that yields a `SavedModel`, and add a row to
`_FORMATS`. Nothing else changes: the rest of fastact sees only `SavedModel` and `WeightReader`.

What every reader promises, whatever the file holds:

- nothing in a file is imported, evaluated, unpickled or executed, and no other file is opened because of it;
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

from ..errors import FileError, UnsupportedError
from . import sniff
from .model import LayerPath, SavedModel, Shape, WeightReader
from .text import quoted

__all__ = ["LayerPath", "SavedModel", "Shape", "WeightReader", "open_model"]

_Reader = Callable[[Path, int, int], AbstractContextManager[SavedModel]]


def _legacy_h5(path: Path, descriptor: int, max_weight_bytes: int) -> AbstractContextManager[SavedModel]:
    from . import legacy_h5  # h5py takes a tenth of a second to import; a wrong path needs none of it

    return legacy_h5.open_model(path, descriptor, max_weight_bytes)


def _tflite(path: Path, descriptor: int, max_weight_bytes: int) -> AbstractContextManager[SavedModel]:
    from . import tflite

    return tflite.open_model(path, descriptor, max_weight_bytes)


_FORMATS: Mapping[str, _Reader] = MappingProxyType({"hdf5": _legacy_h5, "tflite": _tflite})

_NOT_YET: Mapping[str, str] = MappingProxyType(
    {
        "zip": "a zip archive, perhaps a '.keras' file, which this version of fastact does not read yet: "
        "load it with Keras and save it with model.save('x.h5')",
    }
)


@contextmanager
def open_model(path: str | os.PathLike[str], *, max_weight_bytes: int = 2**31) -> Iterator[SavedModel]:
    """Open a model file, whatever its name, and close it on leaving the ``with`` block.

    Args:
        path: the file. Only a regular file (or a link to one) is read.
        max_weight_bytes: the most bytes of weights that one call of ``weights.read`` may read.

    Yields:
        The file's configuration, and a reader of its weights.

    Raises:
        FileError: not a file that can be read, or not what it claims to be, or not safe to read.
        UnsupportedError: a format, or a version of Keras, that fastact does not read.
    """
    where = Path(path)
    with sniff.opened(where) as descriptor:
        kind = sniff.recognise(descriptor)
        if kind in _NOT_YET:
            raise UnsupportedError(f"{quoted(where)} is {_NOT_YET[kind]}")
        if kind not in _FORMATS:
            raise FileError(
                f"{quoted(where)} is not a Keras model but {sniff.describe(kind)}: give a file saved with "
                "model.save('x.h5')"
            )
        with _FORMATS[kind](where, descriptor, max_weight_bytes) as model:
            yield model
