"""How PTX is found, refused and made: what a user's machine can do to it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fastact.kernels.cuda import search, ship
from fastact.kernels.cuda.build import TARGETS
from fastact.kernels.shelf import BuildError

ORIN = (8, 7)

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda, which compiles for GPUs, is of the extra cuda"
)

WRITE = "import sys; open(sys.argv[1], 'w').write('compiled')"
"""A program in place of the one that compiles."""


@dataclass
class Place:
    """Folders of a machine: what was shipped, and the user's cache."""

    shipped: Path
    cache: Path
    built: list[list[str]] = field(default_factory=list)

    def put(self, where: Path, target: tuple[int, int] = ORIN, body: bytes = b"archive", **parts: str) -> Path:
        """Writes a file under a name that fits it, or of which some parts do not."""
        hashes = {"source": search.source_hash(), "compiler": search.compiler_hash()}
        hashes["digest"] = hashlib.sha256(body).hexdigest()[:16]
        path = where / f"ptx-{target[0]}.{target[1]}-{'-'.join((hashes | parts).values())}.zip"
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(body)
        path.chmod(0o600)
        return path

    def refusals(self) -> dict[Path, str | None]:
        return {c.path: c.refusal for c in search.candidates(ORIN)}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Place:
    """A machine on which nothing was shipped or kept yet; its compiler writes an archive at once."""
    machine = Place(tmp_path / "ptx", tmp_path / "home" / "fastact" / "kernels")
    monkeypatch.setattr(search, "SHIPPED", machine.shipped)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def compiler(command, **given):
        machine.built.append(command)
        assert "NUMBA_ENABLE_CUDASIM" not in given["env"]
        made = Path(command[-1])
        made.write_bytes(b"made")
        made.chmod(0o664)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", compiler)
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    return machine


@pytest.mark.parametrize(
    ("capability", "taken"),
    [
        ((3, 5), None),
        ((5, 0), (5, 0)),
        ((5, 3), (5, 0)),
        ((6, 2), (5, 0)),
        ((7, 0), (5, 0)),
        ((7, 2), (7, 2)),
        ((7, 5), (7, 2)),
        ((8, 6), (7, 2)),
        ((8, 7), (8, 7)),
        ((8, 9), (8, 7)),
        ((9, 0), (9, 0)),
        ((12, 1), (9, 0)),
    ],
)
def test_a_gpu_takes_the_highest_target_it_reaches(capability, taken) -> None:
    assert search.target(capability) == taken


def test_a_gpu_that_is_too_old(place) -> None:
    with pytest.raises(BuildError, match=r"^there is no code for compute capability 3\.5, only from 5\.0 on$"):
        search.find((3, 5))
    assert not place.built


def test_what_was_shipped_comes_first_then_the_cache(place) -> None:
    cached, shipped = place.put(place.cache), place.put(place.shipped)
    place.put(place.shipped, (9, 0))
    assert search.find(ORIN) == shipped
    assert search.find((8, 9)) == shipped
    shipped.unlink()
    assert search.find(ORIN) == cached
    assert not place.built
    made = search.find((7, 2))
    assert made.name.startswith("ptx-7.2-")
    assert len(place.built) == 1


def test_what_is_made_is_kept_for_this_user_alone(place) -> None:
    before = os.umask(0o002)
    try:
        made = search.find(ORIN)
    finally:
        os.umask(before)
    assert made.parent == place.cache
    assert oct(made.stat().st_mode & 0o777) == "0o600"
    assert oct(place.cache.stat().st_mode & 0o777) == "0o700"
    assert list(place.cache.iterdir()) == [made]
    assert place.refusals() == {made: None}
    assert search.find(ORIN) == made
    (command,) = place.built
    assert command[1:4] == ["-m", "fastact.kernels.cuda.build", "8.7"]


def test_ptx_of_another_source_or_compiler_is_refused(place) -> None:
    stale = place.put(place.shipped, source="0" * 16), place.put(place.cache, compiler="0" * 8)
    assert place.refusals() == {
        stale[0]: "it was made from another version of the kernels' source",
        stale[1]: "it was made from another version of the compiler",
    }
    assert search.find(ORIN) not in stale
    shipped = place.put(place.shipped, compiler="0" * 8)
    assert search.find(ORIN) == shipped, "what was shipped is of whatever compiler made it"


def test_a_damaged_archive_is_made_anew(place) -> None:
    damaged = place.put(place.shipped), place.put(place.cache)
    for path in damaged:
        path.write_bytes(b"archivf")
    assert place.refusals() == dict.fromkeys(damaged, "it is damaged")
    made = search.find(ORIN)
    assert made not in damaged
    assert search.find(ORIN) == made
    assert len(place.built) == 1


def test_a_cache_that_others_can_write_to_is_refused(place, caplog) -> None:
    cached = place.put(place.cache)
    cached.chmod(0o620)
    assert place.refusals() == {cached: "others than this user can write to it"}
    cached.chmod(0o600)
    place.cache.chmod(0o770)
    made = search.find(ORIN)
    assert made.parent != place.cache
    assert made.read_bytes() == b"made"
    assert "cannot be used (others than this user can write to it)" in caplog.text


def test_without_numba_cuda_the_extra_is_named(place, monkeypatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "numba_cuda" else real(n, *a))
    with pytest.raises(BuildError) as caught:
        search.find(ORIN)
    assert str(caught.value) == (
        "no kernels for GPUs of compute capability 8.7 are at hand, and numba-cuda, which compiles them, is not "
        "installed: pip install 'fastact[cuda]'"
    )
    assert not place.built
    cached = place.put(place.cache)
    assert search.find(ORIN) == cached


def test_making_them_is_said(place, caplog) -> None:
    caplog.set_level(logging.INFO)
    search.find(ORIN)
    assert "compiling the kernels for GPUs of compute capability 8.7, once: this takes about" in caplog.text


def test_a_compiler_that_fails_says_why(place, monkeypatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "Traceback:\n  ...\nNvvmSupportError: libNVVM cannot be found")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(BuildError, match=r"compiled for GPUs of compute capability 8\.7: NvvmSupportError: libNVVM"):
        search.find(ORIN)
    assert list(place.cache.iterdir()) == []


CHILD = """
import json, sys
from pathlib import Path
from fastact.kernels.cuda import search
search.SHIPPED = Path("/nonexistent")
search.command = lambda target, path: [sys.executable, "-c", sys.argv[1], str(path)]
import fastact.kernels.cuda.runner
found = search.find((8, 7))
print(json.dumps({
    "path": str(found),
    "content": found.read_bytes().hex(),
    "modules": [m for m in ("numba", "numba_cuda", "llvmlite", "cuda.bindings") if m in sys.modules],
}))
"""


def child(cache: str) -> subprocess.Popen[str]:
    env = os.environ | {"XDG_CACHE_HOME": cache, "HOME": cache}
    command = [sys.executable, "-c", CHILD, WRITE]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> tuple[dict, str]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out), err


@needs_compiler
def test_two_processes_at_once_both_succeed_and_a_third_finds_it(tmp_path) -> None:
    reports = [result(process)[0] for process in [child(str(tmp_path)), child(str(tmp_path))]]
    reports.append(result(child(str(tmp_path)))[0])
    assert len({report["content"] for report in reports}) == 1
    for report in reports:
        assert report["modules"] == [], "who launches kernels loads no compiler"
        assert Path(report["path"]).is_file()
    folder = tmp_path / "fastact" / "kernels"
    assert all(path.name.startswith("ptx-8.7-") for path in folder.iterdir())


@needs_compiler
def test_a_home_that_cannot_be_written_to() -> None:
    report, talk = result(child("/dev/null/x"))
    assert "/dev/null/x/fastact/kernels cannot be used (Not a directory)" in talk
    assert "compiled again in each process" in talk
    assert not Path(report["path"]).exists(), "what it made goes with it"


# What is compiled.


def imported(path: Path) -> Iterator[Path]:
    """The modules of the project that a module of kernels/cuda imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            base = folder / (node.module or "").replace(".", "/")
            names = [base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)]
            yield from (name for name in names if name.is_file())


OF_LAUNCHES = ("launch.py", "places.py")
"""Say what a launch is, and nothing of what is compiled."""


def test_the_hash_is_of_all_that_is_compiled() -> None:
    sources = {path.resolve() for path in search.sources()}
    assert len(sources) >= 5
    for path in sources:
        more = {found.resolve() for found in imported(path) if found.name not in OF_LAUNCHES}
        assert more <= sources, f"{path.name} imports what is not hashed"


def test_the_hash_changes_with_a_source(tmp_path, monkeypatch) -> None:
    before = search.source_hash()
    extra = tmp_path / "extra.py"
    extra.write_text("x = 1")
    with_it = [*search.sources(), extra]
    monkeypatch.setattr(search, "sources", lambda: with_it)
    assert search.source_hash.__wrapped__() != before


def test_shipping_replaces_what_was_there(tmp_path, monkeypatch, capsys) -> None:
    old = tmp_path / "ptx-5.0-old.zip"
    old.touch()
    monkeypatch.setattr(ship, "command", lambda target, path: [sys.executable, "-c", WRITE, str(path)])
    monkeypatch.setattr(search, "SHIPPED", tmp_path)
    ship.main(str(tmp_path))
    assert not old.exists()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(TARGETS) == len(list(tmp_path.iterdir()))
    for target, line in zip(TARGETS, said, strict=True):
        (found,) = search.candidates(target)
        assert (found.origin, found.refusal) == ("shipped", None)
        assert line == f"{found.path.name}: {found.path.stat().st_size} bytes"


COMPILE = """
import sys
from fastact.kernels.cuda import build
build.KERNELS = {"u8_f32_scale": build.KERNELS["u8_f32_scale"]}
for target in build.TARGETS:
    name = f"{target[0]}.{target[1]}"
    build.main(name, f"{sys.argv[1]}/{name}.zip")
"""


@needs_compiler
def test_ptx_is_what_old_drivers_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    command = [sys.executable, "-c", COMPILE, str(tmp_path)]
    done = subprocess.run(command, env=search.environment(), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    for (major, minor), version in TARGETS.items():
        with zipfile.ZipFile(tmp_path / f"{major}.{minor}.zip") as made:
            text = made.read("u8_f32_scale.ptx").decode()
        assert re.search(rf"^\.version {re.escape(version)}$", text, re.MULTILINE)
        assert re.search(rf"^\.target sm_{major}{minor}$", text, re.MULTILINE)
        assert ".visible .entry u8_f32_scale(" in text


@needs_compiler
def test_the_compiler_refuses_to_simulate(tmp_path) -> None:
    env = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = search.command((5, 0), tmp_path / "made.zip")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1
    assert done.stderr.startswith("NUMBA_ENABLE_CUDASIM is set")
    assert not (tmp_path / "made.zip").exists()
