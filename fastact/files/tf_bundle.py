"""A bundle, TensorFlow's file of variables: an index of names, and one or more files of plain bytes.

    variables.index                 a table (tf_table.py): name → type, shape, file, place, size, CRC-32C
    variables.data-00000-of-00001   the numbers, little-endian, one variable after the other

TensorFlow up to 2.2 wrote a file a device, so that variables made on a GPU lie in the second of two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..kernels.records import dataclass
from . import tf_table
from .model import Shape
from .tf_crc import crc32c, masked
from .tf_directory import Directory, Member
from .tf_proto import Budget, DamageError, fields, integer, message, varint, view

__all__ = ["Bundle", "Entry"]

_FIELDS = 1_000_000
_MOST_SHARDS = 64
_MOST_BYTES = 2**33
"""Of all files with numbers, what the optimizer left in them included: all of it goes into the identity."""
_MOST_AXES = 32

# TensorFlow's numbers for types: those that are read, and names for the rest where people have some.
_FLOATS: Mapping[int, str] = {1: "float32", 2: "float64", 14: "bfloat16", 19: "float16"}
_NAMES: Mapping[int, str] = {7: "strings", 8: "complex numbers", 18: "complex numbers", 20: "references", 21: "objects"}
_INTEGERS = frozenset({3, 4, 5, 6, 9, 10, 11, 12, 13, 15, 16, 17, 22, 23})
_STRING = 7


@dataclass(frozen=True)
class Entry:
    """One variable as the index states it."""

    type: int
    shape: Shape
    shard: Member
    start: int
    size: int
    checksum: int
    """The masked CRC-32C of its bytes."""

    @property
    def dtype(self) -> str | None:
        """``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``; None for what no layer computes with."""
        return _FLOATS.get(self.type)

    @property
    def is_integer(self) -> bool:
        """Whether it holds integers: a counter or a seed, which no layer computes with."""
        return self.type in _INTEGERS

    @property
    def type_name(self) -> str:
        """The type in words."""
        return self.dtype or _NAMES.get(self.type, "integers" if self.is_integer else "an unknown type")

    @property
    def itemsize(self) -> int:
        """Bytes of one number in the file."""
        return {"float64": 8, "float32": 4}.get(self.dtype or "", 2)

    @property
    def nbytes(self) -> int:
        """Bytes in memory, the larger of the file's numbers and of float32."""
        return math.prod(self.shape) * max(self.itemsize, 4)

    def storage_problem(self) -> str | None:
        """Why its bytes cannot be what it claims to be; None where they can."""
        needed = math.prod(self.shape) * self.itemsize
        if self.size != needed:
            return f"has {self.size} bytes in the file, where its shape needs {needed}"
        if self.start + self.size > self.shard.size:
            return "lies beyond the end of the file"
        return None

    def read(self) -> NDArray[np.float32]:
        """The numbers as C-contiguous float32.

        Raises:
            DamageError: they are not those whose check sum was stored, or a float64 does not fit float32.
            FileError: the file cannot be read.
        """
        data = self.shard.read(self.start, self.size)
        if masked(crc32c(data)) != self.checksum:
            raise DamageError("are not those that were saved: their check sum is wrong: copy the model again")
        if self.dtype == "bfloat16":  # the upper half of a float32
            words = np.frombuffer(data, "<u2").astype(np.uint32) << 16
            return words.view(np.float32).reshape(self.shape)
        little = {"float16": "<f2", "float32": "<f4", "float64": "<f8"}[self.dtype or ""]
        numbers = np.frombuffer(data, little).reshape(self.shape)
        with np.errstate(over="ignore"):
            result = numbers.astype(np.float32, copy=False)
        if self.dtype == "float64" and np.any(np.isinf(result) & np.isfinite(numbers)):
            raise DamageError("lie beyond the range of float32: save the model in float32")
        return result


class Bundle:
    """The variables of a SavedModel."""

    def __init__(self, directory: Directory) -> None:
        """Read the index; open the files with the numbers.

        Raises:
            FileError: a file is missing or cannot be read.
            DamageError: the index is not what it should be.
        """
        self.index = directory.member("variables/variables.index")
        if self.index.size > tf_table.MAX_BYTES:
            raise DamageError(f"has {self.index.size} bytes, more than the {tf_table.MAX_BYTES} that are read")
        self._values = tf_table.read(memoryview(self.index.read(0, self.index.size)))
        self._budget = Budget(_FIELDS)
        count = self._shard_count()
        names = (f"variables/variables.data-{number:05}-of-{count:05}" for number in range(count))
        self._shards = [directory.member(name) for name in names]
        total = sum(shard.size for shard in self._shards)
        if total > _MOST_BYTES:
            raise DamageError(f"goes with {total} bytes of variables, more than the {_MOST_BYTES} that are read")

    def __contains__(self, key: str) -> bool:
        """Whether there is a variable of that name."""
        return key.encode() in self._values

    def entry(self, key: str) -> Entry:
        """What the index says of a variable.

        Raises:
            DamageError: nothing, or nothing that can be.
        """
        value = self._values.get(key.encode())
        if value is None:
            raise DamageError("does not hold a variable that the model's objects name")
        stated = message(value, self._budget)
        if 7 in stated:
            raise DamageError("holds a variable in slices, as training on several machines leaves it")
        shard = integer(stated, 3)
        if shard >= len(self._shards):
            raise DamageError(f"names file {shard} of {len(self._shards)}")
        return Entry(
            integer(stated, 1),
            self._shape(view(stated, 2)),
            self._shards[shard],
            integer(stated, 4),
            integer(stated, 5),
            integer(stated, 6, 2**32 - 1),
        )

    def string(self, key: str, most: int) -> bytes:
        """A single string of at most `most` bytes.

        It is stored as its length, the CRC-32C of its length as four bytes, and itself.

        Raises:
            DamageError: no string, more than one, longer, or not the one whose check sum was stored.
            FileError: the file cannot be read.
        """
        entry = self.entry(key)
        if entry.type != _STRING or entry.shape:
            raise DamageError("holds no text where the model's objects belong")
        if entry.size > most:
            raise DamageError(f"has {entry.size} bytes of objects, more than the {most} that are read")
        if entry.start + entry.size > entry.shard.size:
            raise DamageError("places the model's objects beyond the end of the file")
        data = entry.shard.read(entry.start, entry.size)
        length, at = varint(data, 0)
        if at + 4 + length != len(data) or length >= 2**32:
            raise DamageError("holds text of another length than it says")
        running = crc32c(length.to_bytes(4, "little"))
        checked = masked(running) == int.from_bytes(data[at : at + 4], "little")
        if not checked or masked(crc32c(memoryview(data)[at:], running)) != entry.checksum:
            raise DamageError("names objects that are not those that were saved: their check sum is wrong")
        return bytes(data[at + 4 :])

    def _shard_count(self) -> int:
        header = message(self._values.get(b"", memoryview(b"")), self._budget)
        count, minimum = integer(header, 1), integer(message(view(header, 3), self._budget), 2)
        if integer(header, 2) or minimum > 1:
            raise DamageError("is of a later version of TensorFlow, or of a machine with another order of bytes")
        if not 1 <= count <= _MOST_SHARDS:
            raise DamageError(f"names {count} files of variables, where 1 to {_MOST_SHARDS} are read")
        return count

    def _shape(self, data: memoryview) -> Shape:
        shape: list[int] = []
        for number, value in fields(data, self._budget):
            if number != 2 or not isinstance(value, memoryview):
                raise DamageError("holds a variable without a shape")
            shape.append(integer(message(value, self._budget), 1))
            if len(shape) > _MOST_AXES:
                raise DamageError(f"holds a variable of more than {_MOST_AXES} axes")
        return tuple(shape)
