"""Object headers, versions 1 and 2: the messages that say what an object is.

HDF5 File Format Specification, IV.A. A header's first block can be continued anywhere:

    header ──► message, message, continuation ──► block ──► message, continuation ──► ...
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from .window import Window

__all__ = [
    "ATTRIBUTE",
    "ATTRIBUTE_INFO",
    "DATASPACE",
    "DATATYPE",
    "DRIVER",
    "EXTERNAL_FILES",
    "FILTERS",
    "LAYOUT",
    "LINK",
    "LINK_INFO",
    "METADATA_CACHE_IMAGE",
    "SHARED",
    "SYMBOL_TABLE",
    "Header",
    "Message",
    "read_header",
]

DATASPACE, LINK_INFO, DATATYPE, LINK = 0x01, 0x02, 0x03, 0x06
EXTERNAL_FILES, LAYOUT, FILTERS = 0x07, 0x08, 0x0B
ATTRIBUTE, SYMBOL_TABLE, DRIVER, ATTRIBUTE_INFO = 0x0C, 0x11, 0x14, 0x15
METADATA_CACHE_IMAGE = 0x18
_CONTINUATION = 0x10
_LAST_KIND = 0x18

SHARED = 0x02
"""A flag: the message's body is elsewhere."""
_FAIL_IF_UNKNOWN = 0x80

_MAX_BYTES = 2**23
_MAX_BLOCKS = 4096
_MAX_MESSAGES = 2**14

_MESSAGE_1 = struct.Struct("<HHB3x")
_MESSAGE_2 = struct.Struct("<BHB")
_MESSAGE_2_ORDERED = struct.Struct("<BHB2x")
_PREFIX_1 = 16
_FIRST, _CONTINUED = b"OHDR", b"OCHK"
_HAS_ORDER, _HAS_PHASES, _HAS_TIMES = 0x04, 0x10, 0x20
_CHECKSUM = 4


class Message(NamedTuple):
    """One message of a header."""

    kind: int
    flags: int
    body: bytes
    address: int
    """Of its body."""


class Header(NamedTuple):
    """A header's messages, and where it is."""

    address: int
    messages: tuple[Message, ...]

    def bodies(self, kind: int) -> Iterator[Message]:
        """Yield the messages of one kind."""
        return (message for message in self.messages if message.kind == kind)

    def first(self, kind: int) -> Message | None:
        """Return the first message of one kind; None where there is none."""
        for message in self.messages:
            if message.kind == kind:
                return message
        return None


def read_header(window: Window, address: int) -> Header:
    """Read all messages of the object whose header is at an address.

    Raises:
        FileError: no header is there, it is damaged or far larger than Keras's, or holds what must be understood and
            is not.
    """
    prefix = window.read(address, _PREFIX_1)
    is_new = prefix[:4] == _FIRST
    start, size, fields = _first_block_2(window, address, prefix) if is_new else _first_block_1(window, prefix)
    blocks = [(address, start, size)]
    left = _MAX_BYTES - size
    messages: list[Message] = []
    for number in range(_MAX_BLOCKS):
        if number == len(blocks):
            return Header(address, tuple(messages))
        for message in _in_block(window, *blocks[number], fields, is_new):
            if message.kind == _CONTINUATION:
                place, size = window.struct("AL").unpack_from(message.body)
                left -= size
                blocks.append((place, len(_CONTINUED) if is_new else 0, size))
            else:
                messages.append(message)
        if left < 0 or len(messages) > _MAX_MESSAGES:
            break
    raise window.problem("is not safe to read: the header of an object in it is far larger than Keras writes")


def _first_block_1(window: Window, prefix: bytes) -> tuple[int, int, struct.Struct]:
    """Return where the messages begin, how long the block is, and what leads each message."""
    if prefix[0] != 1:
        raise window.damaged("the header of an object is not where it should be")
    return _PREFIX_1, _PREFIX_1 + int.from_bytes(prefix[8:12], "little"), _MESSAGE_1


def _first_block_2(window: Window, address: int, prefix: bytes) -> tuple[int, int, struct.Struct]:
    version, flags = prefix[4:6]
    if version != 2:
        raise window.damaged("the header of an object has an unknown version")
    start = 6 + (16 if flags & _HAS_TIMES else 0) + (4 if flags & _HAS_PHASES else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(window.read(address + start, width), "little")
    start += width
    return start, start + size + _CHECKSUM, _MESSAGE_2_ORDERED if flags & _HAS_ORDER else _MESSAGE_2


def _in_block(
    window: Window, address: int, start: int, size: int, fields: struct.Struct, is_new: bool
) -> Iterator[Message]:
    """Yield the messages of a block that has something else up to `start`, and a checksum at its end if it is new."""
    if is_new:
        block = window.read_sound(address, size, "the header of an object")[:-_CHECKSUM]
        if block[:4] not in (_FIRST, _CONTINUED):
            raise window.damaged("the header of an object is not where it should be")
    else:
        block = window.read(address, size)
    position = start
    while position + fields.size <= len(block):  # what is left at the end is a gap
        kind, size, flags = fields.unpack_from(block, position)
        position += fields.size
        if position + size > len(block):
            raise window.damaged("a message in the header of an object is longer than the header")
        if kind > _LAST_KIND and flags & _FAIL_IF_UNKNOWN:
            raise window.problem(
                f"cannot be read: it holds something that no version of Keras writes (message {kind}); load it with "
                "Keras and save it again"
            )
        yield Message(kind, flags, block[position : position + size], address + position)
        position += size
