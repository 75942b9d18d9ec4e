"""fastact beside its rivals in one run: the one table, and the README's and docs/benchmarks.md written from it.

    python -m benchmarks.report                                                 prints the table
    python -m benchmarks.report --write README.md --details docs/benchmarks.md  writes both files, too

Figures in either file are written by this command and by no hand. Takes about eight minutes on two cores.

Exit status: 0; 1 if an engine's maps differ or a rival could not be measured: nothing is written then. Rivals that are
not installed are named and left out.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers, process
from benchmarks.cases import pilots
from benchmarks.common import BenchmarkError, cores, cpu_name, markdown, replace_file, run_command, table
from fastact.bench.peers.rivals import FASTACT, RIVALS, absent

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

HOW = """Engines take turns in one run, each in a process of its own that is stopped while another has its turn, with
the same number of threads, and with weights, frame and outputs in memory of its own before the clock starts. All maps
are compared first, and nothing is timed that differs by more than 1e-5 of a map's largest value. A turn is some
frames to warm up, then some milliseconds of frames; there are as many rounds of turns as it takes to know the median
of the rounds' ratios to about a per cent, and the order changes from round to round. A float frame lies in the
engine's own layout; a uint8 frame is an array of (rows, columns, channels), as a camera gives it, that a rival
converts by NumPy or in its model, whichever was faster for it. The peak of the cores is what multiply-adds on
registers alone reach in the same rounds."""


@dataclass(frozen=True)
class Figures:
    """All that was measured, by which command."""

    frames: Sequence[peers.Result]
    processes: Sequence[process.Result]
    command: str

    @property
    def where(self) -> str:
        """The machine, the day, the versions and the command."""
        versions = {r.engine: r.version for results in (self.frames, self.processes) for c in results for r in c.rows}
        named = [f"{engine} {version}" for engine, version in versions.items() if engine not in _NO_VERSION]
        return (
            f"{cpu_name()}, {cores()} cores, {time.strftime('%Y-%m-%d')}; {', '.join(named)}, "
            f"Python {platform.python_version()}. All maps agree to {self._agreement:.0e} of a layer's largest value. "
            f"Printed by `{self.command}`."
        )

    @property
    def _agreement(self) -> float:
        return max((row.difference for r in self.frames for row in r.rows), default=0.0)

    def engines(self, results: Sequence[peers.Result] | Sequence[process.Result]) -> list[str]:
        """Every engine of `results` in order."""
        return list(dict.fromkeys(row.engine for r in results for row in r.rows))


_MAIN = "article's network"
"""What the README is most about."""

_NO_VERSION = ("fastact extract --save npz", "Keras (TensorFlow)")
"""What is a version of another row's engine."""


def readme(made: Figures) -> str:
    """The tables for people: the article's network in milliseconds, all else as ratios, whole processes."""
    parts = [
        "One frame of the article's network (the sample pilot), warm: every convolution's map, float32; the least "
        "milliseconds of a frame, and in brackets the median of the rounds' ratios to fastact's time; of the peak, all "
        "multiply-adds that the network has are counted, though fastact does without some of them.",
        _times(made),
        "How many times fastact's time other networks and frames take, one thread: donkeycar's linear pilot, every "
        "convolution's map; from a uint8 frame, the conversion counted; MobileNetV2 (0.35, 96x96) and a small U-Net "
        "(128x128), every layer's map.",
        _ratios(made),
        "A whole process on the article's network: start, read the model and a picture, compute, write an `.npz`; "
        f"seconds and peak memory, medians of {max((r.runs for r in made.processes), default=0)} runs each, with the "
        "threads each takes by itself and fastact's kernels compiled beforehand.",
        _processes(made),
        f"{made.where} How it is measured, and every figure: [docs/benchmarks.md](docs/benchmarks.md).",
    ]
    return "\n\n".join(part for part in parts if part)


def details(made: Figures) -> str:
    """The whole of docs/benchmarks.md."""
    head = peers.HEAD
    return (
        "\n\n".join(
            [
                "# Benchmarks",
                f"Written by `{made.command}`; a figure changed by hand would be lost.",
                HOW,
                made.where,
                "Milliseconds of a frame, or of a process from start to end with its peak memory; `of peak` is the "
                "network's floating-point operations (a multiply-add counted as two) over those that as many cores can "
                "do, which may be more than all: computing two pixels together takes fewer (docs/architecture.md); "
                "`x fastact` is the median of the rounds' ratios to fastact's time, and beside it their quartiles. The "
                "pilots' maps are those of every convolution; the other networks' are those of every layer.",
                markdown(head, rows(made)),
            ]
        )
        + "\n"
    )


def rows(made: Figures) -> list[tuple[str, ...]]:
    """The one table's rows."""
    frames = [row for r in made.frames for row in peers.cells(r)]
    return frames + [row for r in made.processes for row in process.cells(r)]


def _times(made: Figures) -> str:
    chosen = [r for r in made.frames if r.label.startswith(_MAIN) and r.frame == "float32" and r.rows]
    chosen.sort(key=lambda r: [f.label for f in made.frames].index(r.label))
    head = ["engine", *(f"{_size(r.label)}, {_threads(r.threads)}" for r in chosen)]

    def cell(row: peers.Row) -> str:
        beside = f"{row.share:.0%} of peak" if row.engine == FASTACT.name else f"{row.ratio:.2f}x"
        return f"{row.minimum:.2f} ({beside})"

    return _table(head, chosen, made, cell)


def _ratios(made: Figures) -> str:
    chosen = [
        r for r in made.frames if r.threads == 1 and r.rows and not (r.label.startswith(_MAIN) and r.frame == "float32")
    ]
    chosen = [r for r in chosen if r.label.startswith(_MAIN) or r.frame == "float32"]
    head = ["engine", *(r.label + (", uint8" if r.frame == "uint8" else "") for r in chosen)]
    return _table(head, chosen, made, lambda row: f"{row.ratio:.2f}")


def _table(head: Sequence[str], chosen: Sequence[peers.Result], made: Figures, cell: Callable[[peers.Row], str]) -> str:
    body = []
    for name in made.engines(chosen):
        found = [r.row(name) for r in chosen]
        body.append([name, *("" if f is None else cell(f) for f in found)])
    return markdown(head, body) if chosen else ""


def _processes(made: Figures) -> str:
    chosen = [r for r in made.processes if r.label.startswith(_MAIN)]
    head = ["engine", *(_size(r.label) for r in chosen)]
    body = []
    for name in made.engines(chosen):
        found = [next((row for row in r.rows if row.engine == name), None) for r in chosen]
        body.append([name, *("" if f is None else f"{f.seconds:.2f} s, {f.memory / 1e6:.0f} MB" for f in found)])
    return markdown(head, body)


def _size(label: str) -> str:
    return label.rpartition(" ")[2]


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def written(text: str, made: str, name: str) -> str:
    """`text` with `made` between its two marks.

    Raises:
        BenchmarkError: the marks are not there once each, in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise BenchmarkError(f"{name} needs one line {BEGIN} and after it one line {END}: figures go between them")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}"


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}") from error


def measured(options: argparse.Namespace, command: str) -> Figures:
    """Everything, with a word on how far it is."""
    frames: list[peers.Result] = []
    processes: list[process.Result] = []
    with tempfile.TemporaryDirectory() as name:
        wanted = peers.matrix(Path(name))
        for threads in peers.thread_counts():
            for result in peers.measure(wanted, threads, RIVALS, options.seconds, options.rounds):
                print(f"{result.title}: {result.rounds} rounds", file=sys.stderr, flush=True)
                frames.append(result)
        for case in pilots(Path(name)):
            processes.append(process.measure(case, process.PROGRAMS, options.runs))
            print(f"{processes[-1].label}, whole process: {options.runs} runs", file=sys.stderr, flush=True)
    return Figures(frames, processes, command)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, help="the file to put the short tables into, between its two marks")
    parser.add_argument("--details", type=Path, help="the file to write every figure to")
    peers.add_options(parser)
    parser.add_argument("--runs", type=int, default=5, help="of each engine's whole process (5)")
    options = parser.parse_args(argv)
    peers.check_options(options)
    if options.runs < 1:
        raise BenchmarkError("--runs must be 1 or more")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    options = _parsed(argv)
    if options.write:
        written(read(options.write), "", str(options.write))  # refused before minutes are spent
    command = shlex.join(["python", "-m", "benchmarks.report", *(sys.argv[1:] if argv is None else argv)])
    made = measured(options, command)
    print(f"{made.where}\n\n{table(peers.HEAD, rows(made))}\n")
    missing = absent([*RIVALS, *(p.engine for p in process.PROGRAMS)])
    if missing:
        print(missing)
    failed = peers.failures(made.frames)
    failed += [f"{name} is not measured on {r.label}: {why}" for r in made.processes for name, why in r.failed.items()]
    if failed:
        print("\n".join(failed))
        print("nothing is written" if options.write or options.details else "")
        return 1
    if options.write:
        replace_file(options.write, written(read(options.write), readme(made), str(options.write)))
    if options.details:
        replace_file(options.details, details(made))
    return 0


if __name__ == "__main__":
    run_command(main)
