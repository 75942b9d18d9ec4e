"""Protocol buffers' wire format, as much of it as the messages of a SavedModel need, read strictly.

A message is a row of fields: a varint with the field's number and how it is written, then the value. Only varints,
4 and 8 plain bytes, and length-prefixed bytes are read: groups, which nothing has written for twenty years, and
whatever else cannot be told apart from damage are refused. A nested message is a view of the bytes around it, so
nothing is copied and nothing recurses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from .tf_crc import Bytes

__all__ = [
    "Budget",
    "DamageError",
    "Message",
    "Value",
    "fields",
    "integer",
    "message",
    "sections",
    "text",
    "varint",
    "view",
]

Value: TypeAlias = "int | memoryview"
Message: TypeAlias = "Mapping[int, list[Value]]"

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_MOST_IN_A_MESSAGE = 1000
_LONGEST_HEAD = 20
"""The bytes of two varints: a field's number, and its length."""


class DamageError(ValueError):
    """Says what is wrong with bytes, as the rest of a sentence ("ends in the middle of a field")."""


class Budget:
    """How many fields may still be read, over all messages of a file: bounds the time that a file can take."""

    def __init__(self, most: int) -> None:
        """Allow `most` fields."""
        self._most = most
        self._spent = 0

    def spend(self) -> None:
        """Count a field.

        Raises:
            DamageError: it is one too many.
        """
        self._spent += 1
        if self._spent > self._most:
            raise DamageError(f"has more than the {self._most} fields that are read")


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """Read an unsigned integer of seven bits a byte at `at`; return it and where it ends.

    Raises:
        DamageError: the bytes end first, or it needs more than 64 bits.
    """
    value = shift = 0
    while True:
        if at >= len(data):
            raise DamageError("ends in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise DamageError("holds a number of more than 64 bits")
    if value >> 64:
        raise DamageError("holds a number of more than 64 bits")
    return value, at


def fields(data: memoryview, budget: Budget) -> Iterator[tuple[int, Value]]:
    """Yield the number and the value of every field, in the order written.

    Raises:
        DamageError: the bytes are no message, or the budget is spent.
    """
    at, end = 0, len(data)
    while at < end:
        budget.spend()
        number, wire, at = _tag(data, at)
        if wire == _VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        start, at = _extent(data, at, wire)
        if at > end:
            raise DamageError("has a field that is longer than what holds it")
        yield number, data[start:at] if wire == _BYTES else int.from_bytes(data[start:at], "little")


def sections(descriptor: int, start: int, end: int, budget: Budget) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the length-prefixed fields of a message in a file, without reading them.

    Raises:
        DamageError: as `fields`.
    """
    at = start
    while at < end:
        budget.spend()
        head = os.pread(descriptor, min(_LONGEST_HEAD, end - at), at)
        number, wire, after = _tag(head, 0)
        if wire == _VARINT:
            _, after = varint(head, after)
            at += after
            continue
        first, after = _extent(head, after, wire)
        if at + after > end:
            raise DamageError("has a field that is longer than what holds it")
        if wire == _BYTES:
            yield number, at + first, at + after
        at += after


def _tag(data: Bytes, at: int) -> tuple[int, int, int]:
    key, at = varint(data, at)
    if not 0 < key >> 3 < 2**29:
        raise DamageError("has a field whose number no message can have")
    return key >> 3, key & 7, at


def _extent(data: Bytes, at: int, wire: int) -> tuple[int, int]:
    """Where a value that is no varint starts and ends; it may end behind the data."""
    if wire == _BYTES:
        length, at = varint(data, at)
        return at, at + length
    if wire == _EIGHT:
        return at, at + 8
    if wire == _FOUR:
        return at, at + 4
    raise DamageError("has a field that is written in no way that is still in use")


def message(data: memoryview, budget: Budget) -> Message:
    """Every field's values by its number: for messages that are short.

    Raises:
        DamageError: as `fields`, or more than a thousand fields.
    """
    found: dict[int, list[Value]] = {}
    for count, (number, value) in enumerate(fields(data, budget)):
        if count >= _MOST_IN_A_MESSAGE:
            raise DamageError(f"has a message of more than {_MOST_IN_A_MESSAGE} fields")
        found.setdefault(number, []).append(value)
    return found


def integer(of: Message, number: int, most: int = 2**63 - 1) -> int:
    """The value of a field that is there once or, being 0, not at all.

    Raises:
        DamageError: twice, not an integer, negative or above `most`.
    """
    value = _single(of, number)
    if value is None:
        return 0
    if not isinstance(value, int):
        raise DamageError("has bytes where a number belongs")
    if value > most:
        raise DamageError(f"holds the number {value - 2**64 if value >> 63 else value}, which is out of range")
    return value


def view(of: Message, number: int) -> memoryview:
    """The bytes of a field that is there once, or, being empty, not at all.

    Raises:
        DamageError: twice, or not bytes.
    """
    value = _single(of, number)
    if value is None:
        return memoryview(b"")
    if not isinstance(value, memoryview):
        raise DamageError("has a number where bytes belong")
    return value


def text(value: Value, most: int) -> str:
    """A string of at most `most` bytes.

    Raises:
        DamageError: longer, or not UTF-8.
    """
    if not isinstance(value, memoryview):
        raise DamageError("has a number where text belongs")
    if len(value) > most:
        raise DamageError(f"holds a name of {len(value)} bytes, more than the {most} that are read")
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise DamageError("holds text that is not UTF-8") from None


def _single(of: Message, number: int) -> Value | None:
    values = of.get(number, [])
    if len(values) > 1:
        raise DamageError("has a field twice that belongs there once")
    return values[0] if values else None
