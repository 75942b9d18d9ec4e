"""TensorFlow's own operators in a TensorFlow Lite file: what their options say.

The converter writes an operator that TensorFlow Lite lacks as a custom one, ``FlexMaxPool3D``, whose options are a
FlexBuffer of two strings, the operator's name and its NodeDef, a protocol buffer. Only lists of integers and strings
among its attributes are read.

Formats: https://flatbuffers.dev/flatbuffers_internals (FlexBuffers),
https://protobuf.dev/programming-guides/encoding, tensorflow/core/framework/node_def.proto and attr_value.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["MOST_BYTES", "attributes"]

MOST_BYTES = 2**12
"""Longer options are not read."""

_ATTRIBUTE = 5
_KEY, _VALUE = 1, 2
_LIST, _TEXT = 1, 2
_NUMBERS = 3
_STRING_TYPES = (4, 5)  # FlexBuffers' key and string
_VECTOR = 10


def attributes(options: bytes) -> dict[str, str | tuple[int, ...]]:
    """The attributes of the operator that custom options describe; none where they are not what TensorFlow writes."""
    try:
        return dict(_of_node(_node(options)))
    except (IndexError, ValueError):
        return {}


def _node(options: bytes) -> bytes:
    """The second string of the vector that is the FlexBuffer's root."""
    width, packed = options[-1], options[-2]
    if packed >> 2 != _VECTOR or width not in (1, 2, 4):
        raise ValueError("no vector")
    place = len(options) - 2 - width
    start = place - _unsigned(options, place, width)
    wide = 1 << (packed & 3)
    if _unsigned(options, start - wide, wide) != 2:
        raise ValueError("not two items")
    item = start + wide
    kind = options[start + 2 * wide + 1]
    if kind >> 2 not in _STRING_TYPES:
        raise ValueError("no string")
    text = item - _unsigned(options, item, wide)
    size_width = 1 << (kind & 3)
    size = _unsigned(options, text - size_width, size_width)
    if text < 0 or text + size > len(options):
        raise ValueError("outside")
    return options[text : text + size]


def _unsigned(data: bytes, place: int, width: int) -> int:
    if place < 0 or place + width > len(data):
        raise ValueError("outside")
    return int.from_bytes(data[place : place + width], "little")


def _of_node(node: bytes) -> Iterator[tuple[str, str | tuple[int, ...]]]:
    for number, entry in _fields(node):
        if number != _ATTRIBUTE or not isinstance(entry, bytes):
            continue
        parts = dict(_fields(entry))
        key, value = parts.get(_KEY), parts.get(_VALUE)
        if not isinstance(key, bytes) or not isinstance(value, bytes):
            continue
        inner = dict(_fields(value))
        text, listed = inner.get(_TEXT), inner.get(_LIST)
        if isinstance(text, bytes):
            yield key.decode("ascii"), text.decode("ascii")
        elif isinstance(listed, bytes):
            yield key.decode("ascii"), tuple(_numbers(listed))


def _numbers(listed: bytes) -> Iterator[int]:
    for number, value in _fields(listed):
        if number == _NUMBERS and isinstance(value, int):
            yield value
        elif number == _NUMBERS and isinstance(value, bytes):
            place = 0
            while place < len(value):
                one, place = _varint(value, place)
                yield one


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer, those of fixed width left out."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        if tag & 7 == 0:
            value, place = _varint(message, place)
            yield tag >> 3, value
        elif tag & 7 == 2:
            size, place = _varint(message, place)
            if place + size > len(message):
                raise ValueError("outside")
            yield tag >> 3, message[place : place + size]
            place += size
        else:
            place += {1: 8, 5: 4}.get(tag & 7, len(message))


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("too long")
