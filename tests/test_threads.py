"""Teams of threads: the same maps for any number, whatever else the process does, and no cost when idle.

What could hang runs in a child with a time limit, or under a timer that ends the tests with every thread's stack.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import hashlib
import multiprocessing
import subprocess
import sys
import textwrap
import threading
import time
import types

import numpy as np
import pytest
from fastact.kernels import ops
from fastact.kernels.cpu import encode, library
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.cpu.threads import MOST, Team
from fastact.kernels.places import Buffer, Place

from fastact import samples
from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.graph import load

TEAMS = (2, 3, 7, 16)
PATIENCE = 90
"""Seconds after which a test hangs."""
IDLE_LIMIT = 0.06
"""Of one core, for 20 frames a second at 160x120: 4 % where nothing else runs, and some more for a busy machine."""


@pytest.fixture(autouse=True)
def _no_hang():
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


def frame(rows: int = 120, columns: int = 160) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (rows, columns, 3), np.uint8)


def digest(maps) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(maps[name]).tobytes() for name in maps)).hexdigest()


@pytest.fixture(scope="module")
def expected() -> str:
    """The maps of the sample pilot, computed by one thread."""
    return digest(Extractor(samples.pilot(), "*")(frame()))


PRELUDE = """
import faulthandler, gc, hashlib, os, signal, sys, threading, time
faulthandler.dump_traceback_later(60, exit=True)
import numpy as np
from fastact import samples
from fastact.extractor import Extractor

picture = np.random.default_rng(7).integers(0, 256, (120, 160, 3), np.uint8)

def digest(maps):
    return hashlib.sha256(b"".join(np.ascontiguousarray(maps[name]).tobytes() for name in maps)).hexdigest()

def extractor(threads):
    return Extractor(samples.pilot(), "*", threads=threads)
"""


def child(code: str, *arguments: str) -> str:
    """What a process of its own prints; it must end well, and say nothing on stderr."""
    command = [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


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


# Several threads of Python's.


def together(*jobs) -> None:
    """Runs the jobs at once, each in a thread; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(job) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    if failures:
        raise failures[0]


def repeatedly(extract: Extractor, wanted: str, times: int = 100):
    def job() -> None:
        for _ in range(times):
            assert digest(extract(frame())) == wanted

    return job


def test_two_extractors_in_two_threads(expected) -> None:
    together(*(repeatedly(Extractor(samples.pilot(), "*", threads=2), expected) for _ in range(2)))


def test_one_extractor_in_three_threads(expected) -> None:
    shared = Extractor(samples.pilot(), "*", threads=2)
    together(*[repeatedly(shared, expected)] * 3)


# Forks, signals, interrupts.


def test_a_forked_child_computes_and_so_does_its_parent(expected) -> None:
    said = child("""
        extract = extractor(2)
        wanted = digest(extract(picture))
        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                good = all(digest(extract(picture)) == wanted for _ in range(20))
                if os.fork() == 0:  # and a child's child
                    os._exit(digest(extract(picture)) != wanted)
                os._exit(not good or os.wait()[1] != 0)
            children.append(pid)
            assert all(digest(extract(picture)) == wanted for _ in range(20))
        print(wanted, [os.waitpid(pid, 0)[1] for pid in children])
    """)
    assert said == f"{expected} [0, 0, 0]"


def test_a_fork_while_another_thread_is_in_a_run(expected) -> None:
    said = child("""
        extract, statuses, ended = extractor(2), [], threading.Event()
        wanted = digest(extract(picture))
        wrong = []

        def busy():
            while not ended.is_set():
                if digest(extract(picture)) != wanted:
                    wrong.append(1)

        worker = threading.Thread(target=busy)
        worker.start()
        for i in range(20):
            time.sleep(0.0007 * i)
            pid = os.fork()
            if pid == 0:
                os._exit(any(digest(extract(picture)) != wanted for _ in range(3)))
            statuses.append(os.waitpid(pid, 0)[1])
        ended.set()
        worker.join()
        print(wanted, sum(statuses), len(wrong))
    """)
    assert said == f"{expected} 0 0"


def digests_of_two_frames(threads: int) -> list[str]:
    """What a spawned process computes."""
    extract = Extractor(samples.pilot(), "*", threads=threads)
    return [digest(extract(frame())) for _ in range(2)]


def test_a_spawned_process(expected) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(digests_of_two_frames, (2,)).get(PATIENCE - 10) == [expected] * 2


def test_a_signal_every_millisecond(expected) -> None:
    said = child("""
        heard = [0]
        signal.signal(signal.SIGALRM, lambda *_: heard.__setitem__(0, heard[0] + 1))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        extract = extractor(2)
        results = {digest(extract(picture)) for _ in range(400)}
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(*results, heard[0] > 100)
    """)
    assert said == f"{expected} True"


def test_an_interrupted_run_leaves_the_extractor_usable(expected) -> None:
    said = child("""
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        sys.unraisablehook = lambda _: None  # an interrupt in a finalizer is lost, says Python; the next one is not
        extract, interrupted, results = extractor(2), 0, set()
        for i in range(100):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + 0.00007 * i, 0.05)
                while True:
                    extract(picture)
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
                interrupted += 1
            results |= {digest(extract(picture)), digest(extract(picture))}
        print(*results, interrupted)
    """)
    assert said == f"{expected} 100"


def test_an_interrupt_at_any_line_leaves_the_extractor_usable(expected) -> None:
    """Python raises KeyboardInterrupt between any two of its instructions: here at every line of a run in turn."""
    said = child("""
        import linecache

        class Interrupt:
            def __init__(self, line):
                self.left = line

            def __call__(self, frame, event, argument):
                if "fastact" not in frame.f_code.co_filename and "kernels" not in frame.f_code.co_filename:
                    return None
                # Python looks for signals at no point between the end of a with block and what it calls there.
                line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
                if event == "line" and not line.lstrip().startswith("with "):
                    self.left -= 1
                    if self.left == 0:
                        raise KeyboardInterrupt
                return self

        sys.unraisablehook = lambda _: None  # as above
        other, wrong, line, ended = 255 - picture, [], 0, False
        wanted = digest(extractor(2)(picture))
        while not ended:
            line += 1
            extract = extractor(2)
            # On even lines a later run than the first, which starts the team and makes the plan.
            kept = None if line % 2 else extract(other)
            sys.settrace(Interrupt(line // 2 + 1))
            try:
                extract(other)
                ended = line > 20
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(None)
            del kept  # its memory, full of the other picture's maps, is used again
            both = extract(picture), extract(picture)
            if any(digest(maps) != wanted for maps in both):
                wrong.append(line)
        print(wanted, wrong, line > 20)
    """)
    assert said == f"{expected} [] True"


# What threads cost, and that they end.


@pytest.mark.alone
def test_an_idle_team_costs_next_to_nothing(record_property) -> None:
    busy, pause = map(
        float,
        child("""
            extract = extractor(2)
            for _ in range(20):
                extract(picture)
            time.sleep(0.2)
            start, cpu = time.perf_counter(), time.process_time()
            for i in range(1, 61):
                extract(picture)
                time.sleep(max(0, start + i / 20 - time.perf_counter()))
            busy = (time.process_time() - cpu) / (time.perf_counter() - start)
            extract(picture)
            cpu = time.process_time()
            time.sleep(1)
            print(busy, time.process_time() - cpu)
        """).split(),
    )
    record_property("cpu_at_20_frames_a_second", busy)
    record_property("cpu_seconds_of_a_pause", pause)
    assert busy < IDLE_LIMIT, f"{busy:.1%} of a core at 20 frames a second"
    assert pause < 0.005, f"{1000 * pause:.1f} ms in a pause of 1 s"


def settled(count: int) -> bool:
    """Whether the process comes down to `count` threads."""
    for _ in range(500):
        gc.collect()
        if threading.active_count() <= count:
            return True
        time.sleep(0.01)
    return False


def test_threads_end_with_their_extractor() -> None:
    before = threading.active_count()
    extract = Extractor(samples.pilot(), threads=5)
    assert threading.active_count() == before, "none is started before it is needed"
    extract(frame())
    assert threading.active_count() == before + 4
    extract(frame())
    assert threading.active_count() == before + 4
    del extract
    assert settled(before)


def test_many_extractors_leave_no_threads() -> None:
    before = threading.active_count()
    model = load(samples.pilot())
    for _ in range(50):
        Extractor(model, "n_outputs0", threads=3)(frame())
    assert settled(before)


@pytest.mark.parametrize("state", ["idle", "just after a run"])
def test_the_interpreter_ends_with_live_extractors(state: str) -> None:
    child(
        """
        live = [extractor(n) for n in (2, 3, 4)]
        for extract in live:
            extract(picture)
        if sys.argv[1] == "idle":
            time.sleep(0.05)
        faulthandler.dump_traceback_later(5, exit=True)  # from here on all is over at once
        """,
        state,
    )


def test_the_interpreter_ends_while_a_daemon_computes() -> None:
    child("""
        started = threading.Event()

        def forever():
            extract = extractor(2)
            while True:
                extract(picture)
                started.set()

        for _ in range(2):
            threading.Thread(target=forever, daemon=True).start()
        started.wait()
        faulthandler.dump_traceback_later(5, exit=True)
    """)


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
    before, started = threading.active_count(), []
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
