"""`--device` on every command that computes, and what `doctor` says of GPUs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click
import numpy as np
import pytest
from cli_runs import PILOT, SMALL
from fake_driver import FakeDriver, Gpu
from tubs import write_tub

from fastact import cli
from fastact.cli import gpus
from fastact.donkey.engine import Engine
from fastact.donkey.settings import Settings
from fastact.engines import DEVICES, auto, cuda
from fastact.errors import InputError, KernelError
from fastact.kernels import shelf
from fastact.kernels.cuda import search
from fastact.kernels.cuda.driver import Driver
from fastact.kernels.cuda.errors import UnavailableError

COMMANDS = {
    "bench": (PILOT, "--seconds", "0.1"),
    "demo": (),
    "extract": ("--model", PILOT, "--image", SMALL),
    "movie": ("--model", PILOT, "--tub", "tub", "--out", "lap.gif"),
    "saliency": ("--model", PILOT, "--image", SMALL),
    "stats": ("--model", PILOT, "--tub", "tub"),
    "verify": (PILOT,),
    "view": ("--model", PILOT, "--image", SMALL, "--out", "page.html"),
}


@pytest.fixture
def without(monkeypatch):
    """A machine without a GPU."""

    def none() -> None:
        raise UnavailableError("there is no NVIDIA driver on this machine: install one, or compute on the CPU")

    monkeypatch.setattr(cuda, "open_device", none)
    monkeypatch.setattr(gpus, "open_driver", none)
    auto._say.cache_clear()


@pytest.fixture
def tub(tmp_path: Path) -> None:
    write_tub(tmp_path / "tub", count=2)


def test_every_command_that_computes_has_the_option():
    having = {
        name
        for name in cli._COMMANDS
        if any(o.name == "device" for o in cli._fastact.get_command(click.Context(cli._fastact), name).params)  # type: ignore[union-attr]
    }
    assert having == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_gpu(run, without, tub, command: str, tmp_path: Path):
    before = set(tmp_path.rglob("*.*"))
    result = run(command, *COMMANDS[command], "--device", "cuda")
    assert "there is no NVIDIA driver on this machine" in result.complaint
    assert set(tmp_path.rglob("*.*")) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_none(run, tub, command: str):
    assert "'gpu' is not one of 'cpu', 'cuda', 'auto'" in run(command, *COMMANDS[command], "--device", "gpu").complaint


def test_auto_without_a_gpu(run, without, tmp_path: Path):
    for device in ("auto", "cpu"):
        result = run("extract", *COMMANDS["extract"], "--save", "npz", "--out", device, "--device", device)
        assert result.status == 0
        assert result.err == ""  # here the warning goes where the tests' log does
    one, other = (np.load(tmp_path / device / Path(SMALL).stem / "maps.npz") for device in ("auto", "cpu"))
    assert all(np.array_equal(one[name], other[name]) for name in other.files)


def test_a_car_s_setting():
    assert {Settings.of({"FASTACT_DEVICE": device}).device for device in DEVICES} == set(DEVICES)
    with pytest.raises(InputError, match="FASTACT_DEVICE is 'gpu', and has to be one of 'cpu', 'cuda', 'auto'"):
        Settings.of({"FASTACT_DEVICE": "gpu"})


@pytest.mark.parametrize("style", ["mosaic", "saliency"])
def test_a_car_without_a_gpu(without, style: str):
    with pytest.raises(KernelError, match="no NVIDIA driver"):
        Engine(Settings(PILOT, style=style, device="cuda"), {}, shows=True, steers=False)
    Engine(Settings(PILOT, style=style, device="auto"), {}, shows=True, steers=False)


# The doctor.


@pytest.fixture
def doctor(run, monkeypatch, tmp_path):
    """The lines that `doctor` says of these GPUs."""
    monkeypatch.setattr(search, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(search, "cache_folder", lambda: tmp_path / "cache")

    def call(*given: Gpu) -> list[str]:
        driver = Driver(FakeDriver(*given)).start()
        monkeypatch.setattr(gpus, "open_driver", lambda: driver)
        result = run("doctor")
        assert (result.status, result.err) == (0, "")
        lines: list[str] = result.out.splitlines()
        return lines

    return call


def kept(folder: Path, name: str, content: bytes = b"PTX") -> Path:
    folder.mkdir(exist_ok=True, mode=0o700)
    made = folder / "made"
    made.write_bytes(content)
    made.chmod(0o600)
    return made.rename(folder / f"{name}-{shelf.digest(made)}.zip")


def test_doctor_without_a_gpu(run, without):
    lines = run("doctor").out.splitlines()
    assert "GPU: none: there is no NVIDIA driver on this machine: install one, or compute on the CPU" in lines
    assert "--device auto: the CPU, since there is no GPU that can be used" in lines


def test_doctor_with_a_gpu(doctor, tmp_path: Path):
    shipped = kept(tmp_path / "shipped", f"ptx-9.0-{search.source_hash()}-0")
    stale = [kept(tmp_path / "cache", f"ptx-9.0-{n:016x}-0", bytes([n])) for n in range(2)]
    lines = doctor(Gpu(memory=1 << 30))
    assert "GPU 0: H200, compute capability 9.0, 132 multiprocessors, 1.0 GiB; its driver is for CUDA 12.4" in lines
    assert "  used, with 1.0 GiB free" in lines
    assert f"GPU kernels: PTX for 9.0 from {shipped} (shipped)" in lines
    (refused,) = [line for line in lines if "another version" in line and "cache" in line and "ptx" in line]
    assert refused.startswith(f"  not {min(stale)} (cache) and 1 more there: it was made from another version")
    assert "--device auto: GPU 0, H200" in lines


def test_doctor_with_gpus_of_which_one_is_too_old(doctor):
    lines = doctor(Gpu("K80", (3, 7)), Gpu("Jetson Nano", (5, 3), 1, 4 << 30, integrated=True))
    assert any(line.startswith("  not used: GPU 0 (K80) has compute capability 3.7") for line in lines)
    assert any("Jetson Nano" in line and "4.0 GiB that the CPU has, too" in line for line in lines)
    assert any(line.startswith("GPU kernels: PTX for 5.0 is made when it is first used") for line in lines) == (
        importlib.util.find_spec("numba_cuda") is not None
    )


def test_doctor_with_a_gpu_that_is_too_old(doctor):
    lines = doctor(Gpu("K80", (3, 7)))
    (line,) = [line for line in lines if line.startswith("--device auto: ")]
    assert line.startswith("--device auto: the CPU, since the GPU cannot be used: GPU 0 (K80) has compute capability")


def test_doctor_without_kernels_for_the_gpu(doctor, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "numba_cuda" else real(n, *a))
    lines = doctor(Gpu(memory=1 << 30))
    (line,) = [line for line in lines if line.startswith("GPU kernels: none")]
    assert line.endswith("pip install 'fastact[cuda]'")
    assert "--device auto: the CPU, since the GPU has no kernels" in lines
