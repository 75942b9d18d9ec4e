"""Legacy `.h5` files changed so that they attack their reader, and what is to become of them."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import WANTED, configuration, read, write_model

from fastact.errors import FileError

KERNEL = "model_weights/dense/dense/kernel:0"
SHAPE = (4, 2)


def replace(path: Path, name: str, make: Callable[[h5py.Group, str], object]) -> None:
    """Put something else in the place of a link; what it led to stays in the file, as ``kept``."""
    with h5py.File(path, "r+") as file:
        file["kept"] = file[name]
        above, _, last = name.rpartition("/")
        parent = file[above] if above else file
        del parent[last]
        make(parent, last)


def refused(path: Path, words: str, wanted: Any = WANTED, **options: int) -> None:
    with pytest.raises(FileError, match=words) as caught:
        read(path, wanted, **options)
    message = str(caught.value)
    assert message.startswith(f"'{path}' ")
    assert message.isprintable()
    assert len(message) < 1000


def set_attribute(path: Path, place: str, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file[place].attrs[name] = value


def heap_reference(data: bytes, name: bytes) -> tuple[int, tuple[int, int, int]]:
    """Where an attribute's first reference into the heap of strings lies, and what it is."""
    place = data.find(name + b"\0")
    while place >= 0:
        for at in range(place + len(name), place + 100):
            found = struct.unpack_from("<IQI", data, at)
            length, address, index = found
            if data[address : address + 4] == b"GCOL" and 0 < index < 2**16 and 0 < length < 2**28:
                return at, found
        place = data.find(name + b"\0", place + 1)  # the one before was deleted
    raise AssertionError(name)


def one_string_many_times(path: Path) -> Path:
    """Two thousand layer names that are all the megabyte of the configuration: two gigabytes."""
    write_model(path, config=json.dumps({**configuration(), "padding": "x" * 2**20}))
    set_attribute(path, "model_weights", "layer_names", ["x"] * 2000)
    data = bytearray(path.read_bytes())
    _, big = heap_reference(data, b"model_config")
    at, _ = heap_reference(data, b"layer_names")
    data[at : at + 16 * 2000] = struct.pack("<IQI", *big) * 2000
    path.write_bytes(data)
    return path


def changed_reference(path: Path, length: int) -> Path:
    """A reference whose length is not the string's."""
    data = bytearray(write_model(path).read_bytes())
    at, _ = heap_reference(data, b"layer_names")
    struct.pack_into("<I", data, at, length)
    path.write_bytes(data)
    return path


def heap_without_end(path: Path) -> Path:
    """Free space of no size in the heap of strings, over which HDF5 1.14 loops for ever."""
    data = bytearray(write_model(path).read_bytes())
    _, (_, heap, _) = heap_reference(data, b"layer_names")
    at = heap + 16
    while struct.unpack_from("<H", data, at)[0]:
        size = struct.unpack_from("<Q", data, at + 8)[0]
        at += 16 + -(-size // 8) * 8
    struct.pack_into("<Q", data, at + 8, 0)
    path.write_bytes(data)
    return path


def sparse_configuration(path: Path) -> Path:
    """A configuration of four gigabytes, in a sparse file of a few kilobytes."""
    data = bytearray(write_model(path).read_bytes())
    at, (_, _, _) = heap_reference(data, b"model_config")
    size = 2**32 - 64
    heap = -(-len(data) // 4096) * 4096
    struct.pack_into("<IQI", data, at, size, heap, 1)
    eof = heap + 16 + 16 + size
    data[40:48] = struct.pack("<Q", eof)  # the end of the file, in the superblock
    with path.open("wb") as file:
        file.write(data)
        file.truncate(eof)
        file.seek(heap)
        file.write(b"GCOL\x01\0\0\0" + struct.pack("<Q", eof - heap) + struct.pack("<HHIQ", 1, 1, 0, size))
    return path


def dense_text(path: Path) -> Path:
    """A configuration of 20 MB as a string of fixed length, which lies outside the object's header."""
    write_model(path, file_options={"libver": "latest"})
    set_attribute(path, "/", "model_config", np.bytes_(b"x" * 20_000_000))
    return path


def many_names(path: Path) -> Path:
    """A list of sixteen million names, of which the header has two."""
    return claimed(path, 2**24)


def more_names(path: Path) -> Path:
    """As many as a list may have, of which the header has two."""
    return claimed(path, 2**16)


def claimed(path: Path, count: int) -> Path:
    write_model(path)
    set_attribute(path, "model_weights", "layer_names", np.array([b"image", b"dense"]))
    data = path.read_bytes()
    end = data.index(b"imagedense")
    start = data.rindex(b"layer_names", 0, end)
    attribute = data[start:end].replace(struct.pack("<Q", 2), struct.pack("<Q", count))
    assert attribute != data[start:end]
    path.write_bytes(data[:start] + attribute + data[end:])
    return path


def many_values(path: Path) -> Path:
    """Six megabytes of text that would be two million dictionaries."""
    return write_model(path, config="[" + "{}," * 2_000_000 + "{}]")


def strings_in_a_fractal_heap(path: Path) -> Path:
    write_model(path, file_options={"libver": "latest"})
    with h5py.File(path, "r+") as file:
        for number in range(20):
            file.attrs[f"a{number}"] = number
    return path


def inflating(path: Path) -> Path:
    """A chunk that is to hold half a megabyte and inflates to half a gigabyte."""
    write_model(path)

    def make(parent: h5py.Group, name: str) -> None:
        made = parent.create_dataset(name, SHAPE, "f4", maxshape=(None, None), chunks=(2**9, 2**8), compression="gzip")
        made.id.write_direct_chunk((0, 0), zlib.compress(bytes(2**29), 9))

    replace(path, KERNEL, make)
    return path


ATTACKS: dict[Callable[[Path], Path], str] = {
    one_string_many_times: "attribute 'layer_names' is far larger than Keras writes",
    sparse_configuration: "attribute 'model_config' is far larger than Keras writes",
    dense_text: "its attributes are in a fractal heap",
    many_names: "attribute 'layer_names' is far larger than Keras writes",
    more_names: "the attribute layer_names is shorter than it says",
    inflating: "is not compressed as HDF5 does it",
    heap_without_end: "the strings' heap is damaged",
    strings_in_a_fractal_heap: "its attributes are in a fractal heap",
    many_values: "its model_config holds more than 1000000 values",
}


def opened_in_a_child(paths: list[Path]) -> dict[str, dict[str, Any]]:
    program = str(Path(__file__).with_name("hostile.py"))
    done = subprocess.run(
        [sys.executable, program, "open", *map(str, paths)],
        capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # many would reserve much of what it may have
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}


def assert_little_memory(attacks: dict[Callable[[Path], Path], str], honest: Path) -> None:
    """An honest file is read, and each attack, made beside it, ends with its words before it has taken 64 MiB."""
    made = {attack(honest.with_name(attack.__name__ + honest.suffix)): words for attack, words in attacks.items()}
    ends = opened_in_a_child([honest, *made])
    assert ends[honest.name]["end"] == "read"
    for path, words in made.items():
        found = ends[path.name]
        assert words in found["end"], found
        assert found["grown_kib"] < 64 * 1024, found
