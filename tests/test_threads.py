"""Teams of threads: the same maps for any number, whatever else the process does, and no cost when idle.

What could hang runs in a child with a time limit, or under a timer that ends the tests with every thread's stack.
"""

from __future__ import annotations

import ctypes
import threading
import types

import numpy as np
import pytest
import team_runs
from python_threads import together
from team_runs import digest, frame, settled

from fastact import samples
from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.graph import load
from fastact.kernels import ops
from fastact.kernels.cpu import encode, library
from fastact.kernels.cpu.pairing import in_pairs
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.cpu.threads import MOST, Team
from fastact.kernels.places import Buffer, Place

TEAMS = (2, 3, 7, 16)
no_hang, expected = team_runs.no_hang, team_runs.expected  # fixtures: ruff takes imported ones for unused


# The same to the bit.


@pytest.mark.parametrize("threads", TEAMS)
def test_maps_are_the_same_for_any_team(expected, threads: int) -> None:
    extract = Extractor(samples.pilot(), "*", threads=threads)
    for _ in range(5):
        assert digest(extract(frame())) == expected


@pytest.mark.parametrize("threads", TEAMS)
def test_maps_of_a_large_frame_are_the_same(threads: int) -> None:
    model, large = load(samples.pilot()).at_size((360, 640)), frame(360, 640)
    wanted = "Conv2D_*"
    one, team = (Extractor(model, wanted, threads=n)(large) for n in (1, threads))
    assert list(one) == list(team)
    for name in one:
        assert one[name].tobytes() == team[name].tobytes(), name


class Program:
    """Operations on arrays, as one table of steps; every array is a region of its own."""

    def __init__(self, kernels: library.Library) -> None:
        self.kernels = kernels
        self.arrays: list[np.ndarray] = []
        self.results: list[int] = []
        self._rows: list[Row] = []

    def take(self, array: np.ndarray) -> int:
        self.arrays.append(np.ascontiguousarray(array))
        return len(self.arrays) - 1

    def add(self, op: ops.Op, *inputs: int) -> int:
        for part in encode.legalize(op):
            output = self.take(np.empty(part.shape(*(self.arrays[i].shape for i in inputs)), np.float32))
            if room := encode.room(part):
                inputs = (*inputs, self.take(np.empty((3, room // 4), np.float32)))
            buffers = [Buffer(Place(i), self.arrays[i].shape) for i in (*inputs, output)]
            self._rows += encode.encode(part, buffers[:-1], buffers[-1], self.kernels.registers)
            self.results.append(output)
            inputs = (output,)
        return inputs[0]

    def run(self, threads: int) -> list[bytes]:
        """Every result, computed anew over memory full of NaNs."""
        for i in self.results:
            self.arrays[i].fill(np.nan)
        table = Table(self._rows, len(self.arrays), self.kernels.kernel)
        for i, array in enumerate(self.arrays):
            table.place(i, array.ctypes.data)
        Team(self.kernels, threads).run(table.address, table.steps)
        return [self.arrays[i].tobytes() for i in self.results]


def every_kind_of_step(rows: int, columns: int) -> Program:
    """A table with every kind of operation, at sizes no team divides evenly."""
    made, rng = Program(library.load()), np.random.default_rng(3)

    def floats(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    def conv(x: int, filters: int, size: int, groups: int = 1, **options) -> int:
        weights = floats(size, size, made.arrays[x].shape[-1] // groups, filters) / 4
        return made.add(ops.Conv2D(weights, floats(filters), groups=groups, **options), x)

    x = made.add(ops.FromBytes(255.0), made.take(rng.integers(0, 256, (rows, columns, 3), np.uint8)))
    x = conv(x, 12, 3, pads=(1, 1, 1, 1), low=0.0)
    wide = conv(x, 53, 3, strides=(2, 2))
    for source in (wide, made.add(ops.Pad(((1, 2), (0, 3))), wide)):
        made.add(in_pairs(ops.Conv2D(floats(3, 3, 53, 40) / 20, floats(40), low=0.0)), source)
    x = conv(wide, 53, 3, groups=53, pads=(2, 2, 2, 2), dilation=(2, 2), low=0.0, high=6.0)
    x = made.add(ops.Binary(ops.Merge.ADD), x, wide)
    x = made.add(ops.Affine(floats(53), floats(53), floats(53)), x)
    x = made.add(ops.Elementwise(ops.Unary.TANH), x)
    parts = [conv(x, filters, 1) for filters in (1, 5, 20, 38)]
    x = made.add(ops.Concat(), *parts)
    gate = made.add(ops.RowWise(ops.Row.SOFTMAX), made.add(ops.GlobalPool(ops.PoolKind.AVERAGE), x))
    gate = made.add(ops.Elementwise(ops.Unary.GELU), made.add(ops.Dense(floats(64, 64), floats(64)), gate))
    flat = made.take(made.arrays[gate].reshape(1, 1, 64))
    made.results.remove(gate)  # computed all the same; as an input it lies in `flat`, with the same memory
    assert np.shares_memory(made.arrays[flat], made.arrays[gate])
    x = made.add(ops.Binary(ops.Merge.MULTIPLY), x, flat)
    x = made.add(ops.Pool(ops.PoolKind.MAX, (3, 3), (2, 2), ((1, 1), (1, 1))), x)
    x = made.add(ops.Pool(ops.PoolKind.AVERAGE, (2, 3), (1, 2), ((0, 1), (1, 1))), x)
    x = made.add(ops.GatedLinear(), made.add(ops.Crop(((1, 0), (0, 1))), x))
    for row in ops.Row:
        made.add(ops.RowWise(row, axis=1), x)
    made.add(ops.GlobalPool(ops.PoolKind.MAX), x)
    return made


@pytest.mark.parametrize("size", [(37, 41), (9, 11), (90, 131)])
def test_every_kind_of_step_is_the_same_for_any_team(size: tuple[int, int]) -> None:
    program = every_kind_of_step(*size)
    alone = program.run(1)
    assert not any(np.isnan(program.arrays[i]).any() for i in program.results), "every value was computed"
    for threads in TEAMS:
        for number, (one, many) in enumerate(zip(alone, program.run(threads), strict=True)):
            assert one == many, f"result {number} with {threads} threads"


def test_a_table_without_steps_wakes_nobody(monkeypatch) -> None:
    team = Team(library.load(), 3)
    monkeypatch.setattr(team, "_start", lambda: pytest.fail("workers were started"))
    team.run(0, 0)


# Several threads of Python's.


def repeatedly(extract: Extractor, wanted: str, times: int = 100):
    def job() -> None:
        for _ in range(times):
            assert digest(extract(frame())) == wanted

    return job


def test_two_extractors_in_two_threads(expected) -> None:
    together(repeatedly(Extractor(samples.pilot(), "*", threads=2), expected) for _ in range(2))


def test_one_extractor_in_three_threads(expected) -> None:
    shared = Extractor(samples.pilot(), "*", threads=2)
    together([repeatedly(shared, expected)] * 3)


# What is refused, and what is not there.


@pytest.mark.parametrize("threads", [0, -1, MOST + 1, 1000, True, "2", 1.5, None])
def test_numbers_of_threads_that_are_refused(threads) -> None:
    with pytest.raises(InputError, match=f"threads must be a whole number from 1 to {MOST}, not"):
        Extractor(samples.pilot(), threads=threads)


def test_a_team_knows_its_bounds() -> None:
    for size in (0, MOST + 1):
        with pytest.raises(ValueError, match=f"from 1 to {MOST} threads, not {size}"):
            Team(library.load(), size)


def test_the_largest_team_works(expected) -> None:
    assert digest(Extractor(samples.pilot(), "*", threads=MOST)(frame())) == expected


def warned_once(caplog, extract: Extractor, expected: str) -> str:
    """The one warning two frames give, computed right all the same."""
    assert [digest(extract(frame())) for _ in range(2)] == [expected] * 2
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    return record.getMessage()


def test_without_semaphores_one_thread_works_alone(expected, monkeypatch, caplog) -> None:
    before = set(threading.enumerate())  # of other tests, and those may end meanwhile
    extract = Extractor(samples.pilot(), "*", threads=3)
    real = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda name, *a, **k: real(name, *a, **k) if name else types.SimpleNamespace())
    message = warned_once(caplog, extract, expected)
    assert message == "threads cannot be used here (the C library has no semaphores): one thread does all the work"
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("allowed", [0, 1])
def test_without_threads_one_thread_works_alone(expected, monkeypatch, caplog, allowed: int) -> None:
    """Where a limit on threads is reached, some may have been started before."""
    before, started = set(threading.enumerate()), []
    real = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    extract = Extractor(samples.pilot(), "*", threads=3)
    monkeypatch.setattr(threading.Thread, "start", start)
    message = warned_once(caplog, extract, expected)
    assert message == "threads cannot be used here (can't start new thread): one thread does all the work"
    assert settled(before), "those that were started end"
