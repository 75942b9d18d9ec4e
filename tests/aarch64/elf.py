"""What a shared library or object file says of itself: its machine and its symbols, read from the ELF header on.

For the tests alone: the tools that print this (readelf, nm) are not on every machine.
Source: Tool Interface Standard, Executable and Linking Format 1.2, in its 64-bit form, little-endian.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

MACHINES = {62: "x86_64", 183: "aarch64"}
_SYMTAB, _DYNAMIC, _DYNSYM = 2, 6, 11
_NEEDED = 1
_LOCAL = 0


@dataclass(frozen=True)
class Elf:
    """`exports` and `undefined` are names of symbols, `needed` of libraries, `glibc` the versions asked for."""

    machine: str
    exports: frozenset[str]
    undefined: frozenset[str]
    needed: frozenset[str]
    glibc: frozenset[tuple[int, ...]]


@dataclass(frozen=True)
class _Section:
    kind: int
    start: int
    size: int
    link: int
    entry: int


def read(path: Path) -> Elf:
    """Reads a little-endian 64-bit ELF file."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path} is no little-endian 64-bit ELF file")
    (machine,) = struct.unpack_from("<H", data, 18)
    sections = _sections(data)
    symbols = [s for s in sections if s.kind == _DYNSYM] or [s for s in sections if s.kind == _SYMTAB]
    exports, undefined = set(), set()
    for table in symbols:
        for at in range(table.start + table.entry, table.start + table.size, table.entry):  # the first is a null symbol
            name, info, _, section = struct.unpack_from("<IBBH", data, at)
            if info >> 4 != _LOCAL:
                (exports if section else undefined).add(_text(data, sections[table.link].start + name))
    needed = {
        _text(data, sections[table.link].start + value)
        for table in sections
        if table.kind == _DYNAMIC
        for tag, value in struct.iter_unpack("<qQ", data[table.start : table.start + table.size])
        if tag == _NEEDED
    }
    # A version asked for stands among the strings of the dynamic symbols, and nowhere else in a library of kernels.
    versions = {
        tuple(map(int, found.split(b".")))
        for table in symbols
        for strings in (sections[table.link],)
        for found in re.findall(rb"GLIBC_([\d.]+)\0", data[strings.start : strings.start + strings.size])
    }
    return Elf(MACHINES.get(machine, str(machine)), *map(frozenset, (exports, undefined, needed, versions)))


def _sections(data: bytes) -> list[_Section]:
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    made = []
    for i in range(count):
        fields = struct.unpack_from("<IIQQQQIIQQ", data, table + i * size)
        made.append(_Section(fields[1], fields[4], fields[5], fields[6], fields[9]))
    return made


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()
