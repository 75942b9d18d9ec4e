"""Rounds, in which every size has its turn: frames, then layers, and the machine's own peak beside them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastact.bench.runner import Runner
from fastact.bench.speed import Speed

_TURN_SECONDS = 0.02
_LEAST_ROUNDS = 7
_MOST_FRAMES = 200_000
"""Of all sizes together: what keeps report.json at about ten megabytes, however long one measures."""

_SETTLED = 0.03
_MOST_WARM_UP = 1.5

_ASLEEP = 1e-3
"""Seconds after which a team's threads, which have nothing to do, are asleep."""


@dataclass(frozen=True)
class Turn:
    """One size's part of a round.

    Attributes:
        frames: seconds of each.
        cpu: seconds of CPU time of a frame, all threads together, the mean of the turn's.
        steps: seconds of each group of layers.
        copies: seconds of copying in and out, on a GPU.
    """

    frames: tuple[float, ...]
    cpu: float
    steps: tuple[float, ...]
    copies: tuple[float, float] | None = None


@dataclass(frozen=True)
class Round:
    """A burst of the CPU's peak in FLOP/s, and every size's turn, in the order of the sizes."""

    burst: float | None
    turns: tuple[Turn, ...]


def warm_up(runner: Runner) -> None:
    """Frames until three turns in a row take as long as each other, or a second and a half have passed."""
    end, medians = time.monotonic() + _MOST_WARM_UP, [math.inf]
    while time.monotonic() < end:
        start, times = time.monotonic(), list[float]()
        while time.monotonic() < start + _TURN_SECONDS or len(times) < 3:
            times.append(runner.frame())
        medians.append(statistics.median(times))
        last = medians[-3:]
        if len(medians) > 3 and max(last) - min(last) < _SETTLED * min(last):
            return


def rounds(
    runners: Sequence[Runner], speed: Speed, made: list[Round], seconds: float, progress: Callable[[float], None]
) -> None:
    """Rounds until `seconds` have passed, each added to `made` when it is whole; sizes take turns in being first."""
    start, frames = time.monotonic(), 0
    while True:
        passed, number = time.monotonic() - start, len(made)
        if number >= _LEAST_ROUNDS and (passed >= seconds or frames >= _MOST_FRAMES):
            return
        progress(min(1.0, passed / seconds))
        burst = speed.burst()
        order = [(number + i) % len(runners) for i in range(len(runners))]
        turns = {i: turn(runners[i]) for i in order}
        frames += sum(len(t.frames) for t in turns.values())
        made.append(Round(burst, tuple(turns[i] for i in range(len(runners)))))


def turn(runner: Runner, seconds: float = _TURN_SECONDS) -> Turn:
    """Frames for about `seconds`, at least one, and once through the layers."""
    times, cpu = frames(runner, seconds, 1)
    return Turn(tuple(times), cpu, tuple(runner.steps()), runner.profile.copies())


def frames(runner: Runner, seconds: float, least: int) -> tuple[list[float], float]:
    """Seconds of each of the frames, and CPU seconds of one, all threads together.

    The first, with cold caches, is left out of the times. CPU time is a mean: Linux adds what other threads computed
    to a process's only when they sleep, or at the scheduler's ticks, which come once in several frames.
    """
    before = _cpu_seconds()
    runner.frame()
    end, made = time.monotonic() + seconds, list[float]()
    while time.monotonic() < end or len(made) < least:
        made.append(runner.frame())
    return made, (_cpu_seconds() - before) / (len(made) + 1)


def _cpu_seconds() -> float:
    """CPU time of this process's threads, those of its teams asleep."""
    time.sleep(_ASLEEP)
    return time.process_time()
