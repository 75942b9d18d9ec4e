"""JSON from an untrusted file, with bounds on size, depth, number of values and numbers.

The bounds are checked on the text before it is parsed: Python's parser recurses once a level, and builds up
to a hundred bytes of objects for each byte of text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "JsonError", "parse"]

MAX_BYTES = 16 * 2**20
"""The largest configurations of keras.applications are about 1 MB."""
MAX_DEPTH = 100
"""A model nested in a model adds four levels."""
MAX_VALUES = 1_000_000
_MAX_DIGITS = 32

# A string to its end (or to the end of the text), or one structural character. It never backtracks.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonError(ValueError):
    """Says what is wrong with a JSON text, as the rest of a sentence ("is nested more than 100 deep")."""


def parse(text: bytes) -> Any:
    """Parse UTF-8 JSON.

    Raises:
        JsonError: not JSON, not UTF-8, beyond a bound, with a key twice in one object, with NaN, an infinity,
            an integer of more than 32 digits, or half of a surrogate pair.
    """
    if len(text) > MAX_BYTES:
        raise JsonError(f"has {len(text)} bytes, more than the {MAX_BYTES} that are read")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise JsonError("is not UTF-8 text") from None
    _check_bounds(decoded)
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short_integer,
        )
    except JsonError:
        raise
    except (ValueError, RecursionError):
        raise JsonError("is not valid JSON") from None
    if _SURROGATE.search(decoded):
        _check_surrogates(value)
    return value


def _check_bounds(text: str) -> None:
    depth = values = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == '"':
            continue
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError(f"is nested more than {MAX_DEPTH} deep")
        elif first in "]}":
            depth -= 1
            continue
        values += 1
        if values > MAX_VALUES:
            raise JsonError(f"holds more than {MAX_VALUES} values")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonError("has an object with the same key twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"holds {name}, which is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonError("holds a number too large for a float")
    return value


def _short_integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise JsonError(f"holds an integer of more than {_MAX_DIGITS} digits")
    return int(text)


def _check_surrogates(value: Any) -> None:
    """Refuse strings that no UTF-8 output could show."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                raise JsonError("holds half of a surrogate pair") from None
