"""What a wheel is given: a shared library of every level, what it exports and needs, and whether it loads."""

from __future__ import annotations

import importlib.util
import logging
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fastact.kernels.cpu import build, levels, library
from fastact.kernels.cpu.levels import LEVELS

LARGEST = 300_000
"""Bytes a shared library may have: three of them are a wheel's native code."""
needs_zig = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="only ziglang links for machines other than this one"
)


@pytest.fixture(scope="module")
def shared_libraries(tmp_path_factory) -> dict[str, Path]:
    """What a wheel is given: a shared library of every level."""
    folder = tmp_path_factory.mktemp("shipped")
    command = [sys.executable, "-m", "fastact.kernels.cpu.ship", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert made.returncode == 0, made.stderr
    return {name: next(folder.glob(f"{name}-{level.registers}-*.so")) for name, level in LEVELS.items()}


@dataclass(frozen=True)
class Symbol:
    name: str
    defined: bool
    weak: bool


def dynamic_symbols(path: Path) -> Iterator[Symbol]:
    """The dynamic symbols of a 64-bit little-endian ELF file."""
    body = path.read_bytes()
    assert body[:6] == b"\x7fELF\x02\x01"
    (start,) = struct.unpack_from("<Q", body, 40)
    size, count = struct.unpack_from("<HH", body, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", body, start + i * size) for i in range(count)]
    (table,) = [s for s in sections if s[1] == 11]  # SHT_DYNSYM
    offset, length, strings = table[4], table[5], sections[table[6]][4]
    for at in range(offset + 24, offset + length, 24):  # the first is empty
        name, info, _, section = struct.unpack_from("<IBBH", body, at)
        text = body[strings + name : body.index(b"\0", strings + name)].decode()
        yield Symbol(text, section != 0, info >> 4 == 2)


C_LIBRARY = {"erf", "erfc", "exp", "expm1", "log", "log1p", "memcpy", "memmove", "memset", "pow", "tanh"}


@needs_zig
@pytest.mark.parametrize("level", LEVELS)
def test_a_level_links_and_exports_its_kernels(shared_libraries, level: str) -> None:
    from fastact.kernels.cpu.catalog import ENTRIES, kernels

    path = shared_libraries[level]
    symbols = list(dynamic_symbols(path))
    exported = {s.name for s in symbols if s.defined and s.name.startswith("fastact_")}
    assert exported == {*ENTRIES, *(build.PREFIX + name for name in kernels(LEVELS[level].registers))}
    needed = {s.name for s in symbols if not s.defined and not s.weak}
    assert "erfc" in needed
    assert needed <= C_LIBRARY, "nothing of Python's, and no fma that is not an instruction"
    assert path.stat().st_size < LARGEST
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", path.read_bytes())
    assert max((int(a), int(b)) for a, b in versions) <= (2, 17), "it runs where glibc is old"


@needs_zig
def test_libraries_are_for_their_machine(shared_libraries) -> None:
    machines = {level: struct.unpack_from("<H", path.read_bytes(), 18)[0] for level, path in shared_libraries.items()}
    assert machines == {name: {"x86_64": 62, "aarch64": 183}[level.machine] for name, level in LEVELS.items()}


@needs_zig
@pytest.mark.parametrize("level", levels.supported())
def test_every_level_of_this_machine_loads(shared_libraries, level: str, caplog) -> None:
    caplog.set_level(logging.WARNING)
    loaded = library._open(level, LEVELS[level].registers, shared_libraries[level])
    assert loaded.kernel("f32_copy")
    assert all(callable(entry) for entry in (loaded.lead, loaded.work, loaded.stop))
