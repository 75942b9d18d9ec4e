"""`python -m benchmarks.cuda` on a driver that is none, whose kernels run in the simulator: what is wrong is found.

Times mean nothing here; that they are taken, and of what, is what is tested.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cuda_simulation  # turns the simulator on, before Numba is loaded
import numpy as np
import pytest
from cuda_device import archive
from fake_driver import FakeDriver, Gpu, simulated
from kernel_checks import normal

from fastact.kernels import ops
from fastact.kernels.cuda import catalog
from fastact.kernels.cuda import tiles as tile_table
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.cuda.device import Device, choose
from fastact.kernels.cuda.driver import Driver

ROOT = Path(__file__).parent.parent
for each in KERNELS:  # what makes kernels makes them when it is loaded, for all tiles there are then
    catalog.function(each)
sys.path.insert(0, str(ROOT))  # benchmarks is run from the repository, not installed

from benchmarks import cuda, cuda_checks, cuda_on_device, cuda_times  # noqa: E402
from benchmarks.common import BenchmarkError  # noqa: E402
from benchmarks.cuda_checks import Verdict, WrongError, computed, difference  # noqa: E402
from benchmarks.cuda_lowered import Pilot  # noqa: E402
from benchmarks.cuda_program import medians  # noqa: E402
from benchmarks.cuda_times import TileTimes, Times  # noqa: E402
from benchmarks.recorder import model_of  # noqa: E402

CONV = ops.Conv2D(normal(1, 2, 2, 2, 3), normal(2, 3), pads=(1, 0, 0, 0), low=0.0)
BATCH = [normal(3, 2, 3, 4, 2)]
SMALL = tile_table.TILES[-2:]


def pilot(k: Any) -> Any:
    image = y = k.layers.Input((6, 5, 3), name="image")
    for number in (1, 2):
        y = k.layers.Conv2D(2 + number, 2, activation="relu", name=f"conv_{number}")(y)
    return k.Model(image, y)


def multiply_adds(grid: Any, threads: int, y: np.ndarray, turns: int, factor: float) -> None:
    """What the kernel comes to."""
    y[: grid[0] * threads] = catalog.CHAINS


def copy(grid: Any, threads: int, x: np.ndarray, y: np.ndarray, count: int) -> None:
    y[:count] = x[:count]


@pytest.fixture
def fake() -> FakeDriver:
    kernels = {name: simulated(name) for name in KERNELS}  # but for two that do much, and are tested by themselves
    kernels |= {"ceiling_multiply_adds": multiply_adds, "ceiling_copy": copy}
    return FakeDriver(Gpu(multiprocessors=1, memory=1 << 30), kernels=kernels)


@pytest.fixture
def device(fake: FakeDriver, tmp_path: Path) -> Iterator[Device]:
    found = choose(Driver(fake).start())
    yield Device(found.driver, found.card, archive(tmp_path))
    fake.check()


@pytest.fixture(autouse=True)
def extractors_use_it(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastact.engines.cuda.open_device", lambda: device)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network, a table and tiles that the simulator gets through."""
    model = model_of(pilot)[1]
    monkeypatch.setattr(cuda_times, "pilots", lambda: [Pilot("pilot at 5x6", model, 2)])
    monkeypatch.setattr(cuda_times, "_COPIED", 3000)
    monkeypatch.setattr(tile_table, "TILES", SMALL)
    monkeypatch.setattr(cuda_checks, "cases", lambda seed: iter([(CONV, (BATCH[0][0],))]))
    monkeypatch.setattr(cuda_times, "medians", lambda samples, rounds: {name: run(1) for name, run in samples.items()})
    monkeypatch.setattr(cuda_checks, "networks", lambda: iter([("pilot", model)]))
    monkeypatch.setattr(cuda, "_tests", lambda: (True, "1 passed"))


def test_everything(device: Device, small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cuda.measure(device, tmp_path / "out", cuda.PARTS, 1, 7) == 0
    out = capsys.readouterr().out
    assert "1 passed" in out
    assert out.count("pilot at 5x6") == 2 * (1 + 2)  # a frame and a batch: the network, and each of its convolutions
    found = json.loads((tmp_path / "out" / "cuda.json").read_text())
    assert found["device"]["name"] == "H200"
    assert found["ceilings"]["flops"] > 0
    assert [one["kind"] for one in found["checks"]] == ["Conv2D", SMALL[0].name]
    assert all(one["wrong"] == [] and 0 < one["worst"] < 1e-6 for one in found["checks"])
    (whole,) = found["models"]
    assert (whole["cases"], whole["wrong"]) == (3 + 2, [])
    assert 0 < whole["worst"] < 1e-6
    assert [one["frames"] for one in found["networks"]] == [1, 2]
    for one in found["networks"]:
        assert one["error"] < 1e-6
        assert set(one["milliseconds"]) >= {"ours, graph", "ours, launches"}
        assert one["flops"] == 2 * one["frames"] * (5 * 4 * 12 * 3 + 4 * 3 * 12 * 4)
    assert [set(one["microseconds"]) for one in found["tiles"]] == [{tile.name for tile in SMALL}] * 4


def spoiled(fake: FakeDriver, kernel: str, by: float) -> None:
    """Adds to all that a convolution gives."""
    right = fake.kernels[kernel]

    def run(grid: Any, threads: int, *arguments: Any) -> None:
        right(grid, threads, *arguments)
        arguments[5][:4] += np.float32(by)

    fake.kernels[kernel] = run


def kernel_of(device: Device) -> str:
    (name,) = computed(device, CONV, BATCH)[1]
    return name


def test_what_is_wrong_stops_it(fake: FakeDriver, device: Device, small: None, tmp_path: Path, capsys: Any):
    spoiled(fake, kernel_of(device), 0.01)
    assert cuda.measure(device, tmp_path, cuda.PARTS, 1, 7) == 1
    captured = capsys.readouterr()
    assert "nothing is timed" in captured.err
    assert "Conv2D of (3, 4, 2): frame 0 is off by" in captured.out
    assert json.loads((tmp_path / "cuda.json").read_text())["networks"] is None


def test_a_wrong_map_of_a_network_stops_it(fake: FakeDriver, device: Device, small: None, tmp_path: Path):
    for name in KERNELS:
        if name.endswith("u8"):
            spoiled(fake, name, 0.01)
    with pytest.raises(BenchmarkError, match="conv_1 of frame 0 is off by"):
        cuda.measure(device, tmp_path, ["networks"], 1, 7)
    (whole,) = cuda_checks.models(7)
    assert whole.wrong[0].startswith("conv_1 is off by")


def test_a_tile_that_differs_stops_it(fake: FakeDriver, device: Device, small: None, tmp_path: Path):
    spoiled(fake, f"{SMALL[1].name}_u8", 0.01)
    with pytest.raises(BenchmarkError, match=f"tile {SMALL[1].name} on conv_1, pilot at 5x6 differs by"):
        cuda.measure(device, tmp_path, ["tiles"], 1, 7)


@pytest.mark.parametrize("seen", ["writes to its input", "writes beside", "leaves parts of its output"])
def test_memory_is_watched(fake: FakeDriver, device: Device, seen: str):
    name = kernel_of(device)
    right = fake.kernels[name]

    def run(grid: Any, threads: int, *arguments: Any) -> None:
        x, y = arguments[0], arguments[5]
        if seen.startswith("leaves"):
            return
        right(grid, threads, *arguments)
        if seen.endswith("input"):
            x[0] += 1
        elif seen.endswith("beside"):
            y[3 * 3 * 4 + 1] = 0

    fake.kernels[name] = run
    with pytest.raises(WrongError, match=seen):
        computed(device, CONV, BATCH)


def test_an_operation_without_a_kernel_is_wrong(device: Device):
    class Unknown(ops.Op):
        pass

    verdict = Verdict("Unknown")
    cuda_checks._judge(verdict, device, Unknown(), BATCH)
    assert verdict.wrong == ["there is no kernel for Unknown"]


@pytest.mark.parametrize(
    ("actual", "right", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([3.0, 4.0], [3.0, 4.5], 0.5 / np.hypot(3, 4.5)),
        ([np.nan, 1.0], [np.nan, 1.0], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([1.0, 1.0], [np.nan, 1.0], np.inf),
        ([np.inf, 1.0], [np.inf, 1.0], 0.0),
        ([np.inf, 1.0], [1.0, 1.0], np.inf),
        ([-np.inf, 1.0], [np.inf, 1.0], np.inf),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 1e-9], [0.0, 0.0], np.inf),
        ([3e38, 3e38], [3e38, 3e38], 1e-8),
    ],
)
def test_the_norm_of_an_error(actual: list[float], right: list[float], error: float):
    found = difference(np.array(actual, np.float32), np.array(right))
    assert found == pytest.approx(error, abs=1e-7)


def test_a_median_is_of_samples_taken_in_turns():
    taken: list[str] = []

    def sample(name: str, ms: list[float]) -> Any:
        def run(count: int) -> float:
            taken.append(name)
            return count * (ms.pop(0) if len(ms) > 1 else ms[0])

        return run

    made = medians({"a": sample("a", [9.0, 9.0, 1.0, 5.0, 2.0]), "b": sample("b", [4.0])}, 3)
    assert made == {"a": 2.0, "b": 4.0}
    assert taken[-6:] == ["a", "b"] * 3


def test_what_a_row_says():
    ours = {"ours, graph": 0.5, "ours, launches": 0.6}
    times = Times("net", 1, ours, 10, 10, 0.25, 0.1, 1e-7, None, "PyTorch is not installed")
    assert (times.of_peak, times.ratio) == (0.5, None)
    beside = Times("net", 1, ours | {"torch, eager": 2.0, "torch, graph": 1.0}, 1, 1, 0.2, 0.1, 1e-7, 0.0, "PyTorch 2")
    assert beside.ratio == 2.0
    assert len(beside.cells) == len(times.cells) == len(cuda_times.HEAD)
    assert TileTimes("conv", 1, "b", {"a": 1.0, "b": 1.5}, 1).cells == ("conv", "1", "1.0", "1.5*", "1.50")


def test_the_simulators_tests_can_run_on_a_device(device: Device, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cuda_on_device, "open_device", lambda: device)
    monkeypatch.setitem(sys.modules, "cuda_simulation", cuda_simulation)
    cuda_on_device.pytest_configure()
    assert np.array_equal(sys.modules["cuda_simulation"].run(CONV, *BATCH), computed(device, CONV, BATCH)[0])
    names = {path.name for path in cuda_on_device.tests(ROOT / "tests")}
    assert names >= {"test_cuda_convolution.py", "test_cuda_moving.py"}
    assert "test_cuda_ceilings.py" not in names


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from fastact.kernels.cuda.errors import UnavailableError

    def absent() -> Device:
        raise UnavailableError("there is no NVIDIA driver on this machine")

    monkeypatch.setattr(cuda, "open_device", absent)
    with pytest.raises(BenchmarkError, match="no NVIDIA driver"):
        cuda.main(["--out", str(tmp_path)])
