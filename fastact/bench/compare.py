"""Two reports side by side, with their noise taken into account.

Two runs of one program on one machine never take the same time: memory lies elsewhere, clocks and other programs
differ. Two sets of times are called different only where both the typical and the quick runs are, in the same
direction, by more than the runs of either set and the machine's own peak vary. Other programs lengthen typical runs and
leave the quick ones, which slower code does not.

Threads are as quick as the cores they have: another program that takes one of two may double every time of a run. Where
on one machine the cores they had differ between two reports, the time that passed tells nothing; CPU time does.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastact.bench import words
from fastact.bench.result import Report, Size
from fastact.bench.tables import Table
from fastact.bench.times import Times, median_error, quantile

_LEAST = 0.05
"""Differences smaller than this are not told from where memory lies: 4 % were seen between two equal plans."""
_LEAST_OF_LAYERS = 0.15
"""The same of layers, each timed once a round, and of the CPU time of one thread that had another share of its core:
other programs empty its caches."""
_LEAST_OF_WAITING = 0.3
"""The same of the CPU time of several threads that had another share: who waits for a thread without a core is busy."""
_SHORTEST = 5e-6
"""Seconds: what starting a stretch of steps, and reading the clock before and after it, varies by."""

_QUICK = 0.1
_BLOCKS = 5

_CORES = 0.15
"""By how much, as a part, the cores that threads had in two reports may differ, if times are to be compared."""


@dataclass(frozen=True)
class Difference:
    """What became of one time.

    Attributes:
        ratio: the second median over the first.
        noise: what that may be off by, as a part.
        real: whether it is more than noise.
        told: False where the times were not taken under the same conditions, and say nothing of the code.
    """

    ratio: float
    noise: float
    real: bool
    told: bool = True

    @property
    def words(self) -> str:
        """Slower, faster, or no difference."""
        if not self.told:
            return "cannot be told"
        if not self.real:
            return "no difference"
        if self.ratio > 1:
            return f"{self.ratio:.2f} times slower"
        return f"{1 / self.ratio:.2f} times faster"


@dataclass(frozen=True)
class Comparison:
    """A table, and sentences on what it means."""

    table: Table
    sentences: tuple[str, ...]


def difference(first: Times, second: Times, drifted: float = 0.0, least: float = _LEAST) -> Difference:
    """Whether the second times differ by more than `least`; `drifted` is by how much the machine's own speed does.

    Both are parts. Where a typical run took no time by its clock, nothing can be told.
    """
    if not (first.median and second.median):
        return Difference(1.0, 1.0, real=False, told=False)
    ratio = second.median / first.median
    quick = quantile(sorted(second.runs), _QUICK) / (quantile(sorted(first.runs), _QUICK) or math.inf)
    noise = least + drifted + math.hypot(_uncertainty(first), _uncertainty(second))
    same_way = (ratio > 1) == (quick > 1)
    long = abs(second.median - first.median) > _SHORTEST
    real = long and same_way and abs(math.log(ratio)) > noise and quick > 0 and abs(math.log(quick)) > least + drifted
    return Difference(ratio, noise, real)


def _uncertainty(times: Times) -> float:
    """How much the median may be off, as a part: the larger of what chance and what drift over the run suggest.

    Chance: the 99 % interval of the median by order statistics. Drift: how far the medians of fifths of the run, one
    after the other, lie from the whole's.
    """
    count, chance = len(times.runs), median_error(times.runs, 2.6)
    blocks = [sorted(times.runs[count * i // _BLOCKS : count * (i + 1) // _BLOCKS]) for i in range(_BLOCKS)]
    medians = [quantile(block, 0.5) for block in blocks if block]
    return max(chance, (max(medians) - min(medians)) / 2 / times.median)


def compare(first: Report, second: Report) -> Comparison:
    """The sizes both have, whole frames and layers."""
    drifted = _drift(first, second)
    pairs = [(a, b) for a in first.sizes for b in second.sizes if a.label == b.label]
    rows: list[tuple[str, ...]] = []
    for a, b in pairs:
        rows += _rows(a, b, drifted, _told(first, second, a, b))
    head = ("input", "what", "first", "second", "ratio", "noise", "")
    table = Table("First and second report", head, tuple(rows), names=2)
    return Comparison(table, tuple(_sentences(first, second, pairs, drifted)))


def _drift(first: Report, second: Report) -> float:
    """By how much the machine's own peak differs, the best and the typical burst: code is not to blame for that.

    Between two machines, or numbers of threads, there is none, since that difference is what one wants to see.
    """
    if not _alike(first, second) or first.ability is None or second.ability is None:
        return 0.0
    return drift(first.ability.bursts, second.ability.bursts)


def _alike(first: Report, second: Report) -> bool:
    """Whether one machine made both reports, with as many threads."""
    machines = [(report.machine.cpu, report.machine.board, report.threads) for report in (first, second)]
    return machines[0] == machines[1]


@dataclass(frozen=True)
class _Told:
    """Whether, of one size, times of frames and of layers can be compared, and what is least to be told of CPU time."""

    frames: bool
    layers: bool
    least_of_cpu: float = _LEAST


def _told(first: Report, second: Report, a: Size, b: Size) -> _Told:
    """Whether the threads had the same share of the machine, while frames were timed and while layers were.

    Layers are timed one by one between frames: together they take as long as a frame, or had another share.
    """
    one_clock = first.layers_clock == second.layers_clock
    if not _alike(first, second) or first.ability is None or second.ability is None:
        return _Told(True, one_clock)
    frames = not _apart(a.cores, b.cores)
    least = _LEAST if frames else _LEAST_OF_LAYERS if first.threads == 1 else _LEAST_OF_WAITING
    if first.layers_clock == "cpu":
        return _Told(frames, one_clock, least)
    sums = (sum(layer.times.median for layer in size.layers) / size.frame.median for size in (a, b))
    return _Told(frames, one_clock and frames and not _apart(*sums), least)


def _apart(first: float, second: float) -> bool:
    return first <= 0 or second <= 0 or abs(math.log(first / second)) > _CORES


def drift(first: Sequence[float], second: Sequence[float]) -> float:
    """By how much a machine's bursts in two runs differ, as a part: by the best or by the median, whichever is more."""
    pairs = ((max(first), max(second)), (statistics.median(first), statistics.median(second)))
    return max(abs(math.log(a / b)) for a, b in pairs)


def _rows(first: Size, second: Size, drifted: float, told: _Told) -> Iterator[tuple[str, ...]]:
    frame = dataclasses.replace(difference(first.frame, second.frame, drifted), told=told.frames)
    yield (first.label, "frame", *_cells(first.frame, second.frame, frame))
    if min(*first.cpu.runs, *second.cpu.runs) > 0:  # some systems count CPU time in hundredths of a second
        computing = difference(first.cpu, second.cpu, drifted, told.least_of_cpu)
        yield (first.label, "frame, CPU time", *_cells(first.cpu, second.cpu, computing))
    others = {layer.names: layer.times for layer in second.layers}
    for layer in first.layers:
        if layer.names in others:
            before, after = layer.times, others[layer.names]
            found = difference(before, after, drifted, _LEAST_OF_LAYERS)
            found = dataclasses.replace(found, told=found.told and told.layers)
            yield (first.label, layer.name, *_cells(before, after, found))


def _cells(first: Times, second: Times, found: Difference) -> tuple[str, ...]:
    return (
        words.milliseconds(first.median),
        words.milliseconds(second.median),
        f"{found.ratio:.2f}",
        f"{found.noise:.0%}",
        found.words,
    )


def _sentences(
    first: Report, second: Report, pairs: Sequence[tuple[Size, Size]], drifted: float
) -> Iterator[str]:  # fmt: skip
    for name, report in (("First", first), ("Second", second)):
        yield (
            f"{name}: {report.subject.name} on {words.where(report.machine)}, {words.threads(report.threads)}, "
            f"fastact {report.fastact}, {words.moment(report.made)}."
        )
    if first.subject.sha256 != second.subject.sha256:
        yield "The two reports are of different model files."
    if first.threads != second.threads:
        yield "The two reports were made with different numbers of threads."
    if first.layers_clock != second.layers_clock:
        yield "Layers were timed by CPU time in one report and by time that passed in the other: compare whole frames."
    if not pairs:
        yield "The two reports have no size in common."
    for a, b in pairs:
        told = _told(first, second, a, b)
        if not told.frames:
            yield _not_told(a, b, difference(a.cpu, b.cpu, drifted, told.least_of_cpu))
            continue
        found = difference(a.frame, b.frame, drifted)
        noise = f"the noise is {found.noise:.0%}"
        if found.real:
            yield f"At {a.label} the second is {found.words}; {noise}."
        else:
            yield f"At {a.label} there is no difference: a ratio of {found.ratio:.2f} is within the noise; {noise}."


def _not_told(first: Size, second: Size, cpu: Difference) -> str:
    """Of a size at which the threads had more of the cores in one report than in the other."""
    by_cpu = f"{'the second is' if cpu.real else 'there is'} {cpu.words}" if cpu.told else "it cannot be told either"
    return (
        f"At {first.label} it cannot be told from the time that passed: the threads had {first.cores:.1f} cores in the "
        f"first report and {second.cores:.1f} in the second, as when other programs run. By CPU time {by_cpu}."
    )
