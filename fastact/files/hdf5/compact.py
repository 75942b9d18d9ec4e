"""Link messages, as groups of HDF5 1.8 and later have them in their headers or heaps.

HDF5 File Format Specification, IV.A.2.g.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .window import Window

__all__ = ["CompactLinks", "Link", "parse_link"]

_HAS_KIND, _HAS_ORDER, _HAS_CHARSET = 0x08, 0x04, 0x10
_HARD = 0


class Link(NamedTuple):
    """A name in a group, and the address of an object's header; None where the link leads elsewhere."""

    name: bytes
    address: int | None


class CompactLinks:
    """Links in a group's header, a few."""

    def __init__(self, window: Window, bodies: Sequence[bytes]) -> None:
        self._links = {link.name: link for link in (parse_link(window, body) for body in bodies)}
        if len(self._links) != len(bodies):
            raise window.damaged("a group in it has two links of one name")

    def find(self, name: bytes) -> Link | None:
        """See `groups.Links.find`."""
        return self._links.get(name)

    def names(self, most: int) -> list[bytes]:
        """See `groups.Links.names`; sorted."""
        return sorted(self._links)[:most]


def parse_link(window: Window, body: bytes) -> Link:
    """Parse a link message.

    Raises:
        FileError: it is none.
        struct.error: it is cut short.
    """
    version, flags = body[:2]
    if version != 1:
        raise window.damaged("a link in it has an unknown version")
    kind, at = (body[2], 3) if flags & _HAS_KIND else (_HARD, 2)
    at += (8 if flags & _HAS_ORDER else 0) + (1 if flags & _HAS_CHARSET else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(body[at : at + width], "little")
    at += width
    name = body[at : at + size]
    if len(name) != size or not name:
        raise window.damaged("the name of a link in it is longer than the link")
    if kind != _HARD:
        return Link(name, None)
    (address,) = window.struct("A").unpack_from(body, at + size)
    return Link(name, address)
