"""One frame, warm: every convolution's map, from an array to arrays, on one thread, fastact beside its rivals.

    python -m benchmarks.peers [--model FILE.h5] [--size 640x360] [--engine NAME] [--rounds N] [--json FILE]

Each rival runs in a process with fastact, the two in turn; what counts is the median of the ratios of the rounds, which
noise on the machine touches least. Maps are compared first: a rival whose maps differ is not timed. The core's peak
is measured in the same rounds.

Exit status: 0; 1 if fastact is slower than ONNX Runtime, or an engine's maps differ; 2 if nothing could be measured
or ONNX Runtime is not there to be compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, cases, parse_size
from benchmarks.chain import Chain, chain_of
from benchmarks.common import BenchmarkError, cores, cpu_name, replace_file, run_command, table
from benchmarks.engines import ONNX_RUNTIME, RIVALS, Rival
from fastact import __version__

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

_WORK = 15e9
"""Floating-point operations a rival computes in the rounds of a case, within 100 to 400 rounds."""


@dataclass(frozen=True)
class Row:
    """One engine's figures for one case.

    Attributes:
        minimum, median: milliseconds.
        gflops: floating-point operations of the chain over the minimum, in 1e9 a second.
        peak: the core's, in the same rounds.
        ratio: median of the rounds' ratios of this engine's time to fastact's; 1 for fastact.
    """

    engine: str
    version: str
    minimum: float
    median: float
    gflops: float
    peak: float
    ratio: float
    difference: float


@dataclass(frozen=True)
class Result:
    """What came out for one case: a row an engine, fastact's first, and why others have none."""

    label: str
    flops: int
    rounds: int
    rows: tuple[Row, ...]
    failed: dict[str, str]

    @property
    def onnx_runtime(self) -> Row | None:
        """ONNX Runtime's row."""
        return next((r for r in self.rows if r.engine == ONNX_RUNTIME.name), None)


def measure(case: Case, rivals: Sequence[Rival], rounds: int | None = None) -> Result:
    """Runs each installed rival beside fastact."""
    chain = chain_of(case.model())
    rounds = rounds or max(100, min(400, int(_WORK / chain.flops)))
    pairs: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for rival in rivals:
        if not rival.installed:
            continue
        try:
            pairs[rival.name] = _pair(case, rival, rounds)
        except BenchmarkError as error:
            failed[rival.name] = str(error)
    rows, size = [], f"{chain.input_shape[1]}x{chain.input_shape[0]}"
    if pairs:
        own = [t for pair in pairs.values() for t in pair["ours"]]
        peak = max(pair["peak"] for pair in pairs.values())
        rows.append(_row("fastact", __version__, chain, own, peak, 1.0, 0.0))
    for name, pair in pairs.items():
        ratio = statistics.median(b / a for a, b in zip(pair["ours"], pair["rival"], strict=True))
        rows.append(_row(name, pair["version"], chain, pair["rival"], pair["peak"], ratio, pair["difference"]))
    return Result(f"{case.path.name} at {size}", chain.flops, rounds, tuple(rows), failed)


def _row(
    name: str, version: str, chain: Chain, times: Sequence[int], peak: float, ratio: float, difference: float
) -> Row:
    least = min(times)
    return Row(name, version, least / 1e6, statistics.median(times) / 1e6, chain.flops / least, peak, ratio, difference)


def _pair(case: Case, rival: Rival, rounds: int) -> dict[str, Any]:
    """What `benchmarks.pair` measures in a process of its own."""
    size = "-" if case.size is None else f"{case.size[1]}x{case.size[0]}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pair.json"
        command = [sys.executable, "-m", "benchmarks.pair", rival.module, str(case.path), size, str(rounds), str(out)]
        done = subprocess.run(
            command, env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode or not out.exists():
            reason = done.stderr.strip().rpartition("\n")[2] or f"its process ended with status {done.returncode}"
            raise BenchmarkError(reason.removeprefix("error: "))
        measured: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return measured


def text(result: Result) -> str:
    """One case's table."""
    head = ("engine", "version", "min ms", "median ms", "GFLOP/s", "of peak", "x fastact's time", "difference")
    rows = [
        (
            r.engine,
            r.version,
            f"{r.minimum:.3f}",
            f"{r.median:.3f}",
            f"{r.gflops:.1f}",
            f"{r.gflops / r.peak:.0%}",
            f"{r.ratio:.2f}",
            f"{r.difference:.0e}" if r.engine != "fastact" else "",
        )
        for r in result.rows
    ]
    peak = max((r.peak for r in result.rows), default=0.0)
    lines = [
        f"{result.label}: {result.flops / 1e6:.1f} MFLOP, {result.rounds} rounds, one thread, "
        f"core's peak {peak:.1f} GFLOP/s"
    ]
    return "\n".join([*lines, table(head, rows), *(f"{n}: not measured: {why}" for n, why in result.failed.items())])


def absent(rivals: Sequence[Rival]) -> str:
    """Which rivals could be installed, and how; empty if all are there."""
    missing = [f"{r.name} (pip install {r.packages[0]})" for r in rivals if not r.installed]
    return f"not installed: {', '.join(missing)}" if missing else ""


def as_json(results: Sequence[Result]) -> str:
    """Everything measured, with the machine it was measured on."""
    made = [
        {
            "case": result.label,
            "flops": result.flops,
            "rounds": result.rounds,
            "engines": [vars(row) for row in result.rows],
            "not_measured": result.failed,
        }
        for result in results
    ]
    return json.dumps({"cpu": cpu_name(), "cores": cores(), "threads": 1, "cases": made}, indent=2) + "\n"


def verdict(results: Sequence[Result]) -> tuple[int, str]:
    """The exit status and why."""
    failed = [f"{name}, {r.label}" for r in results for name in r.failed]
    if failed:
        return 1, f"not measured: {'; '.join(failed)}"
    rows = [(r.label, r.onnx_runtime) for r in results]
    if any(row is None for _, row in rows):
        return 2, "ONNX Runtime was not measured, and there is nothing to hold fastact against"
    slower = [f"{label} ({row.ratio:.2f})" for label, row in rows if row is not None and row.ratio < 1.0]
    if slower:
        return 1, f"fastact is slower than ONNX Runtime: {', '.join(slower)}"
    least = min(row.ratio for _, row in rows if row is not None)
    return 0, f"fastact is no slower than ONNX Runtime, which takes at least {least:.2f} times its time"


def arguments(argv: Sequence[str] | None, rivals: Sequence[Rival]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, action="append", default=[], help="an .h5 of convolutions in a chain")
    parser.add_argument("--size", action="append", default=[], help="width x height; by default the model's own")
    parser.add_argument("--engine", action="append", choices=[r.name for r in rivals], help="only this rival")
    parser.add_argument("--rounds", type=int, help="by default 100 to 400, as the work is")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None, rivals: Sequence[Rival] = RIVALS) -> int:
    options = arguments(argv, rivals)
    chosen = [r for r in rivals if not options.engine or r.name in options.engine]
    if not any(r.installed for r in chosen):
        raise BenchmarkError(absent(chosen))
    if options.rounds is not None and options.rounds < 1:
        raise BenchmarkError("--rounds must be 1 or more")
    print(f"{cpu_name()}, {cores()} cores; all convolution maps of one frame, float32, one thread\n")
    results = []
    for case in cases(options.model, [parse_size(s) for s in options.size]):
        results.append(measure(case, chosen, options.rounds))
        print(text(results[-1]) + "\n", flush=True)
    if absent(chosen):
        print(absent(chosen))
    if options.json:
        replace_file(options.json, as_json(results))
    status, why = verdict(results)
    print(why)
    return status


if __name__ == "__main__":
    run_command(main)
