"""Groups and datasets: what an object's header makes of it."""

from __future__ import annotations

from functools import cached_property

from .attributes import Attributes
from .groups import Links, is_group, links_of
from .headers import DATASPACE, DATATYPE, LAYOUT, SHARED, Header, read_header
from .layout import Layout, layout_of
from .types import Datatype, Space, parse_space, parse_type
from .window import Window

__all__ = ["Dataset", "Group", "object_at"]


class _Object:
    def __init__(self, window: Window, header: Header) -> None:
        self._window = window
        self._header = header

    @cached_property
    def attributes(self) -> Attributes:
        """Its attributes."""
        return Attributes(self._window, self._header)


class Group(_Object):
    """A group: links to other objects by name."""

    @cached_property
    def links(self) -> Links:
        """Its links."""
        return links_of(self._window, self._header)


class Dataset(_Object):
    """A dataset: an array, somewhere."""

    @cached_property
    def space(self) -> Space:
        """Its shape."""
        message = self._header.first(DATASPACE)
        if message is None or message.flags & SHARED:
            raise self._window.damaged("an array in it has no shape")
        return parse_space(self._window, message.body)

    @cached_property
    def type(self) -> Datatype:
        """What its elements are."""
        message = self._header.first(DATATYPE)
        if message is None:
            raise self._window.damaged("an array in it has no type")
        return parse_type(self._window, message)

    @cached_property
    def layout(self) -> Layout:
        """How it is stored."""
        return layout_of(self._window, self._header)


def object_at(window: Window, address: int) -> Group | Dataset | None:
    """Return the object whose header is at an address; None where it is a type of the user's, or nothing known."""
    header = read_header(window, address)
    if is_group(header):
        return Group(window, header)
    if header.first(DATATYPE) is not None and header.first(LAYOUT) is not None:
        return Dataset(window, header)
    return None
