"""HDF5 files in the ways that HDF5 has, and fastact's reading held against h5py's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t

from fastact.files import datasets
from fastact.files.hdf5 import Group, H5File, opened
from fastact.files.source import InFile

BOUNDS = {
    "earliest": (h5f.LIBVER_EARLIEST, h5f.LIBVER_LATEST),
    "v108": (h5f.LIBVER_V18, h5f.LIBVER_LATEST),
    "v110": (h5f.LIBVER_V110, h5f.LIBVER_LATEST),
    "v112": (h5f.LIBVER_V112, h5f.LIBVER_LATEST),
    "latest": (h5f.LIBVER_LATEST, h5f.LIBVER_LATEST),
}


def create(
    path: Path,
    bounds: str = "earliest",
    user_block: int = 0,
    sizes: tuple[int, int] = (8, 8),
    order: bool = False,
) -> h5py.File:
    """A new file, in one of the ways that HDF5 has."""
    creation, access = h5p.create(h5p.FILE_CREATE), h5p.create(h5p.FILE_ACCESS)
    creation.set_userblock(user_block)
    creation.set_sizes(*sizes)
    if order:
        creation.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    access.set_libver_bounds(*BOUNDS[bounds])
    return h5py.File(h5f.create(str(path).encode(), h5f.ACC_TRUNC, creation, access))


@contextmanager
def ours(path: Path) -> Iterator[H5File]:
    with path.open("rb") as stream, opened(path, InFile(stream.fileno(), 0, path.stat().st_size)) as file:
        yield file


def compare(path: Path) -> int:
    """Compare everything in a file; return how many objects it has."""
    with ours(path) as mine, h5py.File(path) as theirs:
        return _compare_groups(mine, mine.root(), theirs)


def _compare_groups(file: H5File, mine: Group, theirs: h5py.Group) -> int:
    _compare_attributes(file, mine, theirs)
    names = sorted(theirs, key=str.encode)
    assert [name.decode() for name in mine.links.names(10**6)] == names
    assert set(file.names(mine)) <= set(names)
    assert mine.links.find(b"not there") is None
    count = 1
    for name in names:
        if isinstance(theirs[name], h5py.Group):
            group = file.group(mine, name)
            assert group is not None
            count += _compare_groups(file, group, theirs[name])
        else:
            _compare_datasets(file, mine, name, theirs[name])
            count += 1
    return count


def _compare_datasets(file: H5File, group: Group, name: str, theirs: h5py.Dataset) -> None:
    mine = file.dataset(group, name)
    assert mine is not None
    _compare_attributes(file, mine, theirs)
    assert mine.space.shape == (None if theirs.shape is None else theirs.shape)
    assert datasets.is_integer(mine) == (theirs.dtype.kind in "iu")
    if theirs.shape is None or theirs.dtype.kind != "f":
        return
    found = datasets.read(datasets.checked(file, mine, theirs.shape, name))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found, theirs[()].astype(np.float32))


def _compare_attributes(file: H5File, mine: Any, theirs: Any) -> None:
    for name, value in theirs.attrs.items():
        if isinstance(value, (str, bytes)):
            assert file.text(mine, name, 2**20) == (value.encode() if isinstance(value, str) else value)
        elif isinstance(value, np.ndarray) and value.dtype.kind in "SO":
            expected = [one.decode() if isinstance(one, bytes) else one for one in value]
            assert file.list_of_names(mine, name) == expected
        else:
            attribute = mine.attributes.find(name)
            assert attribute.shape == getattr(value, "shape", None)
    assert mine.attributes.find("not there") is None


def early(file: h5py.File, name: str, values: np.ndarray, chunks: tuple[int, ...]) -> None:
    """A dataset whose chunks lie one after the other, without an index."""
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk(chunks)
    plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    made = h5d.create(file.id, name.encode(), h5t.IEEE_F32LE, h5s.create_simple(values.shape), plist)
    made.write(h5s.ALL, h5s.ALL, values)
