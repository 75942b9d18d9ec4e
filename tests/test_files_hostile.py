"""Files that attack their reader: each is refused with a message that says why, and costs little memory."""

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
from h5py import h5d, h5p, h5s, h5t, h5z
from hostile import WANTED, arrays, configuration, layer, ramp, read, write_model

from fastact.errors import FileError
from fastact.files import open_model

KERNEL = "model_weights/dense/dense/kernel:0"
SHAPE = (4, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.h5")


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


# Links.

PLACES = ["model_weights", "model_weights/dense", "model_weights/dense/dense", KERNEL]


@pytest.mark.parametrize("place", PLACES)
def test_soft_links_are_not_followed(path: Path, place: str) -> None:
    def soft(parent: h5py.Group, name: str) -> None:
        parent[name] = h5py.SoftLink("/kept")

    replace(path, place, soft)
    with h5py.File(path) as file:
        assert place in file  # it would lead to the honest object
    refused(path, "is a soft or an external link")


@pytest.mark.parametrize("place", PLACES)
def test_external_links_are_not_followed(path: Path, place: str, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other.h5")

    def external(parent: h5py.Group, name: str) -> None:
        parent[name] = h5py.ExternalLink(str(other), place)

    replace(path, place, external)
    with h5py.File(path) as file:
        assert place in file
    refused(path, "is a soft or an external link")


def test_hard_links_to_the_groups_above_end(path: Path) -> None:
    """A cycle is only walked as far as a name goes, which has at most 64 parts."""
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense"]
        group["up"] = file["model_weights"]
        names = ["up/dense/" * 20 + "dense/kernel:0", "dense/bias:0"]
        group.attrs["weight_names"] = names
    # The prefix is another than the bias has.
    refused(path, "should have the weights 'kernel', 'bias'")
    with h5py.File(path, "r+") as file:
        file["model_weights/dense"].attrs["weight_names"] = [
            "up/dense/" * 20 + "dense/" + n for n in ("kernel:0", "bias:0")
        ]
    np.testing.assert_array_equal(read(path)[("dense",)]["kernel"], ramp(*SHAPE))
    with h5py.File(path, "r+") as file:
        file["model_weights/dense"].attrs["weight_names"] = [
            "up/dense/" * 40 + "dense/" + n for n in ("kernel:0", "bias:0")
        ]
    refused(path, "which Keras never writes")


@pytest.mark.parametrize("place", ["model_weights", "model_weights/dense", "model_weights/dense/dense"])
def test_a_dataset_in_the_place_of_a_group(path: Path, place: str) -> None:
    replace(path, place, lambda parent, name: parent.create_dataset(name, data=[1.0]))
    refused(path, "should be a group")


def test_a_group_in_the_place_of_a_dataset(path: Path) -> None:
    replace(path, KERNEL, lambda parent, name: parent.create_group(name))
    refused(path, "should be a dataset")


@pytest.mark.parametrize("place", PLACES)
def test_a_named_type_in_the_place_of_an_object(path: Path, place: str) -> None:
    replace(path, place, lambda parent, name: parent.__setitem__(name, np.dtype("f4")))
    refused(path, "is no group and no dataset")


# Where and how the numbers are stored.


def test_raw_storage_in_another_file(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(32))
    replace(path, KERNEL, lambda p, n: p.create_dataset(n, SHAPE, "f4", external=[(str(secret), 0, 32)]))
    refused(path, "the weight 'kernel' of layer 'dense' is stored in another file")


@pytest.mark.parametrize("source", [".", "other"])
def test_virtual_datasets(path: Path, tmp_path: Path, source: str) -> None:
    name = "." if source == "." else str(write_model(tmp_path / "other.h5"))

    def virtual(parent: h5py.Group, last: str) -> None:
        layout = h5py.VirtualLayout(SHAPE, "f4")
        layout[:] = h5py.VirtualSource(name, "kept" if name == "." else KERNEL, SHAPE)
        parent.create_virtual_dataset(last, layout)

    replace(path, KERNEL, virtual)
    refused(path, "is a virtual dataset")


def biased() -> h5t.TypeFloatID:
    """A float32 whose exponents mean something else."""
    kind = h5t.IEEE_F32LE.copy()
    kind.set_ebias(128)
    return kind


TYPES: dict[str, tuple[Any, str]] = {
    "int8": (np.int8, "integers of 8 bits"),
    "uint64": (np.uint64, "integers of 64 bits"),
    "bool": (np.bool_, "an enumeration"),
    "complex": (np.complex64, "records"),
    "record": (np.dtype([("a", "f4")]), "records"),
    "fixed text": ("S4", "text"),
    "text": (h5py.string_dtype(), "text"),
    "lists": (h5py.vlen_dtype(np.float32), "lists of varying length"),
    "references": (h5py.ref_dtype, "references"),
    "regions": (h5py.regionref_dtype, "references"),
    "arrays": (np.dtype("(2,)f4"), "arrays"),
    "opaque": (np.dtype("V4"), "opaque bytes"),
    "biased": (biased, "floating-point numbers of 32 bits in an unusual format"),
    "long double": (np.longdouble, "floating-point numbers of"),
}


@pytest.mark.parametrize("name", TYPES)
def test_only_plain_floats(path: Path, name: str) -> None:
    kind, words = TYPES[name]

    def make(parent: h5py.Group, last: str) -> None:
        type_id = (
            kind() if callable(kind) and not isinstance(kind, type) else h5t.py_create(np.dtype(kind), logical=True)
        )
        h5d.create(parent.id, last.encode(), type_id, h5s.create_simple(SHAPE))

    replace(path, KERNEL, make)
    refused(path, f"the weight 'kernel' of layer 'dense' is stored as {words}")


def filtered(*filters: tuple[int, int, tuple[int, ...]]) -> Callable[[h5py.Group, str], None]:
    def make(parent: h5py.Group, last: str) -> None:
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk(SHAPE)
        for code, flags, values in filters:
            plist.set_filter(code, flags, values)
        made = h5d.create(parent.id, last.encode(), h5t.IEEE_F32LE, h5s.create_simple(SHAPE), plist)
        made.write(h5s.ALL, h5s.ALL, ramp(*SHAPE))

    return make


OPTIONAL = h5z.FLAG_OPTIONAL
FILTERS = {
    "lzf": ((h5z.FILTER_LZF, OPTIONAL, (0, 0, 0)),),
    "scale and offset": ((h5z.FILTER_SCALEOFFSET, OPTIONAL, (0, 2)),),
    "nbit": ((h5z.FILTER_NBIT, OPTIONAL, ()),),
    "plug-in": ((32001, OPTIONAL, (2,)),),
    "deflate twice": ((h5z.FILTER_DEFLATE, 0, (9,)), (h5z.FILTER_DEFLATE, 0, (9,))),
}


@pytest.mark.parametrize("name", FILTERS)
def test_only_the_filters_that_are_needed(path: Path, name: str) -> None:
    replace(path, KERNEL, filtered(*FILTERS[name]))
    refused(path, "behind filters that fastact does not run")


# Shapes and sizes.


@pytest.mark.parametrize("shape", [(2, 4), (8,), (4, 2, 1), (4, 3), (), (0,)])
def test_the_shape_is_the_one_that_the_configuration_implies(path: Path, shape: tuple[int, ...]) -> None:
    replace(path, KERNEL, lambda parent, name: parent.create_dataset(name, data=ramp(*shape)))
    text = str(shape).replace("(", r"\(").replace(")", r"\)")
    refused(
        path, rf"the weight 'kernel' of layer 'dense' has the shape {text}, where the configuration implies \(4, 2\)"
    )


def test_a_weight_without_a_shape(path: Path) -> None:
    replace(path, KERNEL, lambda parent, name: parent.create_dataset(name, data=h5py.Empty("f4")))
    refused(path, "holds nothing")


HUGE = [(2**30, 2**30), (2**32, 2**32), (10_000, 10_000)]
"""The second has 0 bytes in 64 bits."""


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (1, 2**20)}, {"chunks": (2**10, 2**10), "compression": "gzip"}], ids=str
)
@pytest.mark.parametrize("shape", HUGE)
def test_numbers_that_are_not_in_the_file(path: Path, options: dict[str, Any], shape: tuple[int, int]) -> None:
    """A shape costs its writer nothing, even where a lying configuration implies the same."""
    if options and options["chunks"][1] > shape[1]:
        options = {**options, "chunks": (1, shape[1])}
    replace(path, KERNEL, lambda parent, name: parent.create_dataset(name, shape, "f4", fillvalue=1.0, **options))
    refused(path, r"is not safe to read: .* (bytes in the file|chunks)", {("dense",): {"kernel": shape, "bias": (2,)}})


def test_chunks_that_were_never_written(path: Path) -> None:
    def make(parent: h5py.Group, name: str) -> None:
        parent.create_dataset(name, SHAPE, "f4", chunks=(1, 2), fillvalue=7.0)[:3] = 1

    replace(path, KERNEL, make)
    refused(path, "has 3 of its 4 chunks in the file")


def test_chunks_far_larger_than_the_weight(path: Path) -> None:
    options = {"maxshape": (None, None), "chunks": (2**12, 2**12), "compression": "gzip"}
    replace(path, KERNEL, lambda parent, name: parent.create_dataset(name, data=ramp(*SHAPE), **options))
    refused(path, "has chunks of 67108864 bytes for 32 bytes of weights")


def test_more_chunks_than_are_read(path: Path) -> None:
    shape = (70_000,)
    replace(path, KERNEL, lambda parent, name: parent.create_dataset(name, shape, "f4", chunks=(1,)))
    refused(path, "in 70000 chunks", {("dense",): {"kernel": shape, "bias": (2,)}})


@pytest.mark.parametrize(
    "raw",
    [
        zlib.compress(bytes(2**20), 9),
        zlib.compress(bytes(2**25), 9),
        zlib.compress(bytes(33)),
        zlib.compress(bytes(31)),
        zlib.compress(bytes(32))[:-6],
        b"not deflate",
    ],
    ids=["a megabyte", "32 megabytes", "one too many", "one too few", "cut short", "noise"],
)
def test_chunks_that_inflate_to_another_size(path: Path, raw: bytes) -> None:
    def make(parent: h5py.Group, name: str) -> None:
        made = parent.create_dataset(name, SHAPE, "f4", chunks=SHAPE, compression="gzip")
        made.id.write_direct_chunk((0, 0), raw)

    replace(path, KERNEL, make)
    refused(path, "is not compressed as HDF5 does it|from which 32 cannot come")


def test_a_chunk_that_skips_its_filters(path: Path) -> None:
    def make(parent: h5py.Group, name: str) -> None:
        made = parent.create_dataset(name, SHAPE, "f4", chunks=SHAPE, compression="gzip")
        made.id.write_direct_chunk((0, 0), bytes(32), filter_mask=1)

    replace(path, KERNEL, make)
    refused(path, "has a chunk that left filters out")


def test_a_wrong_checksum(path: Path) -> None:
    def make(parent: h5py.Group, name: str) -> None:
        made = parent.create_dataset(name, SHAPE, "f4", chunks=SHAPE, fletcher32=True)
        made.id.write_direct_chunk((0, 0), bytes(32) + b"abcd")

    replace(path, KERNEL, make)
    refused(path, "the weight 'kernel' of layer 'dense' does not agree with its checksum")


def test_a_dataset_that_lies_beyond_the_end(path: Path) -> None:
    with h5py.File(path) as file:
        offset = file[KERNEL].id.get_offset()
    data = path.read_bytes()
    address = struct.pack("<QQ", offset, 32)  # of the layout message: where, how many bytes
    assert data.count(address) == 1
    path.write_bytes(data.replace(address, struct.pack("<QQ", len(data) - 8, 32)))
    refused(path, "lies beyond the end of the file")


# All together.


def many_layers(path: Path, count: int) -> dict[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """A megabyte of weights, listed by many layers over hard links."""
    big = ramp(512, 512)
    write_model(path, {f"dense_{n}": {} for n in range(count)})
    with h5py.File(path, "r+") as file:
        for number in range(count):
            group = file[f"model_weights/dense_{number}"]
            group.attrs["weight_names"] = [b"kernel:0"]
            if number == 0:
                group["kernel:0"] = big
            else:
                group["kernel:0"] = file["model_weights/dense_0/kernel:0"]
    return {(f"dense_{n}",): {"kernel": (512, 512)} for n in range(count)}


def test_a_dataset_counts_as_often_as_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.h5"
    wanted = many_layers(path, 20)
    assert path.stat().st_size < 2 * 2**20
    assert len(read(path, wanted, max_weight_bytes=20 * 2**20)) == 20
    monkeypatch.setattr("fastact.files.datasets.read", lambda *_: pytest.fail("read before the sum was known"))
    refused(
        path,
        "needs 20971520 bytes for its weights, more than the limit of 20971519",
        wanted,
        max_weight_bytes=20 * 2**20 - 1,
    )


@pytest.mark.parametrize(("dtype", "least"), [("f2", 4 * 122), ("f4", 4 * 122), ("f8", 8 * 122)])
def test_the_limit_counts_bytes_in_memory(tmp_path: Path, dtype: str, least: int) -> None:
    path = write_model(tmp_path / "model.h5", arrays(dtype))
    read(path, max_weight_bytes=least)
    refused(path, f"needs {least} bytes", max_weight_bytes=least - 1)


# Attributes.


def set_attribute(path: Path, place: str, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file[place].attrs[name] = value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3.0, "is no list"),
        ("conv", "is no list"),
        ([1.0, 2.0], "holds another type"),
        ([1, 2], "holds another type"),
        (np.array([[b"conv", b"dense"]]), "is no list"),
        (np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]), "holds another type"),
        (np.array([b"dense", b"\xff\xfe"]), "is not UTF-8"),
        (np.array([b"dense", b"x" * 1025]), "far larger than Keras writes"),
        ([b"dense", b"dense"], "list a layer twice"),
        ([b"conv"], "no weights of the layer 'dense'"),
        ([], "no weights of the layer"),
        (h5py.Empty("S1"), "no weights of the layer"),
    ],
    ids=range(12),
)
def test_lists_of_layers_that_are_none(path: Path, value: object, words: str) -> None:
    set_attribute(path, "model_weights", "layer_names", value)
    refused(path, words)


def test_no_list_of_layers(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["model_weights"].attrs["layer_names"]
    refused(path, "list no layers")


@pytest.mark.parametrize("value", [3.0, [b"{}"], np.array([[1]]), h5py.Empty("S1")], ids=range(4))
def test_configurations_that_are_no_text(path: Path, value: object) -> None:
    set_attribute(path, "/", "model_config", value)
    refused(path, "'model_config' (is not one string|should hold text)")


@pytest.mark.parametrize(
    "name",
    ["/model_weights/conv/conv", "dense//x", "../conv", "dense/./x", "dense/..", "dense\0x", "", "a/" * 70],
)
def test_weights_named_as_paths_elsewhere(path: Path, name: str) -> None:
    names = np.array([f"{name}/{leaf}".encode() for leaf in ("kernel:0", "bias:0")])
    set_attribute(path, "model_weights/dense", "weight_names", names)
    refused(path, "which Keras never writes|is damaged: it lists the weight")


@pytest.mark.parametrize("name", ["/", "..", ".", "dense/", "/dense"])
def test_layers_named_as_paths_elsewhere(path: Path, name: str) -> None:
    set_attribute(path, "model_weights", "layer_names", [b"conv", b"dense", name.encode()])
    wanted = {(name,): {"kernel": SHAPE}}
    refused(path, "which Keras never writes|no weights of the layer", wanted)


def test_a_weight_that_is_listed_and_not_there(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
    refused(path, "lists the weight 'dense/kernel:0' but does not hold it")


def test_a_weight_that_is_listed_twice(path: Path) -> None:
    names = [b"dense/kernel:0", b"dense/bias:0", b"dense/kernel:0"]
    set_attribute(path, "model_weights/dense", "weight_names", names)
    refused(path, "layer 'dense' lists a weight twice")


def test_names_are_shown_without_their_control_characters(path: Path) -> None:
    set_attribute(path, "model_weights", "layer_names", [b"\x1b[2J\n" + b"x" * 900, "\u202e".encode()])
    with pytest.raises(FileError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    assert r"\x1b[2J\nxxx" in str(caught.value)


# What the configuration does not imply.


def test_weights_beside_those_of_the_configuration(tmp_path: Path) -> None:
    weights = arrays()
    weights["dense"] |= {"dense/lora_kernel_a:0": ramp(4, 1), "dense/lora_kernel_b:0": ramp(1, 2)}
    path = write_model(tmp_path / "model.h5", weights)
    refused(
        path, "layer 'dense' also stores the weight 'dense/lora_kernel_a:0', which its configuration does not imply"
    )


def test_integers_beside_the_weights_are_no_weights(tmp_path: Path) -> None:
    weights = arrays()
    weights["dense"] |= {"dense/count:0": np.int64(7), "dense/seed_generator_state": np.zeros(2, np.uint32)}
    assert set(read(write_model(tmp_path / "model.h5", weights))[("dense",)]) == {"kernel", "bias"}


def test_in_a_nested_model_other_layers_have_other_weights(tmp_path: Path) -> None:
    weights = {
        "tower": {"c/kernel:0": ramp(2, 3), "rnn/cell/kernel:0": ramp(2, 2), "rnn/cell/bias:0": ramp(2)},
    }
    wanted = {("tower", "c"): {"kernel": (2, 3)}}
    tower = layer("Functional", "tower", layers=[layer("Dense", "c"), layer("LSTM", "rnn")])
    config = {"class_name": "Model", "config": {"name": "m", "layers": [tower]}}
    path = write_model(tmp_path / "a.h5", weights, config=config)
    np.testing.assert_array_equal(read(path, wanted)[("tower", "c")]["kernel"], ramp(2, 3))
    weights["tower"]["c/bias:0"] = ramp(3)
    refused(write_model(tmp_path / "b.h5", weights, config=config), "also stores the weight 'c/bias:0'", wanted)


# The configuration.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":' * 5000 + "1" + "}" * 5000, "its model_config is nested more than 100 deep"),
        ('{"class_name": "Model", "class_name": "Sequential", "config": {}}', "same key twice"),
        ('{"class_name": "Model", "config": {"x": NaN}}', "holds NaN"),
        ("[" + "{}," * 600_000 + "{}]", "more than 1000000 values"),
    ],
    ids=["depth", "keys", "NaN", "values"],
)
def test_configurations_that_attack_a_parser(tmp_path: Path, text: str, words: str) -> None:
    refused(write_model(tmp_path / "a.h5", config=text), words)


def test_nothing_that_a_file_names_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = configuration()
    config["config"]["layers"] += [
        {**layer("Lambda", "l", function=["4wEAAAA=", None, None], module="evil_module"), "module": "evil_module"},
        {**layer("evil_module>Attack", "a"), "registered_name": "evil_module>Attack", "module": "evil_module"},
    ]
    with open_model(write_model(tmp_path / "a.h5", config=config)) as model:
        assert model.config == config
        model.weights.read(WANTED)
    assert "evil_module" not in sys.modules


# Memory, in a process of its own.


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
        [sys.executable, program, "open", *map(str, paths)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_memory_stays_bounded(tmp_path: Path) -> None:
    paths = [write_model(tmp_path / "honest.h5")]
    paths += [attack(tmp_path / f"{attack.__name__}.h5") for attack in ATTACKS]
    ends = opened_in_a_child(paths)
    assert ends["honest.h5"]["end"] == "read"
    for attack, words in ATTACKS.items():
        found = ends[f"{attack.__name__}.h5"]
        assert words in found["end"], found
        assert found["grown_kib"] < 64 * 1024, found


@pytest.mark.parametrize("length", [0, 1, 3, 2**31, 2**32 - 1])
def test_lengths_that_are_not_those_of_the_strings(tmp_path: Path, length: int) -> None:
    refused(
        changed_reference(tmp_path / "a.h5", length), "a string of the attribute layer_names is not where it should be"
    )


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Read without this module's care, the repeated string takes as much memory as it claims."""
    path = one_string_many_times(tmp_path / "a.h5")
    program = (
        "import h5py, resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        f"h5py.File({str(path)!r})['model_weights'].attrs['layer_names']"
    )
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each would reserve memory of its own
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=one_thread
    )
    assert "MemoryError" in done.stderr or "allocat" in done.stderr, done
