"""How `fastact bench` measures: rounds, CPU time, the sweep, memory, and what is said of disturbances."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from python_threads import until

import fastact
from fastact import samples
from fastact.bench import measure as measuring
from fastact.bench import rounds
from fastact.bench.measure import Request, measure
from fastact.bench.room import check_room
from fastact.bench.rounds import frames
from fastact.bench.runner import Runner, inputs_of
from fastact.bench.speed import CpuSpeed
from fastact.bench.steadiness import low_peak
from fastact.errors import InputError


@pytest.fixture(scope="module")
def pilot() -> fastact.Model:
    return fastact.load(samples.pilot())


class Busy(Runner):
    """A runner whose frames keep a second thread busy as long as they take, asleep in between.

    `spent` is what each took of the CPU, which on a slow one is more than it was asked to take.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.spent: list[float] = []

    def frame(self) -> float:
        start, worker = time.perf_counter(), threading.Thread(target=self._keep_busy)
        worker.start()
        self._keep_busy()
        worker.join()
        return time.perf_counter() - start

    def _keep_busy(self, seconds: float = 1e-3) -> None:
        """That much of the thread's own CPU time, Python's lock released."""
        start, block = time.thread_time(), bytes(100_000)
        while (taken := time.thread_time() - start) < seconds:
            hashlib.sha256(block).digest()
        self.spent.append(taken)


def test_cpu_time_of_several_threads_is_not_lost(pilot: fastact.Model) -> None:
    """Linux counts what other threads compute at its ticks, a few milliseconds apart: that of a frame says little."""
    runner = Busy(pilot, "Conv2D_First_layer", 2, inputs_of(pilot, samples.frame("160x120")))
    walls, cpu = frames(runner, 0.1, 20)
    assert len(walls) >= 20
    each = sum(runner.spent) / (len(walls) + 1)
    assert each >= 2e-3  # two threads with a millisecond each
    assert 0.95 * each < cpu < 1.7 * each  # to start a thread takes some, too


def test_rounds_end_with_the_time_or_with_enough_frames(pilot: fastact.Model, monkeypatch) -> None:
    inputs = inputs_of(pilot, samples.frame("160x120"))
    runner, made = Runner(pilot, "Conv2D_First_layer", 1, inputs), list[rounds.Round]()
    done: list[float] = []
    rounds.rounds([runner], CpuSpeed(1, Path("/")), made, 0.5, done.append)
    assert len(made) >= 7
    assert all(0 <= part <= 1 for part in done)
    monkeypatch.setattr(rounds, "_MOST_FRAMES", 1)
    made.clear()
    start = time.monotonic()
    rounds.rounds([runner], CpuSpeed(1, Path("/")), made, 3600.0, done.append)
    assert len(made) == 7
    assert time.monotonic() - start < 600


def test_the_sweep_s_order_hides_a_drift() -> None:
    """Places and times have no correlation, so that a machine that slows down does not look like an exponent."""
    order = measuring._SWEEP
    assert sorted(order) == list(range(7))
    assert sum((time - 3) * (place - 3) for time, place in enumerate(order)) == 0


def test_memory_is_looked_at_before_it_is_taken(pilot: fastact.Model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "inputs_of", lambda *_: pytest.fail("the picture was read"))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 4000000 kB\nMemAvailable: 1000000 kB\n")
    with pytest.raises(
        InputError, match=r"needs about \d+\.\d GB to be measured at these sizes, and this machine has 1\.0"
    ):
        measure(Request(pilot, [(120, 160), (6000, 8000)], root=tmp_path))


@pytest.mark.parametrize("free", ["", "MemAvailable: 100000 kB\n"])
def test_memory_enough_or_not_known(pilot: fastact.Model, tmp_path: Path, free: str) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(free)
    check_room([pilot, pilot.at_size((360, 640))], None, tmp_path)  # 5 MB of maps


def test_threads_that_shared_a_core_are_told() -> None:
    assert list(low_peak([2.3e11, 2.2e11], 2, 1.2e11)) == []
    assert list(low_peak([1.2e11, 1.2e11], 1, None)) == []
    (said,) = low_peak([1.2e11, 1.2e11], 2, 1.2e11)
    assert said.startswith("2 threads together never reached more than 1.0 times the multiply-adds a second of one: ")
    (said,) = low_peak([2e11] * 8 + [1e11] * 2, 2, 1.2e11)
    assert said == "the machine's own peak fell to 50% of its best in a tenth of the rounds"


def test_one_thread_s_peak_is_measured_where_there_are_several() -> None:
    assert CpuSpeed(1, Path("/")).alone is None
    until(lambda: (CpuSpeed(2, Path("/")).alone or 0) > 1e9)  # at a moment when nothing else has the core
