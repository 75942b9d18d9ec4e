"""`.keras` archives changed so that they attack their reader."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from hdf5_attacks import heap_reference
from hostile import (
    configuration,
    layer,
    members,
    numbered,
    write_archive,
)


def patched(path: Path, name: str, field: int, value: bytes) -> Path:
    """Change a member's entry in the list at the end of an archive; `field` is an offset in it."""
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    while data[place + 46 : place + 46 + len(name)] != name.encode():
        place = data.index(b"PK\x01\x02", place + 4)
    data[place + field : place + field + len(value)] = value
    path.write_bytes(data)
    return path


FLAGS, METHOD, CHECKSUM, STORED_SIZE, SIZE, OFFSET = 8, 10, 16, 20, 24, 42


def deflated_configuration(path: Path) -> Path:
    """A configuration of 128 megabytes in a few hundred kilobytes."""
    return write_archive(path, members(config=b" " * 2**27), zipfile.ZIP_DEFLATED)


def deflated_weights(path: Path) -> Path:
    return write_archive(path, members(numbered() + bytes(2**27)), zipfile.ZIP_DEFLATED)


def small_claim(path: Path) -> Path:
    """128 megabytes that claim to be a few bytes."""
    return patched(deflated_weights(path), "model.weights.h5", SIZE, struct.pack("<I", 30_000))


def many_members(path: Path) -> Path:
    """A list of members of ten megabytes."""
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members():
            file.writestr(name, data)
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[20] * 2, *[0] * 7, 10, *[0] * 6)
    added = b"".join(entry + b"%010d" % number for number in range(180_000))
    count = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, end - start + len(added), start, 0)
    path.write_bytes(data[:end] + added + count)
    return path


def one_string_many_times(path: Path) -> Path:
    """The name of a group that is a string of a gigabyte elsewhere in a sparse heap."""
    names = {"layers/conv2d": "conv", "layers/dense": "dense"}
    data = bytearray(numbered(names=names))
    at, (_, heap, index) = heap_reference(bytes(data), b"name")
    struct.pack_into("<IQI", data, at, 2**30, heap, index)
    return write_archive(path, members(bytes(data)))


def many_values(path: Path) -> Path:
    return write_archive(path, members(config=b"[" + b"{}," * 2_000_000 + b"{}]"))


def same_name_many_times(path: Path) -> Path:
    """Four thousand layers that could each be any of the others."""
    towers = [
        layer("Functional", f"t{n}", layers=[layer("Conv2D", "conv"), layer("Dense", "dense")]) for n in range(2000)
    ]
    config = {
        "class_name": "Functional",
        "config": {"name": "m", "layers": [*towers, *configuration()["config"]["layers"]]},
    }
    return write_archive(path, members(config=config, version="2.15.0"))


ATTACKS: dict[Callable[[Path], Path], str] = {
    deflated_configuration: "more than the 16777216 that are taken into memory",
    deflated_weights: "grows from",
    small_claim: "is a damaged zip archive",
    many_members: "bytes at once are more than the 1048576 that are read",
    one_string_many_times: "a string of the attribute name is not where it should be",
    many_values: "its config.json holds more than 1000000 values",
    same_name_many_times: "read",
}
