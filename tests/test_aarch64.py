"""Kernels for AArch64: made on any machine, and run on an emulated Cortex-A57 (see tests/aarch64).

The emulated machine is made by `make test-aarch64`, which runs this file on the wheel FASTACT_WHEEL; else a wheel's
worth is put together from the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from aarch64.elf import Elf, read

from fastact.kernels.cpu.build import PREFIX, linker
from fastact.kernels.cpu.catalog import ENTRIES, kernels
from fastact.kernels.cpu.levels import LEVELS
from fastact.kernels.cpu.search import file_name

ROOT = Path(__file__).parent.parent
WHEEL = os.environ.get("FASTACT_WHEEL")
LEVEL, REGISTERS = "aarch64", LEVELS["aarch64"].registers
OLDEST_GLIBC = (2, 17)
OF_C = {"exp", "expm1", "log", "log1p", "tanh", "erf", "erfc", "pow", "memcpy", "memset", "memmove"}
OF_THE_LOADER = {"__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}
LIBRARIES = {"libm.so.6", "libc.so.6", "ld-linux-aarch64.so.1"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package fastact in it as a user has it, its kernels for AArch64 included."""
    folder = tmp_path_factory.mktemp("installed")
    if WHEEL is not None:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
        subprocess.run([*pip, "--target", folder, WHEEL], check=True)
        return folder
    leave = shutil.ignore_patterns("__pycache__", "kernels", "lib")
    shutil.copytree(ROOT / "fastact", folder / "fastact", ignore=leave)
    shutil.copytree(ROOT / "kernels", folder / "fastact" / "kernels", ignore=leave)
    library = folder / "fastact" / "kernels" / "cpu" / "lib"
    library.mkdir()
    made = library / f"kernels.{'so' if linker(LEVELS[LEVEL]) else 'o'}"
    subprocess.run([sys.executable, "-m", "fastact.kernels.cpu.build", LEVEL, REGISTERS, made], check=True)
    made.rename(library / file_name(LEVEL, REGISTERS, made))
    return folder


def shipped(installed: Path, level: str = LEVEL) -> Path:
    """The one library of a level that is in a package."""
    (path,) = (installed / "fastact" / "kernels" / "cpu" / "lib").glob(f"{level}-{LEVELS[level].registers}-*")
    return path


@pytest.fixture(scope="module")
def linked(installed: Path) -> Elf:
    path = shipped(installed)
    if path.suffix != ".so":
        pytest.skip("ziglang, which links for AArch64 on other machines, is not installed")
    return read(path)


def test_compiled_for_aarch64_with_the_kernels_of_the_catalog(installed: Path):
    elf = read(shipped(installed))
    assert elf.machine == "aarch64"
    assert elf.exports == {*ENTRIES, *(PREFIX + name for name in kernels(REGISTERS))}


def test_code_needs_nothing_but_the_c_library(installed: Path):
    assert read(shipped(installed)).undefined <= OF_C | OF_THE_LOADER


def test_library_runs_on_old_systems(linked: Elf):
    assert linked.needed <= LIBRARIES
    assert linked.needed, "the mathematics must come from somewhere"
    assert max(linked.glibc) <= OLDEST_GLIBC


@pytest.mark.skipif(WHEEL is None, reason="`make test-aarch64` looks into a wheel")
def test_wheel_has_one_library_for_each_level(installed: Path):
    with zipfile.ZipFile(str(WHEEL)) as wheel:
        libraries = [name for name in wheel.namelist() if name.endswith(".so")]
    assert Path(str(WHEEL)).name.endswith("-py3-none-any.whl")
    assert len(libraries) == len(LEVELS), libraries
    for name, level in LEVELS.items():
        elf = read(shipped(installed, name))
        assert elf.machine == level.machine
        assert elf.exports == {*ENTRIES, *(PREFIX + kernel for kernel in kernels(level.registers))}
        assert max(elf.glibc) <= OLDEST_GLIBC


class Emulated:
    """A Python on an emulated Cortex-A57 with real aarch64 wheels, and `fastact` from a folder."""

    FOLDER = ROOT / ".aarch64"
    QEMU = "qemu-aarch64-static"

    def __init__(self, installed: Path, home: Path) -> None:
        path = os.pathsep.join(map(str, (installed, self.FOLDER / "site")))
        self._root = self.FOLDER / "root"
        self._environment = {"HOME": str(home), "PYTHONHOME": str(self._root / "usr"), "PYTHONPATH": path}
        self._environment |= {"QEMU_CPU": "cortex-a57", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        self._home = home

    @classmethod
    def is_there(cls) -> bool:
        return shutil.which(cls.QEMU) is not None and all((cls.FOLDER / part).is_dir() for part in ("root", "site"))

    def python(self, *arguments: str | Path) -> str:
        """What a Python there prints to stdout; it must succeed and say nothing else."""
        command = [str(shutil.which(self.QEMU)), "-L", self._root, self._root / "usr/bin/python3.11", *arguments]
        result = subprocess.run(command, env=self._environment, cwd=self._home, capture_output=True, text=True)
        assert result.returncode == 0, f"{result.stdout}{result.stderr}"
        assert result.stderr == ""
        return result.stdout


@pytest.fixture(scope="module")
def emulated(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Emulated:
    if not Emulated.is_there() and WHEEL is None:
        pytest.skip("no emulated AArch64 machine: `make test-aarch64` makes one of some 140 MB")
    return Emulated(installed, tmp_path_factory.mktemp("home"))


@pytest.mark.usefixtures("linked")
def test_doctor_finds_the_shipped_library_and_no_numba(emulated: Emulated, installed: Path):
    said = emulated.python("-m", "fastact", "doctor")
    assert f"kernels: aarch64 from {shipped(installed)} (shipped)\n" in said
    assert "kernels it can run: aarch64\n" in said
    assert "numba is not installed" in said


@pytest.mark.usefixtures("linked")
def test_kernels_agree_with_the_reference(emulated: Emulated, installed: Path):
    said = emulated.python(ROOT / "tests" / "aarch64" / "check_kernels.py")
    assert f"aarch64, tiles neon, from {shipped(installed)}\n" in said
    assert f"{len(kernels(REGISTERS))} of {len(kernels(REGISTERS))} kernels, 0 failures" in said


@pytest.mark.usefixtures("linked")
def test_extraction_agrees_with_this_machine(emulated: Emulated, installed: Path, tmp_path: Path):
    samples = installed / "fastact" / "samples"
    command = ["-m", "fastact", "extract", "--model", samples / "pilot_160x120.h5"]
    command += ["--image", samples / "track_160x120.jpg", "--layers", "all", "--save", "npz"]
    emulated.python(*command, "--out", tmp_path / "there")
    environment = os.environ | ({"PYTHONPATH": str(installed)} if WHEEL is not None else {})
    here = subprocess.run(
        [sys.executable, *command, "--out", tmp_path / "here"],
        env=environment, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert here.returncode == 0, here.stderr
    maps = {place: np.load(tmp_path / place / "track_160x120" / "maps.npz") for place in ("there", "here")}
    names = maps["here"].files
    assert maps["there"].files == names
    layers = [name for name in names if maps["here"][name].dtype == np.float32]
    assert len(layers) > 5
    for layer in layers:
        there, expected = maps["there"][layer], maps["here"][layer]
        assert there.shape == expected.shape
        assert np.max(np.abs(there - expected)) <= 1e-6 * np.max(np.abs(expected)), layer
