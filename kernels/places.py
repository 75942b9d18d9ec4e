"""Where values lie: regions of memory, whose addresses are known when a program runs, and offsets into them."""

from __future__ import annotations

from . import ops
from .records import dataclass


@dataclass(frozen=True)
class Place:
    """`offset` bytes into region number `region`."""

    region: int
    offset: int = 0

    def __add__(self, offset: int) -> Place:
        return Place(self.region, self.offset + offset)


@dataclass(frozen=True)
class Buffer:
    """Where an input or output of an operation lies, and its shape."""

    place: Place
    shape: ops.Shape
