"""How compiled kernels are found, refused, built and loaded: what a user's machine can do to them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from library_places import LEVEL, REGISTERS, Homeless, Place, Race, child, digest, find_library, result
from PIL import Image

from fastact import cli, samples
from fastact.errors import KernelError
from fastact.extractor import Extractor
from fastact.kernels.cpu import build, levels, library, search
from fastact.kernels.cpu.levels import LEVELS

FRAME = np.asarray(Image.open(samples.frame("160x120")))

needs_linker = pytest.mark.skipif(
    build.linker(LEVELS[LEVEL]) is None, reason="a shared library needs a C compiler or ziglang"
)


def maps_digest(maps) -> str:
    return hashlib.sha256(b"".join(m.tobytes() for m in maps.values())).hexdigest()


# What is really compiled: twice this machine's level by two processes at once, and once an object file.


@pytest.fixture(scope="module")
def race(tmp_path_factory) -> Race:
    cache = tmp_path_factory.mktemp("empty")
    both = [result(process) for process in [child(cache), child(cache)]]
    return Race(cache / "fastact" / "kernels", [report for report, _ in both], [talk for _, talk in both])


@pytest.fixture(scope="module")
def good(race) -> Path:
    """A file with this machine's kernels."""
    return next(race.folder.iterdir())


@pytest.fixture(scope="module")
def homeless(tmp_path_factory) -> Homeless:
    copy = tmp_path_factory.mktemp("copies") / "kernels.o"
    return Homeless(copy, *result(child("/dev/null/x", copy, HOME="/dev/null/x")))


# Everything else uses copies of these files.


@pytest.fixture
def place(tmp_path, monkeypatch, good, homeless) -> Iterator[Place]:
    """A machine on which nothing was shipped or kept yet; its compiler copies what was compiled before."""
    machine = Place(tmp_path / "lib", tmp_path / "home" / "fastact" / "kernels", good)
    monkeypatch.setattr(search, "SHIPPED", machine.shipped)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def compiler(command, **_):
        machine.built.append(command)
        made = Path(command[-1])
        shutil.copy(homeless.object_file if made.suffix == ".o" else good, made)
        made.chmod(0o775)  # what a linker leaves under the umask 002
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", compiler)
    library.load.cache_clear()
    yield machine
    library.load.cache_clear()


@pytest.fixture
def hidden(monkeypatch) -> Callable[[str], None]:
    """Hides packages from importlib."""
    packages: list[str] = []
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in packages else real(n, *a))
    search.compiler_hash.cache_clear()
    yield packages.append
    search.compiler_hash.cache_clear()


def test_the_shipped_folder_comes_first(place) -> None:
    cached, shipped = place.put(place.cache), place.put(place.shipped)
    assert find_library().path == shipped
    shipped.unlink()
    assert find_library().path == cached
    assert not place.built


def test_kernels_of_another_source_are_refused(place) -> None:
    stale = [place.put(folder, source="0" * 16) for folder in (place.shipped, place.cache)]
    reason = "it was made from another version of the kernels' source"
    assert place.refusals() == dict.fromkeys(stale, reason)
    assert find_library().path not in stale
    assert len(place.built) == 1


def test_kernels_of_another_compiler_are_refused_in_the_cache_alone(place) -> None:
    cached = place.put(place.cache, compiler="0" * 8)
    assert place.refusals() == {cached: "it was made from another version of the compiler"}
    shipped = place.put(place.shipped, compiler="0" * 8)
    assert find_library().path == shipped
    assert not place.built


def test_another_level_or_table_is_no_candidate(place) -> None:
    path = place.put(place.shipped)
    path.rename(path.with_name(path.name.replace(f"{LEVEL}-{REGISTERS}", f"{LEVEL}-other")))
    assert not place.refusals()


def flipped(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def made_a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


HARM = [flipped, truncated, emptied, made_a_folder, made_a_dangling_link]


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_file_is_passed_over(place, harm) -> None:
    shipped, cached = place.put(place.shipped), place.put(place.cache)
    harm(shipped)
    assert re.match("it is damaged|it cannot be read", place.refusals()[shipped] or "")
    assert find_library().path == cached
    assert not place.built


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_cache_is_built_anew(place, harm) -> None:
    damaged = place.put(place.cache)
    harm(damaged)
    rebuilt = find_library()
    assert len(place.built) == 1
    assert place.refusals()[rebuilt.path] is None
    assert find_library().path == rebuilt.path
    assert len(place.built) == 1, "and is found the next time"
    assert list(place.cache.iterdir()) == [rebuilt.path], "the damaged file is gone, and so is the folder of the build"


GARBAGE = {
    "no library": lambda good: b"garbage" * 1000,
    "nothing": lambda good: b"",
    "half a header": lambda good: good[:40],
    "without our entry": lambda good: good.replace(b"fastact_run\0", b"fastact_nix\0"),
}


@needs_linker
@pytest.mark.parametrize("kind", GARBAGE)
def test_what_the_loader_refuses_is_passed_over(place, caplog, kind) -> None:
    """Its name is right, digest included, and yet it is no library of ours."""
    garbage = place.put(place.shipped, GARBAGE[kind](place.good.read_bytes()))
    cached = place.put(place.cache)
    assert place.refusals()[garbage] is None
    assert find_library().path == cached
    assert f"the compiled kernels in {garbage} cannot be loaded" in caplog.text
    cached.unlink()
    assert find_library().path.parent == place.cache
    assert len(place.built) == 1


def test_an_object_file_that_is_none_is_passed_over(place, caplog, homeless) -> None:
    """LLVM's loader takes such a file's header on trust."""
    body = homeless.object_file.read_bytes()
    garbage = {place.put(place.cache, b).with_suffix(".o"): b for b in (b"garbage" * 100, b"", body[:70], body[:-1])}
    for file in place.cache.iterdir():
        file.rename(file.with_suffix(".o"))
    assert place.refusals() == dict.fromkeys(garbage)
    used = find_library().path
    assert used not in garbage
    for path in garbage:
        assert f"{path} cannot be loaded" in caplog.text


def test_a_cache_that_others_can_write_to_is_refused(place, caplog) -> None:
    cached = place.put(place.cache)
    reason = "others than this user can write to it"
    for path, mode in ((place.cache, 0o770), (place.cache, 0o707), (cached, 0o620), (cached, 0o602)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert place.refusals() == {cached: reason}, f"{path} with mode {mode:o}"
        path.chmod(before)
    assert place.refusals() == {cached: None}

    place.cache.chmod(0o770)
    assert find_library().path.parent != place.cache
    assert f"{place.cache} cannot be used ({reason})" in caplog.text
    assert list(place.cache.iterdir()) == [cached], "nothing is put where others could change it"


def test_a_cache_of_another_user_is_refused(place, monkeypatch) -> None:
    cached = place.put(place.cache)
    monkeypatch.setattr(os, "getuid", lambda: cached.stat().st_uid + 1)
    assert place.refusals() == {cached: "others than this user can write to it"}


def test_a_wide_umask_does_not_spoil_the_cache(place) -> None:
    """Where users share a group by default, files come group-writable, and would be refused the next time."""
    before = os.umask(0o002)
    try:
        made = find_library().path
    finally:
        os.umask(before)
    assert made.parent == place.cache
    assert place.refusals() == {made: None}


def test_a_build_forgets_what_is_old(place) -> None:
    """Kernels of long ago, and folders of builds that never ended; not what others build just now."""
    for name, days in (("old", 91), ("newer", 89)):
        folder = place.cache / f"tmp{name}"
        folder.mkdir(parents=True, mode=0o700)
        files = [folder / "kernels.lo", place.cache / f"{name}.so"]
        for path in files:
            path.write_bytes(b"kernels")
        for path in (*files, folder):
            os.utime(path, (then := time.time() - days * 86_400, then))
    place.cache.chmod(0o700)
    used = find_library().path
    assert {path.name for path in place.cache.iterdir()} == {"tmpnewer", "newer.so", used.name}


def test_two_processes_at_once_both_succeed(race) -> None:
    first, second = race.reports
    assert first["maps"] == second["maps"]
    assert {Path(report["path"]).parent for report in race.reports} == {race.folder}
    for talk in race.talk:
        assert re.search(r"compiling the kernels for \S+, once: this takes about", talk)
    (kept,) = race.folder.iterdir()  # the same code, so the same name; and no folder of a build is left
    assert kept.stem.endswith(f"-{digest(kept)}")
    assert oct(race.folder.stat().st_mode & 0o777) == "0o700"


@needs_linker
def test_a_process_that_finds_a_library_loads_no_compiler(race) -> None:
    report, talk = result(child(race.folder.parent.parent))
    assert Path(report["path"]).suffix == ".so"
    assert report["modules"] == []
    assert report["maps"] == race.reports[0]["maps"]
    assert talk == ""


def test_without_a_cache_it_works_and_says_so(homeless, race) -> None:
    assert "/dev/null/x/fastact/kernels cannot be used (Not a directory)" in homeless.talk
    assert "compiled again in each process" in homeless.talk
    assert homeless.report["maps"] == race.reports[0]["maps"], "LLVM's loader and the system's give the same maps"
    assert "llvmlite" in homeless.report["modules"]
    assert "numba" not in homeless.report["modules"]
    assert not Path(homeless.report["path"]).parent.exists(), "what it made goes with it"


def test_without_any_folder_it_says_so(place, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/x")

    def mkdtemp(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.mkdtemp", mkdtemp)
    with pytest.raises(library.BuildError, match="no folder to compile the kernels in: No usable temporary"):
        find_library()


def test_without_a_linker_an_object_file_serves(place, hidden, homeless, race, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    hidden("ziglang")
    assert build.linker(LEVELS[LEVEL]) is None
    made = find_library()
    assert made.path.parent == place.cache
    assert made.path.suffix == ".o"
    assert find_library().path == made.path
    assert len(place.built) == 1, "it is kept"
    assert maps_digest(Extractor(samples.pilot(), "all")(FRAME)) == race.reports[0]["maps"]


def test_a_build_that_fails_says_why(place, monkeypatch) -> None:
    def compiler(command, **_):
        return subprocess.CompletedProcess(
            command, 1, "", "Traceback:\n  ...\nRuntimeError: cc cannot link them: no -lm"
        )

    monkeypatch.setattr(subprocess, "run", compiler)
    with pytest.raises(library.BuildError, match=f"compiled for {LEVEL}: RuntimeError: cc cannot link them: no -lm$"):
        find_library()
    assert list(place.cache.iterdir()) == [], "nothing is left of it"


# What users read.


def complaint(monkeypatch, capsys) -> str:
    """The one line `fastact extract` says, with the exit status for bad input."""
    pilot, frame = str(samples.pilot()), str(samples.frame("160x120"))
    monkeypatch.setattr(sys, "argv", ["fastact", "extract", "--model", pilot, "--image", frame])
    assert cli._status() == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


def test_a_cpu_that_is_too_old(place, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(levels, "_features", lambda: {"SSE42": True, "AVX": True, "AVX2": False, "ASIMD": False})
    with pytest.raises(KernelError, match=r"no kernels for this CPU .*: it needs AVX2 with FMA, or AArch64"):
        Extractor(samples.pilot())
    line = complaint(monkeypatch, capsys)
    assert line.startswith("fastact: fastact has no kernels for this CPU (")
    assert not place.built


def test_an_unknown_cpu(place, monkeypatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(KernelError, match=r"no kernels for this CPU \(riscv64\)"):
        Extractor(samples.pilot())


def test_neither_kernels_nor_numba(place, hidden, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    hidden("numba")
    line = complaint(monkeypatch, capsys)
    assert line == (
        f"fastact: no compiled kernels for {LEVEL} are at hand, and Numba, which compiles them, is not installed: "
        "pip install 'fastact[jit]'"
    )
    assert not place.built


def test_a_shipped_library_needs_no_numba(place, hidden) -> None:
    hidden("numba")
    hidden("llvmlite")
    shipped = place.put(place.shipped)
    assert find_library().path == shipped
