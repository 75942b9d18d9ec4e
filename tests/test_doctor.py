"""`fastact doctor`: what it says of this machine, of the kernels that are used and of those that are not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

import fastact
from fastact import cli
from fastact.kernels.cpu import levels, library, search
from fastact.kernels.cpu.levels import LEVELS

LEVEL = search.best_level()
STEM = f"{LEVEL}-{LEVELS[LEVEL].registers}"


@pytest.fixture
def doctor(monkeypatch, capsys):
    """Runs the command in this process; gives its exit status and lines."""

    def call() -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["fastact", "doctor"])
        status = cli._status()
        out, err = capsys.readouterr()
        assert err == ""
        return status, out.splitlines()

    return call


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with one good file in the cache, and nothing shipped: gives the file."""
    kernels = library.load().path
    library.load.cache_clear()
    monkeypatch.setattr(search, "SHIPPED", tmp_path / "lib")
    monkeypatch.setattr("fastact.cli.doctor.SHIPPED", tmp_path / "lib")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "fastact" / "kernels"
    cache.mkdir(mode=0o700, parents=True)
    good = cache / search.file_name(LEVEL, LEVELS[LEVEL].registers, kernels)
    shutil.copy(kernels, good)
    good.chmod(0o600)
    yield good
    library.load.cache_clear()


def test_a_good_machine(doctor, machine: Path) -> None:
    status, lines = doctor()
    assert status == 0
    assert lines[0].startswith(f"fastact {fastact.__version__}, Python ")
    assert lines[1].startswith("CPU: ")
    assert f"{os.cpu_count()} cores; kernels it can run: {', '.join(levels.supported())}" in lines[1]
    for name in set(LEVELS) - set(levels.supported()):
        assert any(line.startswith(f"  not {name}: it needs {LEVELS[name].machine} with ") for line in lines)
    assert f"cache: {machine.parent}" in lines
    assert f"kernels: {LEVEL} from {machine} (cache)" in lines
    assert not [line for line in lines if line.startswith(f"  not {machine.parent}")]


def test_a_shipped_library(doctor, machine: Path) -> None:
    search.SHIPPED.mkdir()
    shipped = shutil.copy(machine, search.SHIPPED)
    _, lines = doctor()
    assert f"kernels: {LEVEL} from {shipped} (shipped)" in lines


def test_every_refusal_is_given_with_its_reason(doctor, machine: Path) -> None:
    search.SHIPPED.mkdir()
    source, compiler = search.source_hash(), search.compiler_hash()
    refused = {
        search.SHIPPED / f"{STEM}-0123456789abcdef-{compiler}-0.so": "it was made from another version of the kernels'",
        search.SHIPPED / f"{STEM}-{source}-{compiler}-0123456789abcdef.so": "it is damaged",
        machine.parent / f"{STEM}-{source}-01234567-0.so": "it was made from another version of the compiler",
    }
    for path in refused:
        path.write_bytes(machine.read_bytes())
        path.chmod(0o600)
    folder = machine.parent / f"{STEM}-{source}-{compiler}-0.so"
    folder.mkdir(mode=0o700)
    status, lines = doctor()
    assert status == 0
    for path, reason in refused.items():
        origin = "shipped" if path.parent == search.SHIPPED else "cache"
        assert any(line.startswith(f"  not {path} ({origin}): {reason}") for line in lines), lines
    assert f"  not {folder} (cache): it cannot be read (Is a directory)" in lines
    assert f"kernels: {LEVEL} from {machine} (cache)" in lines


def test_libraries_of_other_versions_are_counted(doctor, machine: Path) -> None:
    stale = [machine.parent / f"{STEM}-{number:016x}-01234567-0.so" for number in range(3)]
    for path in stale:
        path.write_bytes(machine.read_bytes())
    _, lines = doctor()
    (line,) = (line for line in lines if "another version" in line)
    assert line.startswith(
        f"  not {stale[0]} (cache) and 2 more there: it was made from another version of the kernels'"
    )


def test_a_cpu_that_is_too_old(doctor, machine: Path, monkeypatch) -> None:
    monkeypatch.setattr(levels, "_features", dict)
    status, lines = doctor()
    assert status == 2
    assert any(line.endswith("; kernels it can run: none") for line in lines)
    assert sum(line.startswith("  not ") for line in lines) == len(LEVELS)
    assert any(line.startswith("kernels: none: fastact has no kernels for this CPU (") for line in lines)


def test_neither_kernels_nor_numba(doctor, machine: Path, monkeypatch) -> None:
    machine.unlink()
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in ("numba", "ziglang") else real(n, *a))
    status, lines = doctor()
    assert status == 2
    (kernels,) = [line for line in lines if line.startswith("kernels: ")]
    assert kernels.startswith(f"kernels: none: no compiled kernels for {LEVEL} are at hand, and Numba")
    assert kernels.endswith("pip install 'fastact[jit]'")
    assert "numba is not installed: compiles kernels where none are at hand (extra jit)" in lines
    assert "ziglang is not installed: links them where there is no C compiler" in lines


def test_no_account_of_the_cpu(doctor, machine: Path, monkeypatch) -> None:
    """A sandbox may have no /proc."""

    def closed(path, *_, **__):
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr("fastact.cli.doctor.open", closed, raising=False)
    status, lines = doctor()
    assert status == 0
    assert lines[1].startswith("CPU: ")
