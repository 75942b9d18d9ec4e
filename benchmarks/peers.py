"""fastact beside its rivals: one frame, warm, from an array to arrays.

    python -m benchmarks.peers [--model FILE.h5] [--size 640x360] [--frame float32|uint8] [--threads N] [--engine NAME]
                               [--seconds S] [--json FILE]

By default the article's network and donkeycar's linear pilot at 160x120 and 640x360, every convolution's map, and
MobileNetV2 and a small U-Net, all maps; float32 frames and uint8 frames; one thread and two. Engines take turns, each
in a process of its own that is stopped while others have theirs; what counts is the median of the rounds' ratios,
which noise on the machine touches least. Maps are compared first: a rival whose maps differ is not timed. The peak of
the cores is measured in the same rounds.

Exit status: 0; 1 if fastact is slower than ONNX Runtime on one thread, or an engine's maps differ; 2 if nothing could
be measured or ONNX Runtime is not there to be compared with.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case, cases, frame, larger, parse_size, pilots
from benchmarks.common import BenchmarkError, cores, cpu_name, replace_file, run_command, table
from fastact import FastactError
from fastact.bench.peers.network import PeerError
from fastact.bench.peers.rivals import FASTACT, ONNX_RUNTIME, RIVALS, Rival, absent
from fastact.bench.peers.turns import Figures, Player, play, ratios

FRAMES = ("float32", "uint8")
SECONDS = 9.0
"""What a case may take, by default: all of them then take about four minutes."""


@dataclass(frozen=True)
class Row:
    """One engine's figures for one case.

    Attributes:
        minimum, median: milliseconds.
        share: of the peak of as many cores as there are threads, at the minimum.
        ratio: median of the rounds' ratios of this engine's time to fastact's, with their quartiles; 1 for fastact.
        way: who converts bytes.
    """

    engine: str
    version: str
    minimum: float
    median: float
    share: float
    ratio: float
    quartiles: tuple[float, float]
    difference: float
    way: str


@dataclass(frozen=True)
class Result:
    """What came out for one case: a row an engine, fastact's first, and why others have none."""

    label: str
    frame: str
    threads: int
    flops: int
    rounds: int
    peak: float
    rows: tuple[Row, ...]
    failed: dict[str, str]

    def row(self, engine: str) -> Row | None:
        """The engine's row."""
        return next((r for r in self.rows if r.engine == engine), None)

    @property
    def title(self) -> str:
        """The case in words."""
        return f"{self.label}, {self.frame}, {self.threads} thread{'s' if self.threads > 1 else ''}"


def measure(
    chosen: Sequence[tuple[Case, str]], threads: int, rivals: Sequence[Rival], seconds: float, rounds: int | None
) -> Iterable[Result]:
    """Every case, shown frames of the given type, by every installed rival and fastact with `threads` threads."""
    with ExitStack() as stack:
        players, unfit = [], dict[str, str]()
        for engine in (FASTACT, *(r for r in rivals if r.installed)):
            players.append(stack.enter_context(Player(engine, threads)))
        for player in players[:]:
            try:
                player.ask("start")
            except PeerError as error:
                if player is players[0]:
                    raise
                unfit[player.engine.name] = str(error)
                players.remove(player)
        for case, dtype in chosen:
            try:
                model = case.model()
                network = case.network(model)
                figures, failed = play(players, case.task(model), frame(network.input_shape, dtype), seconds, rounds)
            except (BenchmarkError, FastactError) as error:
                label = case.name or case.path.name
                yield Result(label, dtype, threads, 0, 0, 0.0, (), {FASTACT.name: str(error)})
                continue
            yield _result(case.label(network.input_shape), dtype, threads, network.flops, figures, unfit | failed)


def _result(
    label: str, dtype: str, threads: int, flops: int, figures: dict[str, Figures], failed: dict[str, str]
) -> Result:
    own = figures[FASTACT.name]
    rows = tuple(_row(name, f, own, flops) for name, f in figures.items())
    return Result(label, dtype, threads, flops, len(own.turns), own.peak, rows, failed)


def _row(name: str, figures: Figures, own: Figures, flops: int) -> Row:
    least, against = min(figures.frames), sorted(ratios(own.medians, figures.medians))
    quarter = len(against) // 4
    return Row(
        name,
        figures.version,
        least / 1e6,
        statistics.median(figures.frames) / 1e6,
        flops / least / own.peak,
        statistics.median(against),
        (against[quarter], against[-1 - quarter]),
        figures.difference,
        figures.way,
    )


HEAD = ("network", "frame", "threads", "engine", "min ms", "median ms", "of peak", "x fastact", "quartiles", "MB")


def cells(result: Result) -> list[tuple[str, ...]]:
    """The case's rows of the one table; the last column is that of whole processes."""
    return [
        (
            result.label,
            f"{result.frame}, {r.way}" if r.way else result.frame,
            str(result.threads),
            r.engine,
            f"{r.minimum:.3f}",
            f"{r.median:.3f}",
            f"{r.share:.0%}",
            f"{r.ratio:.2f}",
            "" if r.engine == FASTACT.name else f"{r.quartiles[0]:.2f}-{r.quartiles[1]:.2f}",
            "",
        )
        for r in result.rows
    ]


def failures(results: Sequence[Result]) -> list[str]:
    """A line for each engine that was not measured in a case."""
    return [f"{name} is not measured on {r.title}: {why}" for r in results for name, why in r.failed.items()]


def as_json(results: Sequence[Result]) -> str:
    """Everything measured, with the machine it was measured on."""
    made = [vars(r) | {"rows": [vars(row) for row in r.rows]} for r in results]
    return json.dumps({"cpu": cpu_name(), "cores": cores(), "cases": made}, indent=2) + "\n"


def verdict(results: Sequence[Result]) -> tuple[int, str]:
    """The exit status and why: one thread is what two engines can be held against each other on anywhere."""
    failed = [f"{name}, {r.title}" for r in results for name in r.failed]
    if failed:
        return 1, f"not measured: {'; '.join(failed)}"
    rows = [(r.title, r.row(ONNX_RUNTIME.name)) for r in results if r.threads == 1]
    if not rows or any(row is None for _, row in rows):
        return 2, "ONNX Runtime was not measured on one thread, and there is nothing to hold fastact against"
    slower = [f"{title} ({row.ratio:.2f})" for title, row in rows if row is not None and row.ratio < 1.0]
    if slower:
        return 1, f"fastact is slower than ONNX Runtime: {'; '.join(slower)}"
    least = min(row.ratio for _, row in rows if row is not None)
    return 0, f"fastact is no slower than ONNX Runtime, which takes at least {least:.2f} times its time"


def matrix(folder: Path) -> list[tuple[Case, str]]:
    """What is measured by default: pilots from both kinds of frames, the larger networks from floats."""
    return [(case, dtype) for case in pilots(folder) for dtype in FRAMES] + [(c, "float32") for c in larger(folder)]


def thread_counts() -> tuple[int, ...]:
    """One thread, and two where there are as many cores."""
    return (1, 2) if cores() > 1 else (1,)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how long to measure."""
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"the most a case may take ({SECONDS:g})")
    parser.add_argument("--rounds", type=int, help="exactly so many rounds a case; by default as many as it takes")


def check_options(options: argparse.Namespace) -> None:
    """Refuses numbers that make no sense."""
    for name, value in (("--rounds", options.rounds), ("--seconds", options.seconds)):
        if value is not None and not value >= 1:
            raise BenchmarkError(f"{name} must be 1 or more")


def _parsed(argv: Sequence[str] | None, rivals: Sequence[Rival]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, action="append", default=[], help="an .h5; by default the networks above")
    parser.add_argument("--size", action="append", default=[], help="width x height; by default the model's own")
    parser.add_argument("--frame", action="append", choices=FRAMES, help="only frames of this type")
    parser.add_argument("--threads", type=int, action="append", choices=range(1, 65), metavar="N", help="1 and 2")
    parser.add_argument("--engine", action="append", choices=[r.name for r in rivals], help="only this rival")
    add_options(parser)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args(argv)
    check_options(options)
    return options


def main(argv: Sequence[str] | None = None, rivals: Sequence[Rival] = RIVALS) -> int:
    options = _parsed(argv, rivals)
    chosen = [r for r in rivals if not options.engine or r.name in options.engine]
    if not any(r.installed for r in chosen):
        raise BenchmarkError(absent(chosen))
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        if options.model or options.size:
            sizes = [parse_size(s) for s in options.size]
            wanted = [(case, dtype) for case in cases(options.model, sizes) for dtype in FRAMES]
        else:
            wanted = matrix(Path(name))
        wanted = [(case, dtype) for case, dtype in wanted if not options.frame or dtype in options.frame]
        for threads in options.threads or thread_counts():
            for result in measure(wanted, threads, chosen, options.seconds, options.rounds):
                print(f"{result.title}: {result.rounds} rounds", file=sys.stderr, flush=True)
                results.append(result)
    print(f"{cpu_name()}, {cores()} cores\n")
    print(table(HEAD[:-1], [row[:-1] for r in results for row in cells(r)]) + "\n")
    for line in [*failures(results), *filter(None, [absent(chosen)])]:
        print(line)
    if options.json:
        replace_file(options.json, as_json(results))
    status, why = verdict(results)
    print(why)
    return status


if __name__ == "__main__":
    run_command(main)
