"""Archives, and weights alone, that attack their reader: each is refused with a message that says why."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from archive_attacks import ATTACKS, CHECKSUM, FLAGS, METHOD, OFFSET, SIZE, STORED_SIZE, patched
from hdf5_attacks import assert_little_memory, refused
from hostile import (
    configuration,
    groups,
    layer,
    members,
    numbered,
    ramp,
    read,
    write_archive,
    write_numbered,
)

from fastact.errors import FileError
from fastact.files import open_model

KERNEL = "layers/dense/vars/0"
SHAPE = (4, 2)


def replaced(name: str, make: Callable[[h5py.Group, str], object]) -> bytes:
    """The weights with something else in the place of a link; what it led to stays in the file, as ``kept``."""

    def change(file: h5py.File) -> None:
        file["kept"] = file[name]
        above, _, last = name.rpartition("/")
        parent = file[above] if above else file
        del parent[last]
        make(parent, last)

    return numbered(change)


def both(tmp_path: Path, weights: bytes) -> Iterator[tuple[Path, dict[str, Path]]]:
    """The same weights in an archive, compressed and not, and alone."""
    yield write_archive(tmp_path / "a.keras", members(weights)), {}
    yield write_archive(tmp_path / "b.keras", members(weights), zipfile.ZIP_DEFLATED), {}
    (tmp_path / "c.weights.h5").write_bytes(weights)
    (tmp_path / "c.json").write_text(json.dumps(configuration()))
    yield tmp_path / "c.weights.h5", {"config": tmp_path / "c.json"}


# The archive.


def test_members_that_are_there_twice(tmp_path: Path) -> None:
    parts = members()
    for extra in (parts[2], ("config.json", b"{}"), ("assets/x", b"")):
        with pytest.warns(UserWarning, match="Duplicate name"):
            path = write_archive(tmp_path / "a.keras", [*parts, ("assets/x", b""), extra])
        refused(path, f"it holds '{extra[0]}' twice")


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (FLAGS, struct.pack("<H", 1), "is encrypted"),
        (FLAGS, struct.pack("<H", 0x41), "is encrypted"),
        (METHOD, struct.pack("<H", 12), "is compressed by method 12"),
        (METHOD, struct.pack("<H", 99), "is compressed by method 99"),
        (METHOD, struct.pack("<H", 8), "is a damaged zip archive"),
        (CHECKSUM, b"abcd", "is a damaged zip archive .*CRC"),
        (SIZE, struct.pack("<I", 7), "is a damaged zip archive"),
        (SIZE, struct.pack("<I", 2**31), "grows from|more than the 16777216 that are taken into memory"),
        (STORED_SIZE, struct.pack("<I", 2**31), "is cut short"),
        (OFFSET, struct.pack("<I", 10), "is a damaged zip archive"),
        (OFFSET, struct.pack("<I", 2**31), "is a damaged zip archive"),
    ],
    ids=range(11),
)
def test_entries_that_lie(tmp_path: Path, name: str, field: int, value: bytes, words: str) -> None:
    refused(patched(write_archive(tmp_path / "a.keras"), name, field, value), words)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("size", [1, 2**31])
def test_compressed_members_of_another_size(tmp_path: Path, name: str, size: int) -> None:
    path = write_archive(tmp_path / "a.keras", compression=zipfile.ZIP_DEFLATED)
    words = "damaged zip archive|grows from|taken into memory|cannot be read: its config.json"
    refused(patched(path, name, SIZE, struct.pack("<I", size)), words)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_that_are_cut_short(tmp_path: Path, part: float, compression: int) -> None:
    path = write_archive(tmp_path / "a.keras", compression=compression)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part) - 1])
    refused(path, "is a damaged zip archive")


def test_every_byte_of_the_weights_is_compared_with_the_checksum(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.keras")
    data = bytearray(path.read_bytes())
    data[data.index(ramp(3, 3, 3, 4).tobytes()) + 5] ^= 1
    path.write_bytes(data)
    refused(path, "is a damaged zip archive .*CRC")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_of_compression(tmp_path: Path, compression: int) -> None:
    refused(write_archive(tmp_path / "a.keras", compression=compression), "is compressed by method")


def test_what_takes_the_place_of_the_weights(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("model.weights.h5", numbered())
    for data in (b"", b"x" * 5000, inner.getvalue(), numbered()[:3000], b"\x89HDF\r\n\x1a\n"):
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            path = write_archive(tmp_path / "a.keras", members(data), compression)
            refused(path, "holds damaged weights")


# The HDF5 file: the guards of `test_files_hostile` hold here too.

PLACES = ["layers", "layers/dense", "layers/dense/vars", KERNEL]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_are_not_followed(tmp_path: Path, place: str, kind: str) -> None:
    other = write_numbered(tmp_path / "other.h5")
    link = h5py.SoftLink("/kept") if kind == "soft" else h5py.ExternalLink(str(other), place)

    def make(parent: h5py.Group, name: str) -> None:
        parent[name] = link

    for path, options in both(tmp_path, replaced(place, make)):
        refused(path, "is a soft or an external link", **options)


def test_raw_storage_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(32))
    external = [(str(tmp_path / "secret"), 0, 32)]
    weights = replaced(KERNEL, lambda parent, name: parent.create_dataset(name, SHAPE, "f4", external=external))
    for path, options in both(tmp_path, weights):
        refused(path, "the weight 'kernel' of layer 'dense' is stored in another file", **options)


def test_virtual_datasets(tmp_path: Path) -> None:
    other = write_numbered(tmp_path / "other.h5")

    def virtual(parent: h5py.Group, last: str) -> None:
        layout = h5py.VirtualLayout(SHAPE, "f4")
        layout[:] = h5py.VirtualSource(str(other), KERNEL, SHAPE)
        parent.create_virtual_dataset(last, layout)

    for path, options in both(tmp_path, replaced(KERNEL, virtual)):
        refused(path, "is a virtual dataset", **options)


@pytest.mark.parametrize("place", PLACES[:-1])
def test_a_dataset_in_the_place_of_a_group(tmp_path: Path, place: str) -> None:
    weights = replaced(place, lambda parent, name: parent.create_dataset(name, data=[1.0]))
    for path, options in both(tmp_path, weights):
        refused(path, "should be a group", **options)


def test_a_group_in_the_place_of_a_dataset(tmp_path: Path) -> None:
    for path, options in both(tmp_path, replaced(KERNEL, lambda parent, name: parent.create_group(name))):
        refused(path, "should be a dataset", **options)


@pytest.mark.parametrize("shape", [(2, 4), (8,), (), (4, 3)])
def test_the_shape_is_the_one_that_the_configuration_implies(tmp_path: Path, shape: tuple[int, ...]) -> None:
    weights = {**groups(), "layers/dense": [ramp(*shape), ramp(2)]}
    for path, options in both(tmp_path, numbered(weights=weights)):
        refused(path, r"where the configuration implies \(4, 2\)", **options)


@pytest.mark.parametrize("options", [{}, {"chunks": (2**10, 2**10), "compression": "gzip"}], ids=str)
@pytest.mark.parametrize("shape", [(2**30, 2**30), (2**32, 2**32), (10_000, 10_000)])
def test_numbers_that_are_not_in_the_file(tmp_path: Path, options: dict[str, Any], shape: tuple[int, int]) -> None:
    weights = replaced(KERNEL, lambda parent, name: parent.create_dataset(name, shape, "f4", fillvalue=1.0, **options))
    for path, more in both(tmp_path, weights):
        wanted = {("dense",): {"kernel": shape, "bias": (2,)}}
        refused(path, r"is not safe to read: .* (bytes in the file|chunks)", wanted, **more)


def test_a_dataset_counts_as_often_as_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty layers over hard links to one megabyte."""
    layers = [layer("Dense", f"d{n}", units=512) for n in range(20)]
    config = {"class_name": "Functional", "config": {"name": "m", "layers": layers}}

    def change(file: h5py.File) -> None:
        for number in range(1, 20):
            file[f"layers/dense_{number}"] = file["layers/dense"]

    path = write_archive(
        tmp_path / "a.keras", members(numbered(change, weights={"layers/dense": [ramp(512, 512)]}), config)
    )
    wanted = {(f"d{n}",): {"kernel": (512, 512)} for n in range(20)}
    assert len(read(path, wanted, max_weight_bytes=20 * 2**20)) == 20
    monkeypatch.setattr("fastact.files.datasets.read", lambda *_: pytest.fail("read before the sum was known"))
    refused(path, "needs 20971520 bytes for its weights", wanted, max_weight_bytes=20 * 2**20 - 1)


@pytest.mark.parametrize("extra", [np.float32([1.0]), np.float64(1), b"text", np.complex64([1])], ids=str)
def test_variables_beside_those_of_the_configuration(tmp_path: Path, extra: object) -> None:
    def change(file: h5py.File) -> None:
        file["layers/dense/vars/2"] = extra

    for path, options in both(tmp_path, numbered(change)):
        refused(path, "layer 'dense' stores more than the 2 weights", **options)


def test_more_variables_than_are_looked_at(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        for number in range(2, 5000):
            file["layers/dense/vars"].create_dataset(str(number), data=np.int64(1))

    for path, options in both(tmp_path, numbered(change)):
        refused(path, "layer 'dense' stores more than the 2 weights", **options)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3.0, "'name' should hold text"),
        ([b"dense"], "'name' is not one string"),
        (h5py.Empty("S1"), "'name' is not one string"),
        (b"x" * 5000, "far larger than Keras writes"),
        ("other\x1b[2J", r"has the weights of 'other\\x1b\[2J' in place of 'dense'"),
        (np.bytes_(b"\xff\xfe"), "in place of 'dense'"),
    ],
    ids=range(6),
)
def test_names_of_groups_that_are_none(tmp_path: Path, value: object, words: str) -> None:
    def change(file: h5py.File) -> None:
        file["layers/dense/vars"].attrs["name"] = value

    refused(write_archive(tmp_path / "a.keras", members(numbered(change))), words)


@pytest.mark.parametrize("value", ["float32", "", 3, b"x" * 100])
def test_integers_that_are_no_bfloat16(tmp_path: Path, value: object) -> None:
    def make(parent: h5py.Group, name: str) -> None:
        parent.create_dataset(name, data=np.zeros(SHAPE, np.uint16)).attrs["dtype"] = value

    weights = replaced(KERNEL, make)
    for path, options in both(tmp_path, weights):
        refused(path, "integers of 16 bits|should hold text|far larger than Keras writes", **options)


# Memory, in a process of its own.


def test_memory_stays_bounded(tmp_path: Path) -> None:
    assert_little_memory(ATTACKS, write_archive(tmp_path / "honest.keras"))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    good = write_archive(tmp_path / "a.keras")
    bad = write_archive(tmp_path / "b.keras", members(b"x" * 1000))
    (tmp_path / "c.json").write_text(json.dumps(configuration()))
    alone = write_numbered(tmp_path / "c.weights.h5")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        read(good)
        read(alone, config=tmp_path / "c.json")
        with pytest.raises(FileError):
            read(bad)
        with pytest.raises(FileError), open_model(tmp_path / "c.json"):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
