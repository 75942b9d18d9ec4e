"""Plain float datasets of HDF5: what is accepted as a weight, and reading it.

A dataset is accepted when its bytes are all in this file, in the shape asked for, behind no filter but
deflate, shuffle and Fletcher's checksum. Its size in memory is then known before it is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..kernels.records import dataclass
from .hdf5 import Dataset, H5File
from .hdf5.chunks import chunks_of, grid_of
from .hdf5.filters import FilterError, largest_stored, undo
from .hdf5.layout import DEFLATE, FLETCHER32, SHUFFLE, Index, Kind, Layout
from .hdf5.types import Datatype
from .model import LayerPath, Shape

__all__ = ["Weight", "checked", "is_integer", "read", "read_all"]

_MAX_CHUNKS = 65_536
_MAX_CHUNK_BYTES = 2**26
_FILTERS = frozenset({DEFLATE, SHUFFLE, FLETCHER32})
_DEFLATE_RATIO = 1032
"""What deflate can reach at most: 258 bytes from two bits."""
_BFLOAT16 = "bfloat16"
_CODES = {"float16": "f2", "float32": "f4", "float64": "f8"}


@dataclass(frozen=True)
class Weight:
    """A dataset that has been found fit to be read."""

    file: H5File
    layout: Layout
    shape: Shape
    dtype: str
    """``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``."""
    byte_order: str
    """``"<"`` or ``">"``."""
    what: str
    """For messages: ``"the weight 'kernel' of layer 'conv2d_1'"``."""

    @cached_property
    def stored_dtype(self) -> np.dtype[np.generic]:
        """How NumPy takes the bytes; a bfloat16 as an integer."""
        return np.dtype(self.byte_order + ("u2" if self.dtype == _BFLOAT16 else _CODES[self.dtype]))

    @property
    def itemsize(self) -> int:
        """Bytes of one number in the file."""
        return self.stored_dtype.itemsize

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file before compression."""
        return math.prod(self.shape) * self.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in memory, the larger of the file's numbers and of float32."""
        return math.prod(self.shape) * max(self.itemsize, 4)


def is_integer(dataset: Dataset) -> bool:
    """Whether the dataset holds integers: a counter or a seed, which no layer computes with."""
    return dataset.type.name == "integer"


def checked(file: H5File, dataset: Dataset, shape: Shape, what: str) -> Weight:
    """Check everything about a dataset that can be checked without reading it.

    Args:
        file: the file it is in.
        dataset: the dataset.
        shape: the only shape accepted.
        what: for messages, which weight it is.

    Raises:
        FileError: another shape or type, or stored in a way that Keras does not.
    """
    found = dataset.space.shape
    if found is None:
        raise file.problem(f"does not agree with its configuration: {what} holds nothing")
    if found != shape:
        raise file.problem(
            f"does not agree with its configuration: {what} has the shape {_shown(found)}, where the configuration "
            f"implies {_shown(shape)}"
        )
    dtype = _dtype(file, dataset)
    if dtype is None:
        raise file.problem(
            f"cannot be read: {what} is stored as {_type_name(dataset.type)}, where fastact reads float16, "
            "bfloat16, float32 and float64"
        )
    weight = Weight(file, dataset.layout, shape, dtype, dataset.type.byte_order, what)
    problem = _storage_problem(weight, dataset)
    if problem:
        raise file.problem(f"is not safe to read: {what} {problem}")
    return weight


def read_all(
    file: H5File, located: Mapping[LayerPath, Mapping[str, Weight]], max_bytes: int
) -> dict[LayerPath, dict[str, NDArray[np.float32]]]:
    """Read weights once it is known that all together take at most `max_bytes`.

    Raises:
        FileError: they take more, or see `read`.
    """
    total = sum(weight.nbytes for weights in located.values() for weight in weights.values())
    if total > max_bytes:
        raise file.problem(f"needs {total} bytes for its weights, more than the limit of {max_bytes}")
    return {layer: {leaf: read(weight) for leaf, weight in weights.items()} for layer, weights in located.items()}


def read(weight: Weight) -> NDArray[np.float32]:
    """Read a weight as C-contiguous float32.

    Raises:
        FileError: a compressed part does not hold what it should, or a float64 does not fit float32.
    """
    values = np.empty(weight.shape, dtype=weight.stored_dtype)
    if values.size and weight.layout.kind is Kind.CHUNKED:
        _read_chunks(weight, values)
    elif values.size:
        weight.file.window.data_into(weight.layout.address, values.reshape(-1).view(np.uint8).data)
    if weight.dtype == _BFLOAT16:
        return _widened(values)
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    if weight.dtype == "float64" and np.any(np.isinf(result) & np.isfinite(values)):
        raise weight.file.problem(f"cannot be computed: {weight.what} holds numbers beyond the range of float32")
    return result


def _widened(halves: NDArray[np.generic]) -> NDArray[np.float32]:
    """A bfloat16 is the upper half of a float32."""
    result = np.empty(halves.shape, dtype=np.float32)
    bits = result.view(np.uint32)
    bits[...] = halves
    bits <<= 16
    return result


def _dtype(file: H5File, dataset: Dataset) -> str | None:
    if dataset.type.name == _BFLOAT16 or (dataset.type.size == 2 and _is_bfloat16(file, dataset)):
        return _BFLOAT16
    return dataset.type.name if dataset.type.name in _CODES else None


def _is_bfloat16(file: H5File, dataset: Dataset) -> bool:
    """Whether two bytes are a bfloat16 as Keras stores it.

    h5py knows no such type, and NumPy's comes out as two opaque bytes. Keras 3 marks them in ``.keras`` and
    ``.weights.h5`` files and nowhere else; nothing else that Keras stores is opaque.
    """
    if dataset.type.name == "opaque bytes":
        return True
    return is_integer(dataset) and file.text(dataset, "dtype", 16) == _BFLOAT16.encode()


def _type_name(kind: Datatype) -> str:
    names = {"integer": f"integers of {8 * kind.size} bits", "variable text": "text"}
    return names.get(kind.name, kind.name)


def _shown(shape: Shape) -> str:
    """A shape, short: one out of a file may have 32 axes."""
    return str(shape) if len(shape) <= 8 else f"of {len(shape)} axes"


def _storage_problem(weight: Weight, dataset: Dataset) -> str | None:
    """Say how a dataset is stored otherwise than whole, plainly and in this file; None where it is."""
    layout, window = weight.layout, weight.file.window
    if layout.kind is Kind.VIRTUAL:
        return "is a virtual dataset, put together from others"
    if layout.kind is Kind.EXTERNAL:
        return "is stored in another file"
    if layout.kind is Kind.CHUNKED:
        return _chunk_problem(weight, can_grow=dataset.space.can_grow)
    if layout.filters:
        return "has filters without chunks"
    stored = weight.stored_bytes if layout.size is None else layout.size
    if not window.is_defined(layout.address):
        stored = 0
    if stored != weight.stored_bytes:
        return f"has {stored} bytes in the file, where its shape needs {weight.stored_bytes}"
    if stored and not window.holds(layout.address, stored):
        return "lies beyond the end of the file"
    return None


def _chunk_problem(weight: Weight, can_grow: bool) -> str | None:
    layout, nbytes = weight.layout, weight.stored_bytes
    filters = [one.number for one in layout.filters]
    if len(set(filters)) != len(filters) or not _FILTERS.issuperset(filters):
        return "is stored behind filters that fastact does not run (h5repack -f NONE rewrites it without)"
    if layout.index is Index.OTHER or (can_grow and layout.index is not Index.TREE):
        return "is stored in chunks that may grow in number (h5repack -l CONTI rewrites it without)"
    if layout.edges_are_plain and filters:
        return "is stored behind filters that leave some chunks out (h5repack -f NONE rewrites it without)"
    if layout.itemsize != weight.itemsize or len(layout.chunk) != len(weight.shape) or 0 in layout.chunk:
        return "has chunks that are not of its kind"
    chunk_bytes = math.prod(layout.chunk) * weight.itemsize
    if chunk_bytes > min(_MAX_CHUNK_BYTES, max(2 * nbytes, 2**20)):
        return f"has chunks of {chunk_bytes} bytes for {nbytes} bytes of weights"
    expected = math.prod(grid_of(weight.shape, layout.chunk))
    if expected > _MAX_CHUNKS:
        return f"is stored in {expected} chunks, more than the {_MAX_CHUNKS} that are read"
    found = stored = 0
    for chunk in chunks_of(weight.file.window, layout, weight.shape):
        found, stored = found + 1, stored + chunk.size
        if found > expected:
            break
    if found != expected:
        return f"has {found} of its {expected} chunks in the file"
    least = nbytes / _DEFLATE_RATIO if DEFLATE in filters else nbytes
    if stored < least:
        return f"has {stored} bytes in the file, from which {nbytes} cannot come"
    return None


def _read_chunks(weight: Weight, values: NDArray[np.generic]) -> None:
    """Read chunk by chunk, each inflated to just the size of a chunk and put where it belongs."""
    layout, window = weight.layout, weight.file.window
    grid = grid_of(weight.shape, layout.chunk)
    size = math.prod(layout.chunk) * weight.itemsize
    seen = bytearray(math.prod(grid))
    for chunk in chunks_of(window, layout, weight.shape):
        if chunk.mask:
            raise _unsafe(weight, "has a chunk that left filters out")
        most = largest_stored(layout.filters, size)
        if seen[chunk.number] or chunk.size > most:
            raise _unsafe(weight, "is not compressed as HDF5 does it")
        seen[chunk.number] = 1
        try:
            raw = undo(layout.filters, window.data(chunk.address, chunk.size), size)
        except FilterError as error:
            raise _unsafe(weight, str(error)) from None
        first = np.unravel_index(chunk.number, grid)
        place = tuple(slice(n * part, n * part + part) for n, part in zip(first, layout.chunk, strict=True))
        target = values[place]  # smaller than a chunk at the array's end
        target[...] = np.frombuffer(raw, dtype=values.dtype).reshape(layout.chunk)[tuple(map(slice, target.shape))]
    if not all(seen):
        raise _unsafe(weight, "has not all of its chunks in the file")


def _unsafe(weight: Weight, reason: str) -> Exception:
    return weight.file.problem(f"is not safe to read: {weight.what} {reason}")
