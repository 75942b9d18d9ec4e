"""Changes that a fuzzer of bytes hardly finds: of words in their places, and of JSON as what it means."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from fuzz.targets import join, split
from hostile import mutated

Mutate = Callable[[bytes, int], bytes]
"""The fuzzer's own mutations: bytes and the most of them that may come out."""

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 2**31 - 1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.0, 1e-320, 1e308, "",
    "same", "valid", "causal", "channels_first", "relu", "linear", "hard_sigmoid", "float16", "_CONSTANT_VALUE", "a/b",
    [], {}, [None], [0, 0], [1, 1], [[1, 1], [1, 1]], [None, 8, 8, 3], [None, None, None, 3], [None, 5],
)  # fmt: skip


def of_configuration(data: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
    """A configuration with something changed in it; now and then its text as bytes."""
    if chance.random() < 0.05:
        return mutate(data, most)
    try:
        value = json.loads(data)
        text = json.dumps(changed(value, chance), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return mutate(data, most)
    return text if len(text) <= most else data


def of_file(data: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
    """A file with something changed, mostly in its place: offsets hold files together."""
    parts = split(data)
    if parts and chance.random() < 0.98:
        name = chance.choice(sorted(parts))
        room = most - len(data) + len(parts[name])
        return join({**parts, name: of_file(parts[name], max(room, 1), chance, mutate)})[:most]
    way = chance.random()
    if way < 0.2:
        return _with_json_changed(data, chance)[:most]
    if way < 0.6 and data:
        return mutated(data, chance)[:most]
    return mutate(data, most)


def changed(value: Any, chance: random.Random) -> Any:
    """JSON with one to three of its values replaced, moved, repeated or taken away."""
    result = copy.deepcopy(value)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        places = [p for p in _places(result) if p]
        if not places:
            return chance.choice(_VALUES)
        place = chance.choice(places)
        above = _at(result, place[:-1])
        key, way = place[-1], chance.randrange(8)
        if way == 0:
            del above[key]
        elif way == 1 and isinstance(above, list):
            above.insert(chance.randrange(len(above) + 1), copy.deepcopy(above[key]))
        elif way == 2:
            above[key] = [above[key]]
        elif way == 3 and isinstance(above[key], int) and not isinstance(above[key], bool):
            above[key] += chance.choice([-1, 1, 2, 7])
        elif way <= 5:
            above[key] = copy.deepcopy(_at(result, chance.choice(places)))
        else:
            above[key] = copy.deepcopy(chance.choice(_VALUES))
    return result


def crossed(one: bytes, other: bytes, most: int, chance: random.Random) -> bytes:
    """A configuration with a value of another's in it."""
    try:
        value, giver = json.loads(one), json.loads(other)
    except (ValueError, RecursionError):
        return one
    places, given = [p for p in _places(value) if p], [p for p in _places(giver) if p]
    if not places or not given:
        return one
    # An entry is most at home where the other's has the same key.
    place = chance.choice(places)
    alike = [p for p in given if p[-1] == place[-1]] if chance.random() < 0.8 else given
    _at(value, place[:-1])[place[-1]] = _at(giver, chance.choice(alike or given))
    text = json.dumps(value, separators=(",", ":")).encode()
    return text if len(text) <= most else one


def _with_json_changed(data: bytes, chance: random.Random) -> bytes:
    """The text of a configuration changed within a file, filled up with blanks to its length."""
    start = data.find(b'{"')
    end = start
    if start >= 0:
        try:
            value, length = json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))
            end = start + length
            text = json.dumps(changed(value, chance), separators=(",", ":")).encode("latin-1")
        except (ValueError, RecursionError):
            return mutated(data, chance) if data else data
        if len(text) <= end - start:
            return data[:start] + text.ljust(end - start) + data[end:]
    return mutated(data, chance) if data else data


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in _places(inner, (*path, key)))]


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value
