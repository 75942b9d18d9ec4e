"""Changes to a small SavedModel that make it attack its reader, and what is to become of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tf_files
from hostile import read
from tf_files import Files, block, entry, key, shape, table, varint

from fastact.errors import FileError, UnsupportedError

Change = Callable[[Files], object]

KERNEL, BIAS = key("conv/kernel"), key("conv/bias")


def refused(path: Path, words: str) -> None:
    start = time.process_time()
    with pytest.raises((FileError, UnsupportedError), match=words) as caught:
        read(path)
    assert time.process_time() - start < 20
    sentence = str(caught.value)
    assert str(path)[:80] in sentence  # a long path is cut
    assert "\n" not in sentence
    assert not sentence.endswith(".")


def with_index(make: Callable[[dict[str, bytes]], bytes]) -> Change:
    return lambda files: setattr(files, "index", make)


def with_node(place: int, value: bytes) -> Change:
    return lambda files: files.nodes.__setitem__(place, value)


def with_record(number: int, content: Any) -> Change:
    return lambda files: files.records.__setitem__(number, content)


def with_entry(name: str, value: bytes) -> Change:
    return lambda files: files.entries.__setitem__(name, value)


def root(**changes: Any) -> Change:
    return lambda files: files.records[0].update(changes)


def ordered(entries: dict[str, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), entries[name]) for name in sorted(entries)]


def patched(at: int, data: bytes) -> Callable[[dict[str, bytes]], bytes]:
    """The index with bytes changed at a place, from the end if negative."""

    def make(entries: dict[str, bytes]) -> bytes:
        whole = bytearray(tf_files.plain_index(entries))
        at_start = at % len(whole)
        whole[at_start : at_start + len(data)] = data
        return bytes(whole)

    return make


def twice(entries: dict[str, bytes]) -> bytes:
    one = block(ordered(entries))
    return table(one, handles=[(0, len(one))] * 2)


def raw_entry(shared: int, own: int, size: int, rest: bytes = b"") -> bytes:
    return table(varint(shared) + varint(own) + varint(size) + rest + bytes(4) + b"\1\0\0\0")


def many_keys(_: dict[str, bytes]) -> bytes:
    return table(block((f"{i:08}".encode(), b"") for i in range(100_001)))


def long_keys(_: dict[str, bytes]) -> bytes:
    """Few bytes in the file, by what each key shares with the one before."""
    return table(block((b"k" * 4080 + f"{i:06}".encode(), b"") for i in range(5000)))


def kernel(dtype: int = 1, of: bytes = shape(3, 3, 3, 4), start: int = 0, size: int = 432, shard: int = 0) -> Change:
    return with_entry(KERNEL, entry(dtype, of, start, size, 0, shard))
