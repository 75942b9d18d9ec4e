"""Reading HDF5 without its library gives what h5py gives, for files that h5py writes in many ways."""

from __future__ import annotations

import itertools
import struct
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t
from hdf5_files import BOUNDS, compare, create, early, ours
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastact.errors import FileError
from fastact.files import datasets
from fastact.files.hdf5 import opened
from fastact.files.hdf5.checksums import fletcher32, lookup3
from fastact.files.hdf5.headers import LAYOUT, Header, Message
from fastact.files.hdf5.layout import Kind, layout_of
from fastact.files.source import InFile, InMemory

# Anything at all.

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
float_types = st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
other_types = st.sampled_from(["<i8", ">u2", "i1"])
shapes = st.lists(st.integers(0, 7), max_size=4).map(tuple)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
attributes = st.dictionaries(
    names,
    st.one_of(
        texts,
        texts.map(lambda text: np.bytes_(text.encode() or b"x")),
        st.lists(texts, max_size=5),
        st.lists(texts.filter(bool), min_size=1, max_size=5).map(lambda list_: np.array([t.encode() for t in list_])),
        st.just(np.float32(1)),
        st.just([]),
    ),
    max_size=5,
)


@st.composite
def arrays(draw: st.DrawFn) -> dict[str, Any]:
    shape = draw(shapes)
    options: dict[str, Any] = {"shape": shape, "dtype": draw(float_types | other_types), "attributes": draw(attributes)}
    if shape and all(shape) and draw(st.booleans()):
        chunks = tuple(draw(st.integers(1, size)) for size in shape)
        options |= {"chunks": chunks, "shuffle": draw(st.booleans()), "fletcher32": draw(st.booleans())}
        options |= {"compression": draw(st.sampled_from([None, "gzip"]))}
    return options


groups = st.recursive(
    st.fixed_dictionaries({"attributes": attributes, "links": st.dictionaries(names, arrays(), max_size=4)}),
    lambda inner: st.fixed_dictionaries(
        {"attributes": attributes, "links": st.dictionaries(names, inner | arrays(), max_size=12)}
    ),
    max_leaves=12,
)
files = st.fixed_dictionaries(
    {
        "bounds": st.sampled_from(sorted(BOUNDS)),
        "user_block": st.sampled_from([0, 512, 2048]),
        "sizes": st.sampled_from([(8, 8), (4, 4), (8, 4), (4, 8)]),
        "order": st.booleans(),
    }
)


def fill(group: h5py.Group, content: dict[str, Any]) -> None:
    for name, value in content["attributes"].items():
        group.attrs[name] = value
    for number, (name, inner) in enumerate(content["links"].items()):
        if "links" in inner:
            fill(group.create_group(name), inner)
            continue
        options = {key: value for key, value in inner.items() if key not in ("shape", "dtype", "attributes")}
        values = np.arange(number, number + np.prod(inner["shape"], dtype=int)).reshape(inner["shape"]) % 128
        made = group.create_dataset(name, data=values.astype(inner["dtype"]), **options)
        for key, value in inner["attributes"].items():
            made.attrs[key] = value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(options=files, content=groups)
def test_whatever_h5py_writes(options: dict[str, Any], content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        with create(path, **options) as file:
            fill(file, content)
        compare(path)


# Many links.


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("count", [1, 8, 9, 33, 400, 3000])
def test_groups_of_any_size(tmp_path: Path, bounds: str, count: int, order: bool) -> None:
    with create(tmp_path / "a.h5", bounds, order=order) as file:
        for number in np.random.default_rng(count).permutation(count):
            file.create_group(f"layer_{number}")
        file["a/b/c"] = np.float32(1)
    assert compare(tmp_path / "a.h5") == count + 4


def test_trees_of_several_levels(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with create(path) as file:
        for number in range(9000):
            file.create_group(f"{number * 7919 % 9000}")
        values = np.arange(90_000, dtype="f4").reshape(300, 300)
        file.create_dataset("x", data=values, chunks=(3, 7), compression="gzip")
    assert compare(path) == 9002
    assert levels(path) == {0: {0, 1, 2}, 1: {0, 1, 2}}


def levels(path: Path) -> dict[int, set[int]]:
    """The levels of the trees of groups, 0, and of chunks, 1, in a file."""
    data = path.read_bytes()
    found: dict[int, set[int]] = {0: set(), 1: set()}
    place = data.find(b"TREE")
    while place >= 0:
        found[data[place + 4]].add(data[place + 5])
        place = data.find(b"TREE", place + 1)
    return found


def test_trees_with_gaps(tmp_path: Path) -> None:
    with create(tmp_path / "a.h5") as file:
        for number in range(400):
            file[f"{number}"] = np.float32(number)
        for number in range(0, 400, 3):
            del file[f"{number}"]
    compare(tmp_path / "a.h5")
    with ours(tmp_path / "a.h5") as file:
        assert file.dataset(file.root(), "3") is None
        assert file.dataset(file.root(), "4") is not None


@pytest.mark.parametrize("bounds", ["earliest", "latest"])
def test_long_names_and_deep_paths(tmp_path: Path, bounds: str) -> None:
    path, deep = tmp_path / "a.h5", "/".join(f"level {n}" for n in range(60))
    long = ["ä" * 400 + str(n) for n in range(40)]
    with create(path, bounds) as file:
        file[deep] = np.float32(3)
        for name in long:
            file[name] = np.float32(4)
    compare(path)
    with ours(path) as mine:
        assert mine.dataset(mine.root(), deep) is not None
        assert mine.dataset(mine.root(), long[7]) is not None
        assert mine.group(mine.root(), deep.rpartition("/")[0] + "/level 59x") is None


# Chunks.


@pytest.mark.parametrize("bounds", BOUNDS)
def test_every_index_of_chunks(tmp_path: Path, bounds: str) -> None:
    path = tmp_path / "a.h5"
    values = np.arange(30 * 50 * 2, dtype="f4").reshape(30, 50, 2)
    with create(path, bounds) as file:
        for options in ({}, {"compression": "gzip"}, {"shuffle": True, "fletcher32": True}):
            key = "-".join(options)
            file.create_dataset(f"single{key}", data=values, chunks=values.shape, **options)
            file.create_dataset(f"array{key}", data=values, chunks=(7, 11, 2), **options)
            file.create_dataset(f"paged{key}", data=values, chunks=(1, 2, 1), **options)
        early(file, "implicit", values, (7, 11, 1))
    assert compare(path) == 11


@pytest.mark.parametrize("most", [(None, 5), (None, None), (12, 5)])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_chunks_that_can_grow(tmp_path: Path, bounds: str, most: tuple[int | None, ...]) -> None:
    """Before HDF5 1.10 it makes no difference; since then it does, and no writer of Keras files does it."""
    path = tmp_path / "a.h5"
    with create(path, bounds) as file:
        file.create_dataset("x", data=np.ones((4, 5), "f4"), chunks=(2, 2), maxshape=most)
    if bounds in ("earliest", "v108"):
        compare(path)
        return
    with pytest.raises(FileError, match="x is stored in chunks that may grow in number"):
        compare(path)


@pytest.mark.parametrize("version", [1, 2])
def test_layouts_of_before_1_6_3(tmp_path: Path, version: int) -> None:
    """Written by hand over the layout of today, since no library writes them any more."""
    path = tmp_path / "a.h5"
    values = np.arange(12, dtype="f4").reshape(3, 4)
    with create(path) as file:
        file["x"] = values
        offset = file["x"].id.get_offset()
    data = path.read_bytes()
    today = struct.pack("<BBQQ", 3, 1, offset, values.nbytes)
    assert data.count(today) == 1
    old = struct.pack("<BBB5xQII", version, 2, 1, offset, 3, 4)
    at = data.index(today)
    path.write_bytes(data[:at] + old + data[at + len(old) :])
    compare(path)


# Checksums.


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xDEADBEEF),
        (b"Four score and seven years ago", 0x17770551),
    ],
)
def test_lookup3_by_its_author(data: bytes, expected: int) -> None:
    assert lookup3(data) == expected


@given(st.binary(max_size=200) | st.integers(0, 100_000).map(lambda n: b"\xff" * n))
@settings(deadline=None)
def test_fletcher32_by_its_definition(data: bytes) -> None:
    first = second = 0
    for high, low in itertools.zip_longest(data[::2], data[1::2], fillvalue=0):
        first += high << 8 | low
        first = (first & 0xFFFF) + (first >> 16)
        second += first
        second = (second & 0xFFFF) + (second >> 16)
    assert fletcher32(data) == second << 16 | first


# What h5py writes only if told how.


def attribute_of(path: Path, kind: h5t.TypeID, values: np.ndarray) -> Path:
    with create(path) as file:
        space = h5s.create_simple(values.shape)
        h5py.h5a.create(file.id, b"list", kind, space).write(values, mtype=kind)
    return path


@pytest.mark.parametrize(
    ("padding", "stored", "expected"),
    [
        (h5t.STR_NULLTERM, [b"ab\0x", b"abc\0"], ["ab", "abc"]),
        (h5t.STR_NULLPAD, [b"ab\0\0", b"abcd"], ["ab", "abcd"]),
        (h5t.STR_SPACEPAD, [b"ab  ", b"abcd"], ["ab", "abcd"]),
    ],
)
def test_text_of_fixed_length(tmp_path: Path, padding: int, stored: list[bytes], expected: list[str]) -> None:
    kind = h5t.C_S1.copy()
    kind.set_size(4)
    kind.set_strpad(padding)
    with ours(attribute_of(tmp_path / "a.h5", kind, np.array(stored, dtype="S4"))) as file:
        assert file.list_of_names(file.root(), "list") == expected


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_bfloat16_as_a_type_of_its_own(tmp_path: Path, byte_order: str) -> None:
    kind = (h5t.IEEE_F32LE if byte_order == "<" else h5t.IEEE_F32BE).copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    values = np.array([[0, 1, -2.5], [3e38, np.inf, 2**-126]], dtype="f4")
    halves = np.ascontiguousarray(values.view("u4") >> 16).astype(f"{byte_order}u2")
    with create(tmp_path / "a.h5") as file:
        made = h5d.create(file.id, b"x", kind, h5s.create_simple(values.shape))
        made.write(h5s.ALL, h5s.ALL, halves, mtype=kind)
    with ours(tmp_path / "a.h5") as mine:
        dataset = mine.dataset(mine.root(), "x")
        assert dataset is not None
        found = datasets.read(datasets.checked(mine, dataset, values.shape, "x"))
    np.testing.assert_array_equal(found, (values.view("u4") & 0xFFFF0000).view("f4"))


def test_an_unlinked_file_and_bytes_in_memory(tmp_path: Path) -> None:
    path, values = tmp_path / "a.h5", np.arange(100_000, dtype="f4")
    with create(path, user_block=512) as file:
        file["x"] = values
    content = path.read_bytes()
    with tempfile.TemporaryFile() as stream:
        stream.write(b"something before" + content + b"and after")
        stream.flush()
        for source in (InFile(stream.fileno(), 16, len(content)), InMemory(content)):
            with opened(path, source) as mine:
                dataset = mine.dataset(mine.root(), "x")
                assert dataset is not None
                found = datasets.read(datasets.checked(mine, dataset, values.shape, "x"))
            np.testing.assert_array_equal(found, values)


OLD_CHUNKED = struct.pack("<BBB5xQIII", 1, 3, 2, 4096, 7, 5, 4)
OLD_COMPACT = struct.pack("<BBB5xIII8s", 1, 2, 0, 1, 2, 8, b"contents")


def test_layouts_of_before_1_6_3_that_fit_no_file_of_today(tmp_path: Path) -> None:
    with create(tmp_path / "a.h5"):
        pass
    with ours(tmp_path / "a.h5") as mine:
        chunked = layout_of(mine.window, Header(0, (Message(LAYOUT, 0, OLD_CHUNKED, 100),)))
        assert (chunked.kind, chunked.address, chunked.chunk, chunked.itemsize) == (Kind.CHUNKED, 4096, (7, 5), 4)
        compact = layout_of(mine.window, Header(0, (Message(LAYOUT, 0, OLD_COMPACT, 100),)))
        assert (compact.kind, compact.size) == (Kind.WHOLE, 8)
        assert OLD_COMPACT[compact.address - 100 :] == b"contents"
        with pytest.raises(FileError, match="longer than its header"):
            layout_of(mine.window, Header(0, (Message(LAYOUT, 0, OLD_COMPACT[:-1], 100),)))
