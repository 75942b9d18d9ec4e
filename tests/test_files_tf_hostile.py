"""SavedModels that attack their reader: an error of one sentence, in bounded time and memory, and nothing followed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tf_files
from hostile import WANTED, arrays, configuration, read
from tf_changes import (
    BIAS,
    KERNEL,
    Change,
    kernel,
    long_keys,
    many_keys,
    ordered,
    patched,
    raw_entry,
    refused,
    root,
    with_entry,
    with_node,
    with_record,
)
from tf_files import OBJECTS, block, entry, key, node, pb, shape, small, table

from fastact.files import open_model

MANY = 200_001


def test_the_small_model_itself(tmp_path: Path) -> None:
    path = small().write(tmp_path / "m")
    for one in (path, path / "saved_model.pb"):
        found = read(one)
        for layer, of in arrays().items():
            for name, values in of.items():
                np.testing.assert_array_equal(found[(layer,)][name.split("/")[1].removesuffix(":0")], values)
        with open_model(one) as model:
            assert model.config == configuration()
            assert (model.keras_version, model.backend) == ((2, 15, 0), "tensorflow")


def test_the_identity_is_what_sha256sum_says(tmp_path: Path) -> None:
    path = small().write(tmp_path / "m")
    with open_model(path) as model:
        identity = model.identity
    command = "LC_ALL=C sha256sum keras_metadata.pb variables/variables.data-* variables/variables.index | sha256sum"
    done = subprocess.run(command, shell=True, cwd=path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == identity


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_precisions(tmp_path: Path, dtype: str) -> None:
    files = small()
    files.variables = {name: values.astype(dtype) for name, values in files.variables.items()}
    found = read(files.write(tmp_path / "m"))
    np.testing.assert_array_equal(found[("conv",)]["kernel"], arrays()["conv"]["conv/kernel:0"])
    assert found[("conv",)]["kernel"].dtype == np.float32


def test_two_files_of_numbers(tmp_path: Path) -> None:
    """As TensorFlow up to 2.2 wrote them: the objects in the first, the variables in the second."""
    files, values = small(), b""
    for name, array in files.variables.items():
        raw, checksum = array.tobytes(), tf_files.masked(tf_files.crc32c(array.tobytes()))
        files.entries[key(name)] = entry(1, shape(*array.shape), len(values), len(raw), checksum, shard=1)
        values += raw
    files.entries[""] = pb((1, 2), (3, pb((1, 1))))
    path = files.write(tmp_path / "m")
    only = path / "variables" / "variables.data-00000-of-00001"
    only.rename(only.with_name("variables.data-00000-of-00002"))
    refused(path, "does not exist")
    only.with_name("variables.data-00001-of-00002").write_bytes(values)
    np.testing.assert_array_equal(read(path)[("conv",)]["kernel"], arrays()["conv"]["conv/kernel:0"])


INDEXES: dict[str, tuple[Callable[[dict[str, bytes]], bytes], str]] = {
    "nothing of a table": (lambda _: b"x" * 100, "does not end as an index"),
    "less than a footer": (lambda e: tf_files.plain_index(e)[-47:], "does not end as an index"),
    "cut at its start": (lambda e: tf_files.plain_index(e)[9:], "check sum|outside|longer"),
    "a flipped bit": (patched(7, b"\xff"), "check sum is wrong"),
    "a flipped bit in the list of blocks": (patched(-60, b"\xff"), "check sum is wrong"),
    "an endless number in its footer": (patched(-48, b"\xff" * 40), "more than 64 bits"),
    "a block outside": (lambda e: table(block(ordered(e)), handles=[(0, 2**40)]), "outside the file"),
    "a block far outside": (lambda e: table(block(ordered(e)), handles=[(2**63, 2**63)]), "outside the file"),
    "a block twice": (
        lambda e: table(block(ordered(e)), handles=[(0, len(block(ordered(e))))] * 2),
        "over one another",
    ),
    "compressed": (lambda e: table(block(ordered(e)), kind=1), "is compressed"),
    "keys out of order": (lambda e: table(block(ordered(e)[::-1])), "not in order"),
    "a key twice": (lambda e: table(block([*ordered(e), ordered(e)[-1]])), "not in order"),
    "a key in two blocks": (lambda e: table(block(ordered(e)), block(ordered(e)[-1:])), "not in order"),
    "a prefix of nothing": (lambda _: raw_entry(1, 1, 0, b"a"), "longer than it can be"),
    "a key beyond the block": (lambda _: raw_entry(0, 2**20, 0), "longer than it can be"),
    "a value beyond the block": (lambda _: raw_entry(0, 1, 2**60, b"a"), "longer than it can be"),
    "a number of eleven bytes": (lambda _: table(b"\x80" * 11 + bytes(8)), "more than 64 bits"),
    "restarts everywhere": (lambda e: table(block(ordered(e), restarts=range(9))), "restarts point between"),
    "more restarts than bytes": (lambda e: table(block(ordered(e))[:-4] + b"\xff" * 4), "cut short"),
    "an empty block": (lambda _: table(b""), "cut short"),
    "no header": (lambda e: table(block(ordered(e)[1:])), "names 0 files of variables"),
    "too many keys": (many_keys, "100000 keys"),
    "keys that unfold": (long_keys, "bytes of keys"),
}


@pytest.mark.parametrize("name", INDEXES)
def test_indexes(tmp_path: Path, name: str) -> None:
    make, words = INDEXES[name]
    files = small()
    files.index = make
    refused(files.write(tmp_path / "m"), words)


ENTRIES: dict[str, tuple[Change, str]] = {
    "another shape": (kernel(of=shape(3, 3, 4, 3)), r"shape \(3, 3, 4, 3\), where the configuration implies"),
    "a huge shape": (kernel(of=shape(2**40, 2**40)), "where the configuration implies"),
    "a negative shape": (kernel(of=shape(-1, 3, 3, 4)), "the number -1, which is out of range"),
    "a thousand axes": (kernel(of=shape(*[1] * 1000)), "more than 32 axes"),
    "an unknown rank": (kernel(of=pb((3, 1))), "without a shape"),
    "more bytes than numbers": (kernel(size=436), "has 436 bytes in the file, where its shape needs 432"),
    "bytes that are not there": (kernel(start=2**20), "beyond the end of the file"),
    "bytes far away": (kernel(start=2**62), "beyond the end of the file"),
    "a negative place": (kernel(start=-8), "out of range"),
    "another file": (kernel(shard=1), "names file 1 of 1"),
    "integers": (kernel(dtype=3), "stored as integers"),
    "text": (kernel(dtype=7), "stored as strings"),
    "an unknown type": (kernel(dtype=99), "stored as an unknown type"),
    "slices": (with_entry(KERNEL, pb((1, 1), (7, b""))), "in slices"),
    "no check sum": (kernel(start=0), "their check sum is wrong"),
    "a size twice": (with_entry(KERNEL, pb((5, 4), (5, 4))), "twice that belongs there once"),
    "a shape that is a number": (with_entry(KERNEL, pb((1, 1), (2, 7))), "number where bytes belong"),
    "a type that is bytes": (with_entry(KERNEL, pb((1, b"float"))), "bytes where a number belongs"),
    "a group": (with_entry(KERNEL, b"\x0b\x0c"), "in no way that is still in use"),
    "field 0": (with_entry(KERNEL, b"\x02\x00"), "no message can have"),
    "a field longer than all": (with_entry(KERNEL, b"\x12\xff\xff\xff\x7f"), "longer than what holds it"),
    "half a number": (with_entry(KERNEL, b"\x08\xff"), "middle of a number"),
    "a message of a million fields": (with_entry(KERNEL, b"\x08\x01" * 10**6), "more than 1000 fields"),
    "big-endian": (with_entry("", pb((1, 1), (2, 1))), "another order of bytes"),
    "a later version": (with_entry("", pb((1, 1), (3, pb((2, 9))))), "later version"),
    "no files": (with_entry("", pb((3, b""))), "names 0 files"),
    "too many files": (with_entry("", pb((1, 65))), "names 65 files"),
    "billions of files": (with_entry("", pb((1, 2**31 - 1))), "names 2147483647 files"),
    "files that are not there": (with_entry("", pb((1, 2))), "does not exist"),
    "objects that are numbers": (with_entry(OBJECTS, entry(1, b"", 0, 4, 0)), "no text where"),
    "objects beyond the end": (with_entry(OBJECTS, entry(7, b"", 0, 2**20, 0)), "beyond the end"),
    "too many objects": (with_entry(OBJECTS, entry(7, b"", 0, 2**30, 0)), "bytes of objects, more than"),
    "objects cut short": (with_entry(OBJECTS, entry(7, b"", 0, 30, 0)), "another length than it says"),
    "objects with another sum": (lambda f: setattr(f, "data", lambda d: d[:20] + b"\0" + d[21:]), "check sum is wrong"),
    "no numbers": (lambda f: setattr(f, "data", lambda d: b""), "is empty"),
    "half the numbers": (lambda f: setattr(f, "data", lambda d: d[: len(d) // 2]), "beyond the end"),
    "other numbers": (lambda f: setattr(f, "data", lambda d: d[:-1] + b"\x01"), "their check sum is wrong"),
    "a bias that is not stored": (
        lambda f: setattr(f, "index", lambda e: tf_files.plain_index({n: v for n, v in e.items() if n != BIAS})),
        "does not hold a variable",
    ),
    "beyond float32": (
        lambda f: f.variables.update({"conv/kernel": np.full((3, 3, 3, 4), 1e300)}),
        "beyond the range of float32",
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_entries(tmp_path: Path, name: str) -> None:
    change, words = ENTRIES[name]
    files = small()
    change(files)
    refused(files.write(tmp_path / "m"), words)


LAYERS = {f"layer-{i}": i + 1 for i in range(4)}

OBJECT_GRAPHS: dict[str, tuple[Change, str]] = {
    "none": (lambda f: f.nodes.clear(), "holds no objects"),
    "no layers": (with_node(0, node({"keras_api": 9})), "holds no layer 'conv' but nothing"),
    "a child that does not exist": (with_node(2, node({"kernel": 99})), "a child that does not exist"),
    "a negative child": (with_node(2, node({"kernel": -1})), "out of range"),
    "two kernels": (with_node(2, node({"kernel": 5}) + node({"kernel": 7})), "two children of the same name"),
    "a kernel with two values": (
        with_node(5, node(variable="conv/kernel") + node(variable="conv/kernel")),
        "a variable with two values",
    ),
    "another bias": (with_node(2, node({"kernel": 5, "bias": 6, "more": 8})), "also stores the weight 'more'"),
    "no bias": (with_node(2, node({"kernel": 5})), "weight 'bias' of layer 'conv' is not in it"),
    "a layer in itself": (with_node(2, node({"layer": 2})), "more than 16 deep"),
    "a cell and a layer": (with_node(2, node({"layer": 5, "cell": 5})), "wraps two others"),
    "a model in itself": (with_node(0, node({"layer": 0})), "holds no layer 'conv' but nothing"),
    "two layers of one name": (with_record(3, {"name": "conv"}), "two layers of the name 'conv'"),
    "a layer without a name": (with_record(2, {"names": "conv"}), "holds no layer 'conv' but"),
    "a layer whose name is no text": (with_record(2, {"name": ["conv"]}), "holds no layer 'conv' but"),
    "a layer without a record": (lambda f: f.records.pop(2), "holds no layer 'conv' but"),
    "bytes that are no name": (with_node(2, pb((1, pb((1, 5), (2, b"\xff"))))), "not UTF-8"),
    "a name of a megabyte": (with_node(2, node({"k" * 2**20: 5})), "bytes, more than the 4096"),
    "a root that is no message": (with_node(0, b"\xff" * 12), "more than 64 bits"),
    "a layer that is no message": (with_node(2, b"\x0a\x7f"), "longer than what holds it"),
    "too many objects": (lambda f: f.nodes.extend([b""] * MANY), "more than the 200000 objects"),
    "too many children": (with_node(2, pb((1, b"")) * 1_500_000), "more than the 1000000 fields"),
}


@pytest.mark.parametrize("name", OBJECT_GRAPHS)
def test_object_graphs(tmp_path: Path, name: str) -> None:
    change, words = OBJECT_GRAPHS[name]
    files = small()
    change(files)
    refused(files.write(tmp_path / "m"), words)


RECORDS: dict[str, tuple[Change, str]] = {
    "none": (lambda f: f.records.clear(), "is empty"),
    "none of the root": (lambda f: f.records.pop(0), "describes no Keras model.*model.save"),
    "no JSON": (with_record(0, b"{"), "its record of object 0 is not valid JSON"),
    "no UTF-8": (with_record(0, b"\xff"), "is not UTF-8 text"),
    "deep JSON": (with_record(0, b"[" * 10**6), "nested more than 100 deep"),
    "long JSON": (with_record(0, b" " * (2**24 + 1)), "16777217 bytes, more than"),
    "a list": (with_record(0, []), "is no object of JSON"),
    "deep JSON in a layer": (with_record(2, b'{"name":' * 10**6), "record of object 2 is nested more than"),
    "a class of its own": (root(class_name="Pilot"), "a model of class 'Pilot'.*subclassed"),
    "a class that is a list": (root(class_name=["Functional"]), "a model of class"),
    "no configuration": (root(config=None), "subclassed"),
    "Keras 3": (root(keras_version="3.0.0"), "saved by Keras '3.0.0'"),
    "Keras 1": (root(keras_version="1.2.2"), "saved by Keras '1.2.2'"),
    "no version": (root(keras_version=None), "saved by Keras 'None'"),
    "an endless version": (root(keras_version="2" * 10**5 + ".1"), "saved by Keras '222"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records(tmp_path: Path, name: str) -> None:
    change, words = RECORDS[name]
    files = small()
    change(files)
    refused(files.write(tmp_path / "m"), words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pb((1, tf_files.record(2, {}))) * 2, "describes object 2 twice"),
        (pb((1, 7)), "number where an object belongs"),
        (pb((1, pb((2, -1), (4, "_tf_keras_layer")))), "out of range"),
        (b"\x0a\xff\xff\xff\xff\x0f", "longer than what holds it"),
        (b"\x10\x00" * 1_000_001, "more than the 1000000 fields"),
        (pb((1, b"")) * MANY, "more than the 200000 objects"),
    ],
)
def test_metadata(tmp_path: Path, data: bytes, words: str) -> None:
    path = small().write(tmp_path / "m")
    (path / "keras_metadata.pb").write_bytes(data)
    refused(path, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b[:-1], "longer than what holds it"),
        (lambda b: pb((1, 1), (2, b"\xff" * 11)), "more than 64 bits"),
        (lambda b: b + b, "holds 2 graphs"),
        (lambda b: b"\x08\x01\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", "more than 64 bits"),
        (lambda b: b"\x08\x01\x12\x04\x0a\xff\xff\x7f", "longer than what holds it"),
        (lambda b: pb((1, 1), (2, b"")), "without the configuration of a Keras model"),
        (lambda b: pb((1, 1), (2, pb((7, b"")))), "without the configuration of a Keras model"),
        (lambda b: pb((1, 1), (2, pb((7, pb((1, pb((4, 7)))))))), "without the configuration of a Keras model"),
        (lambda b: pb((1, 1), (2, pb((7, pb((1, b"")) * MANY)))), "more than the 200000 objects"),
        (lambda b: pb((1, 1), (2, b"\x08\x00" * 1_000_001)), "more than the 1000000 fields"),
    ],
)
def test_records_of_older_versions(tmp_path: Path, change: Callable[[bytes], bytes], words: str) -> None:
    files = small()
    path = files.write(tmp_path / "m")
    (path / "keras_metadata.pb").unlink()
    whole = tf_files.saved_model(tf_files.old_objects(files))
    (path / "saved_model.pb").write_bytes(whole)
    assert list(read(path)) == list(WANTED)
    (path / "saved_model.pb").write_bytes(change(whole))
    refused(path, words)
