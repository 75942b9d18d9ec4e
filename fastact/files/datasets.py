"""Plain float datasets of HDF5: what is accepted as a weight, and reading it.

A dataset is accepted when its bytes are all in this file, in the shape asked for, behind no filter but
deflate, shuffle and Fletcher's checksum. Its size in memory is then known before it is read.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from .hdf5 import H5File
from .model import LayerPath, Shape

__all__ = ["Weight", "checked", "is_integer", "read", "read_all"]

_MAX_CHUNKS = 65_536
_MAX_CHUNK_BYTES = 2**26
_FILTERS = frozenset({h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32})
_FLETCHER_BYTES = 4
_DEFLATE_RATIO = 1032
"""What deflate can reach at most: 258 bytes from two bits."""
_BFLOAT16 = "bfloat16"


def _float_types() -> tuple[tuple[h5t.TypeID, str], ...]:
    return (
        (h5t.IEEE_F32LE, "float32"),
        (h5t.IEEE_F32BE, "float32"),
        (h5t.IEEE_F16LE, "float16"),
        (h5t.IEEE_F16BE, "float16"),
        (h5t.IEEE_F64LE, "float64"),
        (h5t.IEEE_F64BE, "float64"),
    )


@dataclass(frozen=True)
class Weight:
    """A dataset that has been found fit to be read."""

    file: H5File
    dataset: h5d.DatasetID
    shape: Shape
    dtype: str
    """``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``, whatever the byte order."""
    what: str
    """For messages: ``"the weight 'kernel' of layer 'conv2d_1'"``."""

    @property
    def itemsize(self) -> int:
        """Bytes of one number in the file."""
        return 2 if self.dtype == _BFLOAT16 else int(np.dtype(self.dtype).itemsize)

    @property
    def stored_bytes(self) -> int:
        """Bytes in the file before compression."""
        return math.prod(self.shape) * self.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in memory, the larger of the file's numbers and of float32."""
        return math.prod(self.shape) * max(self.itemsize, 4)


def is_integer(dataset: h5d.DatasetID) -> bool:
    """Whether the dataset holds integers: a counter or a seed, which no layer computes with."""
    return bool(dataset.get_type().get_class() == h5t.INTEGER)


def checked(file: H5File, dataset: h5d.DatasetID, shape: Shape, what: str) -> Weight:
    """Check everything about a dataset that can be checked without reading it.

    Args:
        file: the file it is in.
        dataset: the dataset.
        shape: the only shape accepted.
        what: for messages, which weight it is.

    Raises:
        FileError: another shape or type, or stored in a way that Keras does not.
    """
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        raise file.problem(f"does not agree with its configuration: {what} holds nothing")
    found = tuple(int(n) for n in space.get_simple_extent_dims())
    if found != shape:
        raise file.problem(
            f"does not agree with its configuration: {what} has the shape {found}, where the configuration "
            f"implies {shape}"
        )
    dtype = _dtype(file, dataset)
    if dtype is None:
        raise file.problem(
            f"cannot be read: {what} is stored as {_type_name(dataset)}, where fastact reads float16, "
            "bfloat16, float32 and float64"
        )
    weight = Weight(file, dataset, shape, dtype, what)
    problem = _storage_problem(weight)
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
    if not _inflates_as_it_should(weight):
        raise weight.file.problem(f"is not safe to read: {weight.what} is not compressed as HDF5 does it")
    if weight.dtype == _BFLOAT16:
        return _read_bfloat16(weight)
    values = np.empty(weight.shape, dtype=weight.dtype)
    if values.size:
        weight.dataset.read(h5s.ALL, h5s.ALL, values)
    if weight.dtype == "float32":
        return values
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    if weight.dtype == "float64" and np.any(np.isinf(result) & np.isfinite(values)):
        raise weight.file.problem(f"cannot be computed: {weight.what} holds numbers beyond the range of float32")
    return result


def _read_bfloat16(weight: Weight) -> NDArray[np.float32]:
    """A bfloat16 is the upper half of a float32."""
    kind = weight.dataset.get_type()
    opaque = kind.get_class() == h5t.OPAQUE
    halves = np.empty(weight.shape, dtype="V2" if opaque else np.uint16)
    if halves.size:
        weight.dataset.read(h5s.ALL, h5s.ALL, halves, kind if opaque else None)
    result = np.empty(weight.shape, dtype=np.float32)
    bits = result.view(np.uint32)
    bits[...] = halves.view("<u2") if opaque else halves
    bits <<= 16
    return result


def _dtype(file: H5File, dataset: h5d.DatasetID) -> str | None:
    kind = dataset.get_type()
    if kind.get_size() == 2 and _is_bfloat16(file, dataset, kind):
        return _BFLOAT16
    if kind.get_class() != h5t.FLOAT:
        return None
    for candidate, name in _float_types():
        if kind.equal(candidate):
            return name
    return None


def _is_bfloat16(file: H5File, dataset: h5d.DatasetID, kind: h5t.TypeID) -> bool:
    """Whether two bytes are a bfloat16 as Keras stores it.

    HDF5 has no such type, and NumPy's comes out as two opaque bytes. Keras 3 marks them in ``.keras`` and
    ``.weights.h5`` files and nowhere else; nothing else that Keras stores is opaque.
    """
    if kind.get_class() == h5t.OPAQUE:
        return True
    return kind.get_class() == h5t.INTEGER and file.text(dataset, "dtype", 16) == _BFLOAT16.encode()


def _type_name(dataset: h5d.DatasetID) -> str:
    kind = dataset.get_type()
    names = {
        h5t.INTEGER: f"integers of {8 * kind.get_size()} bits",
        h5t.FLOAT: f"floating-point numbers of {8 * kind.get_size()} bits in an unusual format",
        h5t.STRING: "text",
        h5t.OPAQUE: "opaque bytes",
        h5t.COMPOUND: "records",
        h5t.REFERENCE: "references",
        h5t.ENUM: "an enumeration",
        h5t.VLEN: "lists of varying length",
        h5t.ARRAY: "arrays",
        h5t.BITFIELD: "bit fields",
    }
    return names.get(kind.get_class(), "an unknown type")


def _storage_problem(weight: Weight) -> str | None:
    """Say how a dataset is stored otherwise than whole, plainly and in this file; None where it is."""
    plist = weight.dataset.get_create_plist()
    layout = plist.get_layout()
    if layout == h5d.VIRTUAL:
        return "is a virtual dataset, put together from others"
    if plist.get_external_count():
        return "is stored in another file"
    if layout == h5d.CHUNKED:
        return _chunk_problem(weight, plist)
    if layout not in (h5d.CONTIGUOUS, h5d.COMPACT):
        return "is laid out in an unknown way"
    if plist.get_nfilters():
        return "has filters without chunks"
    stored = weight.dataset.get_storage_size()
    if stored != weight.stored_bytes:
        return f"has {stored} bytes in the file, where its shape needs {weight.stored_bytes}"
    if layout == h5d.CONTIGUOUS and stored:
        offset = weight.dataset.get_offset()
        if offset is None or offset + stored > weight.file.size:
            return "lies beyond the end of the file"
    return None


def _chunk_problem(weight: Weight, plist: h5p.PropDCID) -> str | None:
    filters, nbytes = _filters(plist), weight.stored_bytes
    if len(set(filters)) != len(filters) or not _FILTERS.issuperset(filters):
        return "is stored behind filters that fastact does not run (h5repack -f NONE rewrites it without)"
    chunk = tuple(int(n) for n in plist.get_chunk())
    chunk_bytes = math.prod(chunk) * weight.itemsize
    if chunk_bytes > min(_MAX_CHUNK_BYTES, max(2 * nbytes, 2**20)):
        return f"has chunks of {chunk_bytes} bytes for {nbytes} bytes of weights"
    expected = math.prod(-(-size // part) for size, part in zip(weight.shape, chunk, strict=True))
    if expected > _MAX_CHUNKS:
        return f"is stored in {expected} chunks, more than the {_MAX_CHUNKS} that are read"
    found = weight.dataset.get_num_chunks()
    if found != expected:
        return f"has {found} of its {expected} chunks in the file"
    stored = weight.dataset.get_storage_size()
    least = nbytes / _DEFLATE_RATIO if h5z.FILTER_DEFLATE in filters else nbytes
    if stored < least:
        return f"has {stored} bytes in the file, from which {nbytes} cannot come"
    return None


def _filters(plist: h5p.PropDCID) -> list[int]:
    return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


def _inflates_as_it_should(weight: Weight) -> bool:
    """Whether every chunk inflates to just the size of a chunk.

    HDF5 inflates a chunk to whatever size comes out, and only then compares that with the size that it
    should have: a megabyte may become a gigabyte. zlib stops where it is told to.
    """
    plist = weight.dataset.get_create_plist()
    if plist.get_layout() != h5d.CHUNKED:
        return True
    filters = _filters(plist)
    size = math.prod(int(n) for n in plist.get_chunk()) * weight.itemsize
    chunks: list[h5d.StoreInfo] = []
    weight.dataset.chunk_iter(chunks.append)
    return all(_chunk_is_sound(weight.dataset, chunk, filters, size) for chunk in chunks)


def _chunk_is_sound(dataset: h5d.DatasetID, chunk: h5d.StoreInfo, filters: list[int], size: int) -> bool:
    if chunk.filter_mask:
        return False  # a filter that was skipped for one chunk
    if h5z.FILTER_DEFLATE not in filters:
        return bool(chunk.size == size + _FLETCHER_BYTES * (h5z.FILTER_FLETCHER32 in filters))
    before = filters[: filters.index(h5z.FILTER_DEFLATE)]
    inflated = size + _FLETCHER_BYTES * (h5z.FILTER_FLETCHER32 in before)
    # zlib's own bound on what a block may grow to when it does not compress, and a checksum after it.
    if chunk.size > inflated + inflated // 1000 + 64:
        return False
    _, raw = dataset.read_direct_chunk(chunk.chunk_offset)
    try:
        return len(zlib.decompressobj().decompress(raw, inflated + 1)) == inflated
    except zlib.error:
        return False
