"""SavedModels made by hand, byte by byte: honest ones, and ones that attack their reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hostile import arrays, configuration

from fastact.files.tf_crc import crc32c, masked

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FLOAT, DOUBLE, INT, STRING, INT64, BFLOAT16, HALF = 1, 2, 3, 7, 9, 14, 19
_TYPES = {"float32": FLOAT, "float64": DOUBLE, "int32": INT, "int64": INT64, "float16": HALF}


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def pb(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A message; bytes and text are length-prefixed, numbers are varints, and negative ones take ten bytes."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value % 2**64)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return bytes(out)


def sealed(block: bytes, kind: int = 0) -> bytes:
    """A block with the byte that says how it is compressed, and its check sum."""
    whole = block + bytes([kind])
    return whole + masked(crc32c(whole)).to_bytes(4, "little")


def block(entries: Iterable[tuple[bytes, bytes]], restarts: Sequence[int] = (0,)) -> bytes:
    """A block's keys and values, each key without what it shares with the one before."""
    out, before = bytearray(), b""
    for key, value in entries:
        shared = 0
        while key[shared : shared + 1] == before[shared : shared + 1] != b"":
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return bytes(out) + b"".join(r.to_bytes(4, "little") for r in restarts) + len(restarts).to_bytes(4, "little")


def table(*blocks: bytes, handles: Sequence[tuple[int, int]] | None = None, kind: int = 0) -> bytes:
    """A table of sealed data blocks; `handles` lie about where they are."""
    out, places = bytearray(), []
    for one in blocks:
        places.append((len(out), len(one)))
        out += sealed(one, kind)
    listed = [(b"\xff" * (i + 1), varint(s) + varint(n)) for i, (s, n) in enumerate(handles or places)]
    index = block(listed)
    footer = varint(0) + varint(0) + varint(len(out)) + varint(len(index))
    return bytes(out) + sealed(index) + footer.ljust(40, b"\0") + MAGIC


def shape(*sizes: int) -> bytes:
    return b"".join(pb((2, pb((1, size)) if size else b"")) for size in sizes)


def entry(dtype: int, of: bytes, start: int, size: int, checksum: int, shard: int = 0) -> bytes:
    fixed = varint(6 << 3 | 5) + checksum.to_bytes(4, "little")
    stated = [(1, dtype), (2, of), (3, shard), (4, start), (5, size)]
    return pb(*[(n, v) for n, v in stated if v]) + fixed


def string_tensor(text: bytes) -> tuple[bytes, int]:
    """A string as a bundle stores it, and its check sum."""
    running = crc32c(len(text).to_bytes(4, "little"))
    lengths = masked(running).to_bytes(4, "little")
    return varint(len(text)) + lengths + text, masked(crc32c(lengths + text, running))


HEADER = pb((1, 1), (3, pb((1, 1))))


@dataclass
class Files:
    """What a SavedModel is made of, to be changed before it is written."""

    nodes: list[bytes]
    """Of the objects, encoded."""
    records: dict[int, Any]
    """Of Keras, by object: JSON, or bytes as they are."""
    variables: dict[str, np.ndarray]
    entries: dict[str, bytes] = field(default_factory=dict)
    """In place of what follows from the variables, or besides."""
    index: Callable[[dict[str, bytes]], bytes] | None = None
    """Makes the index from its entries."""
    data: Callable[[bytes], bytes] = bytes
    """Changes the file with the numbers."""

    def write(self, path: Path) -> Path:
        data, entries = bytearray(), {"": HEADER}
        text = b"".join(pb((1, node)) for node in self.nodes)
        stored, checksum = string_tensor(text)
        entries[OBJECTS] = entry(STRING, b"", 0, len(stored), checksum)
        data += stored
        for name, values in self.variables.items():
            raw = values.tobytes()
            code = _TYPES[str(values.dtype)]
            entries[key(name)] = entry(code, shape(*values.shape), len(data), len(raw), masked(crc32c(raw)))
            data += raw
        entries |= self.entries
        (path / "variables").mkdir(parents=True)
        (path / "variables" / "variables.data-00000-of-00001").write_bytes(self.data(bytes(data)))
        (path / "variables" / "variables.index").write_bytes((self.index or plain_index)(entries))
        (path / "keras_metadata.pb").write_bytes(metadata(self.records))
        (path / "saved_model.pb").write_bytes(saved_model(b""))
        return path


def plain_index(entries: Mapping[str, bytes]) -> bytes:
    return table(block((name.encode(), entries[name]) for name in sorted(entries)))


def key(name: str) -> str:
    return f"{name}/.ATTRIBUTES/VARIABLE_VALUE"


def node(children: Mapping[str, int] | None = None, variable: str | None = None) -> bytes:
    """An object; a variable's name in the bundle is made of `variable`."""
    listed = [(1, pb((1, place), (2, name)) if place else pb((2, name))) for name, place in (children or {}).items()]
    attributes = [(2, pb((1, "VARIABLE_VALUE"), (2, variable), (3, key(variable))))] if variable else []
    return pb(*listed, *attributes)


def record(number: int, content: Any, identifier: str = "_tf_keras_layer") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return pb(*([(2, number)] if number else []), (3, f"root.{number}"), (4, identifier), (5, text))


def metadata(records: Mapping[int, Any]) -> bytes:
    return b"".join(pb((1, record(number, content))) for number, content in records.items())


def saved_model(objects: bytes) -> bytes:
    return pb((1, 1), (2, pb((1, pb((5, "2.4.1"))), (2, b"\x0a\x00" * 50), (7, objects))))


def old_objects(files: Files) -> bytes:
    """The objects with Keras's records, as saved_model.pb held them before TensorFlow 2.5."""
    objects = b""
    for number, one in enumerate(files.nodes):
        text = json.dumps(files.records[number]) if number in files.records else ""
        identifier = "_tf_keras_layer" if text else "_generic_user_object"
        objects += pb((1, one + pb((4, pb((1, identifier), (3, text))))))
    return objects


def small() -> Files:
    """The small model of `hostile.WANTED`, with the circles that Keras makes."""
    root = {"name": "small", **configuration(), "keras_version": "2.15.0", "backend": "tensorflow"}
    names = ["image", "conv", "pool", "dense"]
    layers = {f"layer-{i}": i + 1 for i in range(4)} | {"layer_with_weights-0": 2, "layer_with_weights-1": 4}
    nodes = [
        node(layers | {"keras_api": 9}),
        node(),
        node({"kernel": 5, "bias": 6, "keras_api": 9}),
        node(),
        node({"kernel": 7, "bias": 8}),
        *(node(variable=name) for name in ("conv/kernel", "conv/bias", "dense/kernel", "dense/bias")),
        node({"layers": 0, "self": 9}),
    ]
    variables = {name.removesuffix(":0"): values for of in arrays().values() for name, values in of.items()}
    return Files(nodes, {0: root} | {i + 1: {"name": name} for i, name in enumerate(names)}, variables)
