"""A whole process: start, read the model and a picture, compute every convolution's map, write them to an .npz, end.

    python -m benchmarks.process [--model FILE.h5] [--size 640x360] [--runs N] [--json FILE]

By default the article's network and donkeycar's linear pilot, at 160x120 and 640x360. Engines take turns, each with the
threads it takes by itself. fastact and Keras read the .h5; the others read a model
of their own format, converted beforehand and not counted. fastact's kernels are compiled before the first run, as they
are on any machine after the first use. The maps are compared with fastact's before anything is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fastact
from benchmarks.cases import Case, cases, parse_size, picture, pilots
from benchmarks.common import BenchmarkError, cores, cpu_name, replace_file, run_command, table
from fastact.bench.peers.network import Network, PeerError
from fastact.bench.peers.rivals import FASTACT, Rival, absent, version_of
from fastact.bench.peers.turns import ratios
from fastact.bench.peers.worker import difference

_CHILDREN = Path(__file__).parent / "children"
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


@dataclass(frozen=True)
class Program:
    """One engine's program.

    Attributes:
        file: in `children`.
        model: the format of the model it reads; None for the .h5 itself.
        saved: where the maps are, below what it is told to write.
    """

    engine: Rival
    file: str
    model: str | None = None
    saved: str = ""


PROGRAMS = (
    Program(FASTACT, "run_fastact.py"),
    Program(
        Rival("fastact extract --save npz", "", ("fastact",), ("fastact",)), "run_command.py", saved="frame/maps.npz"
    ),
    Program(Rival("LiteRT", "", ("ai_edge_litert",), ("ai-edge-litert",)), "run_litert.py", "tflite"),
    Program(Rival("ONNX Runtime", "", ("onnx", "onnxruntime"), ("onnxruntime",)), "run_onnxruntime.py", "onnx"),
    Program(Rival("OpenVINO", "", ("onnx", "openvino"), ("openvino",)), "run_openvino.py", "onnx"),
    Program(Rival("Keras (TensorFlow)", "", ("tensorflow",), ("tensorflow-cpu", "tensorflow")), "run_keras.py"),
)


@dataclass(frozen=True)
class Row:
    """One engine's figures for one case.

    Attributes:
        minimum, seconds: the least and the median of the runs.
        memory: bytes at the peak, the median of the runs.
        ratio: median of the runs' ratios of this engine's time to fastact's, with their quartiles.
    """

    engine: str
    version: str
    minimum: float
    seconds: float
    memory: float
    ratio: float
    quartiles: tuple[float, float]


@dataclass(frozen=True)
class Result:
    """What came out for one case."""

    label: str
    runs: int
    rows: tuple[Row, ...]
    failed: dict[str, str]


def measure(case: Case, programs: Sequence[Program], runs: int) -> Result:
    """Every installed program `runs` times, in turns, after one run that is checked and not counted.

    Raises:
        BenchmarkError: fastact's own program fails.
    """
    model = case.model()
    network = case.network(model)
    fastact.Extractor(model)  # compiles the kernels where they are not yet in the cache
    with tempfile.TemporaryDirectory() as name:
        commands, failed = _checked(case, network, programs, Path(name))
        figures: dict[Program, list[tuple[float, float]]] = {program: [] for program in commands}
        for _ in range(runs):
            for program, command in commands.items():
                figures[program].append(_spawn(command))
    own = [seconds for seconds, _ in figures[programs[0]]]
    rows = tuple(_row(program, own, measured) for program, measured in figures.items())
    return Result(case.label(network.input_shape), runs, rows, failed)


def _checked(
    case: Case, network: Network, programs: Sequence[Program], folder: Path
) -> tuple[dict[Program, list[str]], dict[str, str]]:
    """The command of each program whose maps are right, and why there is none for others."""
    rows, columns, _ = network.input_shape
    picture(network.input_shape).save(folder / "frame.png")
    commands: dict[Program, list[str]] = {}
    failed: dict[str, str] = {}
    expected: list[np.ndarray] = []
    for program in programs:
        if not program.engine.installed:
            continue
        out = folder / f"{Path(program.file).stem}.npz"
        try:
            source = _model_file(program, case, network, folder)
            command = [sys.executable, str(_CHILDREN / program.file), str(source), str(folder / "frame.png")]
            command += [str(out), str(rows), str(columns)]
            _spawn(command)
            maps = _maps(out / program.saved, network.outputs)
            expected = expected or maps
            difference(network.outputs, expected, maps)
            commands[program] = command
        except (BenchmarkError, PeerError) as error:
            if program is programs[0]:
                raise
            failed[program.engine.name] = str(error)
    return commands, failed


def _row(program: Program, own: Sequence[float], measured: Sequence[tuple[float, float]]) -> Row:
    seconds = [s for s, _ in measured]
    against = sorted(ratios(own, seconds))
    quarter = len(against) // 4
    return Row(
        program.engine.name,
        version_of(program.engine.packages) or "",
        min(seconds),
        statistics.median(seconds),
        statistics.median(memory for _, memory in measured),
        statistics.median(against),
        (against[quarter], against[-1 - quarter]),
    )


def _model_file(program: Program, case: Case, network: Network, folder: Path) -> Path:
    """The model in the format the program reads, converted once a case."""
    if program.model is None:
        return case.path
    path = folder / f"model.{program.model}"
    if not path.exists():
        path.write_bytes(_converter(program.model)(network))
    return path


def _converter(extension: str) -> Callable[[Network], bytes]:
    try:
        if extension == "onnx":
            from fastact.bench.peers.formats.onnx_file import onnx_model

            return onnx_model
        from fastact.bench.peers.formats.tflite_file import tflite_model

        return tflite_model
    except ImportError as error:
        raise BenchmarkError(f"converting to .{extension} needs the package {error.name}") from error


def _maps(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    with np.load(path) as saved:
        absent = [n for n in names if n not in saved]
        if absent:
            raise BenchmarkError(f"there is no map {absent[0]!r} in what was saved")
        return [saved[n] for n in names]


def _spawn(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and bytes of one run."""
    # With byte code kept, as it is for whoever installed the packages: without, each start compiles fastact's source.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | _ENVIRONMENT
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_CHILDREN / "spawn.py"), *command],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    try:
        seconds, memory, status = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError:
        seconds, memory, status = 0.0, 0.0, done.returncode
    if status:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise BenchmarkError(f"{Path(command[1]).name} ended with status {status}: {reason}")
    return seconds, memory


def cells(result: Result) -> list[tuple[str, ...]]:
    """The case's rows of the one table, in milliseconds as the others are; see `peers.HEAD`."""
    return [
        (
            result.label,
            "whole process",
            "",
            r.engine,
            f"{1e3 * r.minimum:.0f}",
            f"{1e3 * r.seconds:.0f}",
            "",
            f"{r.ratio:.2f}",
            "" if r.engine == FASTACT.name else f"{r.quartiles[0]:.2f}-{r.quartiles[1]:.2f}",
            f"{r.memory / 1e6:.0f}",
        )
        for r in result.rows
    ]


def text(result: Result) -> str:
    """One case's table."""
    rows = [
        (r.engine, r.version, f"{r.minimum:.2f}", f"{r.seconds:.2f}", f"{r.memory / 1e6:.0f}", f"{r.ratio:.2f}")
        for r in result.rows
    ]
    lines = [
        f"{result.label}: whole process, {result.runs} runs",
        table(("engine", "version", "min s", "median s", "MB", "x fastact"), rows),
        *(f"{name}: not measured: {why}" for name, why in result.failed.items()),
    ]
    return "\n".join(lines)


def as_json(results: Sequence[Result]) -> str:
    """Everything measured, with the machine it was measured on."""
    made = [
        {"case": r.label, "runs": r.runs, "engines": [vars(row) for row in r.rows], "not_measured": r.failed}
        for r in results
    ]
    return json.dumps({"cpu": cpu_name(), "cores": cores(), "cases": made}, indent=2) + "\n"


def main(argv: Sequence[str] | None = None, programs: Sequence[Program] = PROGRAMS) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.process", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--model", type=Path, action="append", default=[], help="an .h5 of convolutions in a chain")
    parser.add_argument("--size", action="append", default=[], help="width x height; by default the model's own")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each engine (5)")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args(argv)
    if options.runs < 1:
        raise BenchmarkError("--runs must be 1 or more")
    print(f"{cpu_name()}, {cores()} cores; fastact's kernels compiled beforehand\n")
    results = []
    with tempfile.TemporaryDirectory() as name:
        given = options.model or options.size
        sizes = [parse_size(s) for s in options.size]
        for case in cases(options.model, sizes) if given else pilots(Path(name)):
            results.append(measure(case, programs, options.runs))
            print(text(results[-1]) + "\n", flush=True)
    missing = absent([p.engine for p in programs])
    if missing:
        print(missing)
    if options.json:
        replace_file(options.json, as_json(results))
    return 1 if any(r.failed for r in results) else 0


if __name__ == "__main__":
    run_command(main)
