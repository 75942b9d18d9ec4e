"""The global heap: strings of variable length, each in a collection under a number.

HDF5 File Format Specification, III.E.
"""

from __future__ import annotations

from .window import Window

__all__ = ["GlobalHeap"]

_MAX_OBJECTS = 2**16
_MAX_REMEMBERED = 2**17


class GlobalHeap:
    """Looks objects up by the address of their collection and their number."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._collections: dict[int, dict[int, tuple[int, int]]] = {}

    def place(self, collection: int, number: int) -> tuple[int, int] | None:
        """Return address and size of an object; None where the collection has none of that number.

        Raises:
            FileError: the collection is damaged.
        """
        if collection not in self._collections:
            found = self._read(collection)
            if sum(map(len, self._collections.values())) + len(found) > _MAX_REMEMBERED:
                self._collections.clear()
            self._collections[collection] = found
        return self._collections[collection].get(number)

    def _read(self, address: int) -> dict[int, tuple[int, int]]:
        window = self._window
        head = window.struct("4sB3xL")
        signature, version, size = head.unpack(window.read(address, head.size))
        if signature != b"GCOL" or version != 1:
            raise self._damaged()
        fields = window.struct("HH4xL")
        end = address + size
        position = address + _aligned(head.size)
        found: dict[int, tuple[int, int]] = {}
        while position + fields.size <= end:
            number, _, size = fields.unpack(window.read(position, fields.size))
            if number == 0:  # the free space, to the end
                if position + size != end:
                    raise self._damaged()
                break
            start = position + _aligned(fields.size)
            if number in found or len(found) >= _MAX_OBJECTS or start + size > end:
                raise self._damaged()
            found[number] = start, size
            position = start + _aligned(size)
        return found

    def _damaged(self) -> Exception:
        return self._window.damaged("the strings' heap is damaged")


def _aligned(size: int) -> int:
    return -(-size // 8) * 8
