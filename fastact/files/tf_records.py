"""What Keras wrote down about its objects when it saved a SavedModel: JSON for each model and layer.

From TensorFlow 2.5 on the records are in keras_metadata.pb, before that in the objects of saved_model.pb; both give
them the number that the object also has in the checkpoint. Only a model's record is believed for its configuration,
and only a layer's for its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import UnsupportedError
from ..kernels.records import dataclass
from . import bounded_json
from .architecture import version_numbers
from .model import MODEL_CLASSES
from .text import listed, quoted
from .tf_directory import Directory, Member
from .tf_objects import MAX_BYTES, listed_nodes
from .tf_proto import Budget, DamageError, fields, integer, message, sections, text, view

__all__ = ["KerasRecords", "Network", "read"]

_FIELDS = 1_000_000
_LONGEST_NAME = 4096
_KERAS = "_tf_keras_"
_TUPLES = ("__tuple__", "TensorShape")
_INSTEAD = "save the Keras model itself with model.save('x.h5') and give that"


@dataclass(frozen=True)
class Network:
    """The root's record: a model with its configuration."""

    config: dict[str, Any]
    version: tuple[int, ...]
    backend: str


class KerasRecords:
    """The records of a SavedModel, each parsed when it is come to."""

    def __init__(self, member: Member, records: Mapping[int, memoryview]) -> None:
        """Take the records by the number of their object, as they stand in `member`."""
        self._member = member
        self._records = records
        self._names: dict[int, str | None] = {}

    def name(self, node: int) -> str | None:
        """The name of the layer that is object number `node`; None where Keras says nothing of it."""
        if node not in self._names:
            record = self._parsed(node)
            name = record.get("name")
            self._names[node] = name if isinstance(name, str) else None
        return self._names[node]

    def network(self) -> Network:
        """What the root is.

        Raises:
            UnsupportedError: not a functional or Sequential model.
            FileError: a model, but damaged.
        """
        record = self._parsed(0)
        if not record:
            raise UnsupportedError(
                f"{quoted(self._member.path)} describes no Keras model: it was not written by model.save of Keras 2, "
                f"and TensorFlow's own functions have no layers to show: {_INSTEAD}"
            )
        class_name, config = record.get("class_name"), record.get("config")
        if class_name not in MODEL_CLASSES or not isinstance(config, (dict, list)):
            raise UnsupportedError(
                f"{quoted(self._member.path)} holds a model of class {quoted(class_name)}, and fastact reads "
                f"{listed(MODEL_CLASSES)}: a subclassed model keeps its network in Python code, which no file holds, "
                "so build it as one of those"
            )
        backend = record.get("backend")
        return Network(
            {"class_name": class_name, "config": _without_tuples(config)},
            self._version(record.get("keras_version")),
            backend if isinstance(backend, str) and backend.isprintable() else "tensorflow",
        )

    def _version(self, stated: object) -> tuple[int, ...]:
        """Parse ``"2.2.4-tf"`` as ``(2, 2, 4)``."""
        version = version_numbers(stated) if isinstance(stated, str) else ()
        if version[:1] != (2,):
            raise UnsupportedError(
                f"{quoted(self._member.path)} was saved by Keras {quoted(stated)}, and fastact reads SavedModels of "
                f"Keras 2: {_INSTEAD}"
            )
        return version

    def _parsed(self, node: int) -> dict[str, Any]:
        """A record, empty where there is none."""
        data = self._records.get(node)
        if not data:
            return {}
        try:
            record = bounded_json.parse(bytes(data))
        except bounded_json.JsonError as error:
            raise self._member.problem(f"cannot be read: its record of object {node} {error}") from None
        if not isinstance(record, dict):
            raise self._member.problem(f"is damaged: its record of object {node} is no object of JSON")
        return record


def read(directory: Directory, name: str) -> KerasRecords:
    """The records of a SavedModel whose saved_model.pb is called `name`.

    Raises:
        FileError: a file is damaged or cannot be read.
        UnsupportedError: there are none.
    """
    if directory.has("keras_metadata.pb"):
        member = directory.member("keras_metadata.pb")
        found = _guarded(member, _in_metadata)
    else:
        member = directory.member(name)
        found = _guarded(member, _in_saved_model)
        if not found:
            raise UnsupportedError(
                f"{quoted(directory.path)} is a TensorFlow SavedModel without the configuration of a Keras model, as "
                "model.export and tf.saved_model.save write it, or a copy of one without its keras_metadata.pb: "
                f"copy that too, or {_INSTEAD}"
            )
    return KerasRecords(member, found)


def _guarded(member: Member, parse: Callable[[Member], dict[int, memoryview]]) -> dict[int, memoryview]:
    try:
        return parse(member)
    except DamageError as error:
        raise member.problem(f"cannot be read: it {error}: copy it again, or {_INSTEAD}") from None


def _in_metadata(member: Member) -> dict[int, memoryview]:
    """The records in keras_metadata.pb: a row of nodes with number, path, identifier, JSON."""
    if member.size > MAX_BYTES:
        raise DamageError(f"has {member.size} bytes, more than the {MAX_BYTES} that are read")
    budget = Budget(_FIELDS)
    found: dict[int, memoryview] = {}
    for node in listed_nodes(memoryview(member.read(0, member.size)), budget):
        stated = message(node, budget)
        if not text(view(stated, 4), _LONGEST_NAME).startswith(_KERAS):
            continue
        number = integer(stated, 2, 2**31 - 1)
        if number in found:
            raise DamageError(f"describes object {number} twice")
        found[number] = view(stated, 5)
    return found


def _in_saved_model(member: Member) -> dict[int, memoryview]:
    """The records among the objects of the only meta graph of saved_model.pb; none from TensorFlow 2.5 on."""
    budget = Budget(_FIELDS)
    graphs = [(start, end) for number, start, end in sections(member.descriptor, 0, member.size, budget) if number == 2]
    if len(graphs) != 1:
        raise DamageError(f"holds {len(graphs)} graphs, where Keras writes one")
    objects = [(start, end) for number, start, end in sections(member.descriptor, *graphs[0], budget) if number == 7]
    if len(objects) != 1:
        return {}  # from a version of TensorFlow that knew no objects
    start, end = objects[0]
    if end - start > MAX_BYTES:
        raise DamageError(f"has {end - start} bytes of objects, more than the {MAX_BYTES} that are read")
    found: dict[int, memoryview] = {}
    for number, node in enumerate(listed_nodes(memoryview(member.read(start, end - start)), budget)):
        for field, value in fields(node, budget):
            if field != 4 or not isinstance(value, memoryview):
                continue
            stated = message(value, budget)
            if text(view(stated, 1), _LONGEST_NAME).startswith(_KERAS) and view(stated, 3):
                found[number] = view(stated, 3)
    return found


def _without_tuples(value: Any) -> Any:
    """The configuration with lists where Keras marks tuples and shapes as such, as in its other files."""
    if isinstance(value, list):
        return [_without_tuples(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"class_name", "items"} and value["class_name"] in _TUPLES and isinstance(value["items"], list):
        return [_without_tuples(item) for item in value["items"]]
    return {key: _without_tuples(item) for key, item in value.items()}
