"""Attributes of an object, by name, and the strings in them.

HDF5 File Format Specification, IV.A.2.m and v.
"""

from __future__ import annotations

import math
import struct

from ...kernels.records import dataclass
from .headers import ATTRIBUTE, ATTRIBUTE_INFO, DATASPACE, DATATYPE, SHARED, Header, Message
from .heap import GlobalHeap
from .types import Datatype, parse_space, parse_type
from .window import Window

__all__ = ["Attribute", "Attributes"]

_TYPE_IS_SHARED, _SPACE_IS_SHARED = 0x01, 0x02
_TO_ZERO, _ZEROS, _BLANKS = 0, 1, 2


@dataclass(frozen=True)
class Attribute:
    """One attribute, not yet read."""

    window: Window
    name: str
    shape: tuple[int, ...] | None
    """None where it holds nothing."""
    type: Datatype
    data: bytes

    @property
    def count(self) -> int:
        """How many elements it has."""
        return 0 if self.shape is None else math.prod(self.shape)

    @property
    def is_text(self) -> bool:
        """Whether it holds strings."""
        return self.type.name in ("text", "variable text")

    def strings(self, heap: GlobalHeap, most: int) -> list[bytes] | None:
        """Return its strings; None where all of them together have more than `most` bytes.

        Raises:
            FileError: they are not where they should be.
        """
        if len(self.data) < self.count * self.type.size:
            raise self.window.damaged(f"the attribute {self.name} is shorter than it says")
        if self.type.name == "text":
            return None if self.count * self.type.size > most else self._fixed()
        places = self._places(heap)
        if sum(size for _, size in places) > most:
            return None
        return [self.window.data(*place).rstrip(b"\0") if place[1] else b"" for place in places]

    def _fixed(self) -> list[bytes]:
        size = self.type.size
        found = [self.data[at : at + size] for at in range(0, self.count * size, size)] if size else []
        if self.type.padding == _TO_ZERO:
            return [one.partition(b"\0")[0] for one in found]
        return [one.rstrip(b" " if self.type.padding == _BLANKS else b"\0") for one in found]

    def _places(self, heap: GlobalHeap) -> list[tuple[int, int]]:
        """Where every string is, and how long; a length that is not the heap's own is refused."""
        reference = self.window.struct("IAI")
        if self.type.size != reference.size:
            raise self.window.damaged(f"the attribute {self.name} is shorter than it says")
        places = []
        for size, collection, number in reference.iter_unpack(self.data[: self.count * reference.size]):
            place = heap.place(collection, number) if collection else (0, 0)
            if place is None or (collection and place[1] != size):
                raise self.window.damaged(f"a string of the attribute {self.name} is not where it should be")
            places.append(place)
        return places


class Attributes:
    """The attributes of one object."""

    def __init__(self, window: Window, header: Header) -> None:
        self._window = window
        self._info = header.first(ATTRIBUTE_INFO)
        self._bodies: dict[bytes, bytes] = {}
        for message in header.bodies(ATTRIBUTE):
            name = self._name(message)
            if name in self._bodies:
                raise window.damaged("an object in it has two attributes of one name")
            self._bodies[name] = message.body

    def find(self, name: str) -> Attribute | None:
        """Return the attribute of that name; None where there is none.

        Raises:
            FileError: it is damaged, or the attributes are stored in a way that Keras does not use.
            struct.error: a message is cut short.
        """
        self._refuse_heap()
        body = self._bodies.get(name.encode())
        if body is None:
            return None
        start, name_size, type_size, space_size, step = _sizes(body)
        shared = body[1] if body[0] > 1 else 0
        type_at = start + _aligned(name_size, step)
        space_at = type_at + _aligned(type_size, step)
        data_at = space_at + _aligned(space_size, step)
        if data_at > len(body) or shared & _SPACE_IS_SHARED:
            raise self._window.damaged("an attribute is shorter than it says")
        kind = Message(DATATYPE, SHARED if shared & _TYPE_IS_SHARED else 0, body[type_at:space_at], 0)
        space = parse_space(self._window, Message(DATASPACE, 0, body[space_at:data_at], 0).body)
        return Attribute(self._window, name, space.shape, parse_type(self._window, kind), body[data_at:])

    def _name(self, message: Message) -> bytes:
        if message.flags & SHARED:
            raise self._window.problem(
                "cannot be read: objects in it share an attribute; load it with Keras and save it again"
            )
        if message.body[0] not in (1, 2, 3):
            raise self._window.damaged("an attribute has an unknown version")
        start, size, *_ = _sizes(message.body)
        return message.body[start : start + size].partition(b"\0")[0]

    def _refuse_heap(self) -> None:
        if self._info is None:
            return
        (heap,) = self._window.struct("A").unpack_from(self._info.body, 4 if self._info.body[1] & 1 else 2)
        if self._window.is_defined(heap):
            raise self._window.problem(
                "cannot be read: its attributes are in a fractal heap, where Keras has none; load it with Keras and "
                "save it again"
            )


def _sizes(body: bytes) -> tuple[int, int, int, int, int]:
    """Where an attribute's name begins; the sizes of name, type and space; and of what they are multiples."""
    version, _, name_size, type_size, space_size = struct.unpack_from("<BBHHH", body)
    return 9 if version == 3 else 8, name_size, type_size, space_size, 8 if version == 1 else 1


def _aligned(size: int, step: int) -> int:
    return -(-size // step) * step
