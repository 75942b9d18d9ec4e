"""Dataspaces and datatypes: the shape of an array, and what each of its numbers is.

HDF5 File Format Specification, IV.A.2.b and d. Of datatypes, those that Keras stores are told apart exactly; the
others have names, for messages.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from .headers import SHARED, Message
from .window import Window

__all__ = ["Datatype", "Space", "parse_space", "parse_type"]

_MAX_RANK = 32
_INTEGER, _FLOAT, _STRING, _OPAQUE, _VARIABLE = 0, 1, 3, 5, 9

_NAMES = {
    2: "times",
    _STRING: "text",
    4: "bit fields",
    _OPAQUE: "opaque bytes",
    6: "records",
    7: "references",
    8: "an enumeration",
    _VARIABLE: "lists of varying length",
    10: "arrays",
    11: "complex numbers",
}

_PROPERTIES = struct.Struct("<HHBBBBI")
_IMPLIED = 2
"""How the highest bit of the mantissa is kept: not at all, since it is always 1."""

# Size in bytes, place of the sign; first bit and number of bits of all, of the exponent, of the mantissa; bias.
_FLOATS = {
    (2, 15, 0, 16, 10, 5, 0, 10, 15): "float16",
    (2, 15, 0, 16, 7, 8, 0, 7, 127): "bfloat16",
    (4, 31, 0, 32, 23, 8, 0, 23, 127): "float32",
    (8, 63, 0, 64, 52, 11, 0, 52, 1023): "float64",
}


class Space(NamedTuple):
    """The shape of an array; None for one that holds nothing, not even a scalar."""

    shape: tuple[int, ...] | None
    can_grow: bool
    """Whether the largest shape is another than the present one."""


class Datatype(NamedTuple):
    """What one element of an array is."""

    name: str
    """``"float32"``, ``"integer"``, ``"text"`` (of fixed length), ``"variable text"``, ``"opaque bytes"``, or words."""
    size: int
    """Bytes of one element in the array itself."""
    byte_order: str
    """``"<"`` or ``">"``."""
    padding: int
    """Of text: 0 for up to the first zero byte, 1 for zeros at the end, 2 for blanks at the end."""


def parse_space(window: Window, body: bytes) -> Space:
    """Parse a dataspace message.

    Raises:
        FileError: it is none.
        struct.error: it is cut short.
    """
    version, rank, flags, kind = struct.unpack_from("<BBBB", body)
    if version not in (1, 2) or rank > _MAX_RANK:
        raise window.damaged("the shape of an array in it is none")
    if version == 2 and kind == 2:
        return Space(None, False)
    lengths = window.struct("L" * rank)
    start = 8 if version == 1 else 4
    shape = lengths.unpack_from(body, start)
    most = lengths.unpack_from(body, start + lengths.size) if flags & 1 else shape
    return Space(shape, most != shape)


def parse_type(window: Window, message: Message) -> Datatype:
    """Parse a datatype message.

    Raises:
        FileError: it is none.
        struct.error: it is cut short.
    """
    if message.flags & SHARED:
        return Datatype("a type of the user's", 0, "<", 0)
    body = message.body
    first, bits, sign, _, size = struct.unpack_from("<BBBBI", body)
    version, kind = first >> 4, first & 15
    if version not in (1, 2, 3, 4, 5):
        raise window.damaged("the type of an array in it is none")
    order = ">" if bits & 1 else "<"
    if kind == _INTEGER:
        return Datatype("integer", size, order, 0)
    if kind == _FLOAT:
        name = "" if bits & 0x40 or bits >> 4 & 3 != _IMPLIED else _float_name(size, sign, body)
        return Datatype(name or f"floating-point numbers of {8 * size} bits in an unusual format", size, order, 0)
    if kind == _VARIABLE and bits & 15 == 1:
        return Datatype("variable text", size, order, bits >> 4)
    return Datatype(_NAMES.get(kind, "an unknown type"), size, order, bits & 15 if kind == _STRING else 0)


def _float_name(size: int, sign: int, body: bytes) -> str:
    offset, precision, exponent, exponent_bits, mantissa, mantissa_bits, bias = _PROPERTIES.unpack_from(body, 8)
    key = (size, sign, offset, precision, exponent, exponent_bits, mantissa, mantissa_bits, bias)
    return _FLOATS.get(key, "")
