"""Files that attack their reader: each is refused with a message that says why, and costs little memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t, h5z
from hdf5_attacks import KERNEL, SHAPE, refused, replace
from hostile import ramp, read, write_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.h5")


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
