"""fastact and one rival in one process, in turn: what `peers` starts for each rival.

    python -m benchmarks.pair MODULE MODEL WIDTHxHEIGHT|- ROUNDS FILE

A process of its own keeps one rival's threads and settings away from another's measurement.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.cases import Case, frame, parse_size
from benchmarks.chain import Floats, chain_of
from benchmarks.common import BenchmarkError, run_command
from benchmarks.engines import ours
from benchmarks.peak import Peak

TOLERANCE = 1e-5
"""The largest difference allowed, as a part of the map's largest value."""

_WARM_UP = 5


class Runs(Protocol):
    """What is needed of an engine here."""

    version: str

    def run(self) -> object:
        """Computes one frame."""

    def maps(self, result: object) -> Sequence[Floats]:
        """Its maps, channels last."""


@dataclass(frozen=True)
class Pair:
    """What was measured: nanoseconds a round of each, in the order of the rounds.

    Attributes:
        difference: the largest between two maps, as a part of the map's largest value.
        peak: GFLOP/s of the core, the largest of a burst a round.
    """

    version: str
    difference: float
    ours: list[int]
    rival: list[int]
    peak: float


def difference(names: Sequence[str], ours: Sequence[Floats], rival: Sequence[Floats]) -> float:
    """The largest difference of any map, as a part of its largest value.

    Raises:
        BenchmarkError: maps differ in number, in shape or by more than `TOLERANCE`.
    """
    if len(ours) != len(names) or len(rival) != len(names):
        raise BenchmarkError(f"{len(names)} maps are wanted; fastact gives {len(ours)} and the rival {len(rival)}")
    largest = 0.0
    for name, a, b in zip(names, ours, rival, strict=True):
        if a.shape != b.shape:
            raise BenchmarkError(f"the maps of {name!r} differ in shape: fastact's is {a.shape}, the rival's {b.shape}")
        scale = float(np.abs(a).max()) or 1.0
        this = float(np.abs(a.astype(np.float64) - b).max()) / scale
        if not this <= TOLERANCE:  # NaN is refused too
            raise BenchmarkError(f"the maps of {name!r} differ by {this:.1e} of their largest value: nothing is timed")
        largest = max(largest, this)
    return largest


def measure(names: Sequence[str], fastact: Runs, rival: Runs, rounds: int, burst: Callable[[], float]) -> Pair:
    """Checks the two against each other, then times them in turn, the order changing from round to round.

    Each turn is one frame untimed and one timed: the first brings the engine's weights and maps back into the caches
    that the other has just filled, as they are when an engine runs frame after frame. `burst` gives the core's speed.

    Raises:
        BenchmarkError: the maps are not the same.
    """
    apart = difference(names, fastact.maps(fastact.run()), rival.maps(rival.run()))
    times: dict[Runs, list[int]] = {fastact: [], rival: []}
    peak = 0.0
    gc.collect()
    gc.disable()
    try:
        for number in range(-_WARM_UP, rounds):
            peak = max(peak, burst())
            for engine in (fastact, rival) if number % 2 else (rival, fastact):
                engine.run()
                start = time.perf_counter_ns()
                engine.run()
                took = time.perf_counter_ns() - start
                if number >= 0:
                    times[engine].append(took)
    finally:
        gc.enable()
    # What was computed in the last round is what was checked before the first.
    difference(names, fastact.maps(fastact.run()), rival.maps(rival.run()))
    return Pair(rival.version, apart, times[fastact], times[rival], peak)


def main() -> int:
    module, path, size, rounds, out = sys.argv[1:]
    model = Case(Path(path), None if size == "-" else parse_size(size)).model()
    chain = chain_of(model)
    shown = frame(chain.input_shape)
    rival = importlib.import_module(module).Engine(chain, shown)
    pair = measure([c.name for c in chain.convs], ours.Engine(model, shown), rival, int(rounds), Peak().burst)
    Path(out).write_text(json.dumps(asdict(pair)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_command(main)
