"""TensorFlow SavedModels that Keras 2.2 to 2.15 and tf-keras wrote, read without TensorFlow.

    tf_directory.py  the files, opened in the model's directory and nowhere else
    tf_records.py    what Keras wrote down: the root's configuration, the layers' names   (tf_proto.py)
    tf_bundle.py     the variables: an index by name, and their bytes     (tf_table.py, tf_crc.py)
    tf_objects.py    which object holds which, down to the variables      (tf_proto.py)
    tf_weights.py    a layer's path → its object → its variables, checked, added up, then read

The graphs of TensorFlow's operations in saved_model.pb are neither run nor read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import tf_records
from .model import SavedModel
from .tf_bundle import Bundle
from .tf_directory import Directory
from .tf_objects import MAX_BYTES, Objects
from .tf_proto import DamageError
from .tf_weights import BundleWeights

__all__ = ["open_model"]

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


@contextmanager
def open_model(path: Path, descriptor: int, max_weight_bytes: int) -> Iterator[SavedModel]:
    """Open a SavedModel by the path of its saved_model.pb; see `fastact.files.open_model`.

    The identity is the SHA-256 of what ``sha256sum`` prints for the files that are read, in the order of their names:
    keras_metadata.pb, or saved_model.pb where there is none, variables/variables.data-… and variables/variables.index.
    """
    with ExitStack() as stack:
        directory = Directory(path.parent, stack)
        records = tf_records.read(directory, path.name)
        network = records.network()
        bundle, objects = _variables(directory)
        weights = BundleWeights(bundle, objects, records, max_weight_bytes)
        stack.callback(weights.close)
        yield SavedModel(
            path=path.parent,
            format="TensorFlow SavedModel",
            keras_version=network.version,
            backend=network.backend,
            config=network.config,
            weights=weights,
            identity=directory.identity(),
        )


def _variables(directory: Directory) -> tuple[Bundle, Objects]:
    index = directory.member("variables/variables.index")
    try:
        bundle = Bundle(directory)
        return bundle, Objects(bundle.string(_OBJECTS, MAX_BYTES))
    except DamageError as error:
        raise index.problem(f"cannot be read: it {error}: copy or save the model again") from None
