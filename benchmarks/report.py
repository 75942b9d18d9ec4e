"""The README's tables of speed and memory, measured anew and written by this command and by no hand.

python -m benchmarks.report                      prints them as Markdown
python -m benchmarks.report --write README.md    puts them between the file's two marks
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import peers, process
from benchmarks.cases import cases, parse_size
from benchmarks.common import BenchmarkError, cores, cpu_name, markdown, replace_file, run_command
from benchmarks.engines import RIVALS

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def figures(frames: Sequence[peers.Result], processes: Sequence[process.Result], command: str) -> str:
    """Both tables, with where, when, of what and by which command they were measured."""
    versions = {row.engine: row.version for results in (frames, processes) for r in results for row in r.rows}
    python = f"Python {platform.python_version()}"
    parts = [
        f"One frame, warm: every convolution's map, float32, one thread; milliseconds, the least of "
        f"{_counts(r.rounds for r in frames)} runs, and how many times fastact's time that engine takes "
        "(median of runs in turn with fastact).",
        _frames(frames),
        "A whole process: start, read the model and a picture, compute, write an `.npz`; seconds and peak memory, "
        f"medians of {_counts(r.runs for r in processes)} runs each, with the threads each takes by itself and "
        "fastact's kernels compiled beforehand.",
        _processes(processes),
        f"{cpu_name()}, {cores()} cores, {time.strftime('%Y-%m-%d')}; "
        f"{', '.join([f'{engine} {version}' for engine, version in versions.items()] + [python])}. "
        f"The sample pilot; all maps agree to {_agreement(frames):.0e} of a layer's largest value. "
        f"Printed by `{command}`.",
    ]
    return "\n\n".join(parts)


def _counts(numbers: Iterable[int]) -> str:
    return " and ".join(dict.fromkeys(str(n) for n in numbers))


def _frames(results: Sequence[peers.Result]) -> str:
    head = ["engine"]
    for r in results:
        head += [f"{_size(r.label)}, ms", "x fastact"]
    head.append("of the core's peak")
    rows = []
    for name in dict.fromkeys(row.engine for r in results for row in r.rows):
        cells, shares = [name], []
        for r in results:
            row = next((row for row in r.rows if row.engine == name), None)
            cells += ["", ""] if row is None else [f"{row.minimum:.2f}", f"{row.ratio:.2f}"]
            shares += [] if row is None else [f"{row.gflops / row.peak:.0%}"]
        rows.append([*cells, ", ".join(shares)])
    return markdown(head, rows)


def _processes(results: Sequence[process.Result]) -> str:
    head = ["engine", *(_size(r.label) for r in results)]
    rows = []
    for name in dict.fromkeys(row.engine for r in results for row in r.rows):
        found = [next((row for row in r.rows if row.engine == name), None) for r in results]
        rows.append([name, *("" if f is None else f"{f.seconds:.2f} s, {f.memory / 1e6:.0f} MB" for f in found)])
    return markdown(head, rows)


def _size(label: str) -> str:
    return label.rpartition(" ")[2]


def _agreement(results: Sequence[peers.Result]) -> float:
    return max((row.difference for r in results for row in r.rows), default=0.0)


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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, help="the file to put the tables into")
    parser.add_argument("--rounds", type=int, help="of each pair of engines; by default 100 to 400, as the work is")
    parser.add_argument("--runs", type=int, default=7, help="of each engine's whole process (7)")
    options = parser.parse_args(argv)
    if options.write:
        written(read(options.write), "", str(options.write))  # refused before minutes are spent
    chosen = cases([], [parse_size("160x120"), parse_size("640x360")])
    frames = [peers.measure(case, RIVALS, options.rounds) for case in chosen]
    processes = [process.measure(case, process.PROGRAMS, options.runs) for case in chosen]
    failed = [f"{name}: {why}" for results in (frames, processes) for r in results for name, why in r.failed.items()]
    if failed:
        raise BenchmarkError(f"{failed[0]}; nothing is written")
    command = f"python -m benchmarks.report --write {options.write}" if options.write else "python -m benchmarks.report"
    made = figures(frames, processes, command)
    print(made)
    if options.write:
        replace_file(options.write, written(read(options.write), made, str(options.write)))
    return 0


if __name__ == "__main__":
    run_command(main)
