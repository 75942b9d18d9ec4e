"""One engine in a process of its own, doing what it is told: what `turns` starts for each engine.

    python -m fastact.bench.peers.worker NAME MODULE THREADS

A process of its own keeps one engine's threads and settings away from another's measurement, and lets it be stopped
while another has its turn. Commands and answers are lines of JSON on standard input and output.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastact.bench.peers.network import Floats, PeerError
from fastact.bench.peers.rivals import FASTACT
from fastact.bench.peers.task import Task
from fastact.errors import FastactError

TOLERANCE = 1e-5
"""The largest difference allowed, as a part of the map's largest value."""

_WARM_SECONDS, _WARM_FRAMES = 0.003, 2
_MOST_FRAMES = 30


def difference(names: Sequence[str], ours: Sequence[Floats], rival: Sequence[Floats]) -> float:
    """The largest difference of any map, as a part of its largest value.

    Raises:
        PeerError: maps differ in number, in shape or by more than `TOLERANCE`.
    """
    if len(ours) != len(names) or len(rival) != len(names):
        raise PeerError(f"{len(names)} maps are wanted; fastact gives {len(ours)} and the rival {len(rival)}")
    largest = 0.0
    for name, a, b in zip(names, ours, rival, strict=True):
        if a.shape != b.shape:
            raise PeerError(f"the maps of {name!r} differ in shape: fastact's is {a.shape}, the rival's {b.shape}")
        scale = float(np.abs(a).max()) or 1.0
        this = float(np.abs(a.astype(np.float64) - b).max()) / scale
        if not this <= TOLERANCE:  # NaN is refused too
            raise PeerError(f"the maps of {name!r} differ by {this:.1e} of their largest value: nothing is timed")
        largest = max(largest, this)
    return largest


def timed(run: Callable[[], object], seconds: float) -> list[int]:
    """Nanoseconds of each frame of a turn of about `seconds`, after a few frames that are not counted.

    Those bring the engine's weights and maps back into the caches that others have just filled, and wake its threads,
    as they are when an engine runs frame after frame.
    """
    times: list[int] = []
    gc.disable()
    try:
        end, warmed = time.perf_counter() + _WARM_SECONDS, 0
        while warmed < _WARM_FRAMES or time.perf_counter() < end:
            run()
            warmed += 1
        end = time.perf_counter() + seconds
        while len(times) < 2 or (time.perf_counter() < end and len(times) < _MOST_FRAMES):
            start = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - start)
    finally:
        gc.enable()
    return times


class Worker:
    """The engine and what it has been given."""

    def __init__(self, name: str, module: str, threads: int) -> None:
        self._own, self._threads = name == FASTACT.name, threads
        self._make: Any = importlib.import_module(module).Engine
        self._engine: Any = None
        self._names: tuple[str, ...] = ()
        self._expected = Path()
        self._peak: Any = None
        if self._own:
            from fastact.bench.peak import Peak
            from fastact.kernels.cpu import library

            self._peak = Peak(library.load(), threads)

    def prepare(self, task: dict[str, Any], frame: str, expected: str) -> dict[str, Any]:
        """Gets ready for a task: fastact's maps are written to `expected`, others' are compared with them."""
        chosen, shown = Task.of(task), np.load(frame)
        model = chosen.model()
        network = chosen.network(model)
        self._names, self._expected = network.outputs, Path(expected)
        if self._own:
            self._engine = self._make(model, network.outputs, shown, self._threads)
            np.savez(self._expected, *self._engine.maps(self._engine.run()))
            return {"version": self._engine.version, "difference": 0.0, "way": ""}
        ways = {"": False} if shown.dtype == np.float32 else {"by NumPy": False, "in the model": True}
        engines = {way: self._make(network, shown, self._threads, inside) for way, inside in ways.items()}
        apart = max(self._compare(engine) for engine in engines.values())
        best = next(iter(engines))
        if len(engines) > 1:
            best = min(engines, key=lambda way: statistics.median(timed(engines[way].run, 0.02)))
        self._engine = engines[best]
        return {"version": self._engine.version, "difference": apart, "way": best}

    def _compare(self, engine: Any) -> float:
        with np.load(self._expected) as saved:
            expected = [saved[name] for name in saved.files]
        return difference(self._names, expected, engine.maps(engine.run()))

    def turn(self, seconds: float) -> dict[str, Any]:
        """Frames for about `seconds`; fastact's turn begins with the machine's peak, in GFLOP/s."""
        peak = self._peak.burst() / 1e9 if self._own else 0.0
        return {"times": timed(self._engine.run, seconds), "peak": peak}

    def check(self) -> dict[str, Any]:
        """Compares once more: what was computed last is what was checked first."""
        return {"difference": self._compare(self._engine)}


def main() -> None:
    """Answers commands until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this, who ends it
    name, module, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    worker: Worker | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            worker = worker or Worker(name, module, int(threads))
            kind = command.pop("do")
            answer = {} if kind == "start" else getattr(worker, kind)(**command)
        except (FastactError, ImportError, ValueError, RuntimeError, TypeError, OSError) as error:
            answer = {"error": f"{error}".strip().partition("\n")[0] or type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
