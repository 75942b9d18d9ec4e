"""What computing pixels in pairs saves: convolutions with and without it, in turn (see kernels/cpu/pairing.py).

    python -m benchmarks.pairs [--milliseconds N]

A row for each convolution of tests/cases/measured.py that has a chain of three taps: the products of two pixels
over those that one by one would take, the least times of both, the error in pairs over that one by one (roots of mean
squares, to the reference in float64), and what the planner decides. Maps are compared first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import fastact
from benchmarks.common import BenchmarkError, cores, cpu_name, run_command, table
from benchmarks.recorder import model_of
from benchmarks.tiles import least
from fastact.kernels import ops, reference
from fastact.kernels.cpu import bands, pairing
from fastact.kernels.program import Instruction

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

HEAD = ("convolution", "products", "one by one, us", "in pairs, us", "faster", "error", "the planner")


def measure(case: Any, milliseconds: float) -> tuple[str, ...] | None:
    """A row under `HEAD`; None where there is no chain of three, or fewer channels or filters than a vector has.

    Raises:
        BenchmarkError: pairs give something else.
    """
    _, model = model_of(case.make)
    shown = np.random.default_rng(2).uniform(-1, 1.5, [n or 1 for n in model.input_shapes["image"]]).astype(np.float32)
    seen: list[Instruction] = []
    one_by_one = fastact_with(model, lambda instruction: seen.append(instruction) or instruction)
    instruction = next(i for i in seen if isinstance(i.op, ops.Conv2D))
    conv = instruction.op
    chains = pairing.chains_of(conv.weights.shape[1], conv.strides[1])
    if chains[0].taps < 3 or conv.groups > 1 or min(conv.weights.shape[2:]) < 8:
        return None
    in_pairs = fastact_with(model, _always)
    runs = {"one by one": lambda: one_by_one(shown), "in pairs": lambda: in_pairs(shown)}
    (name,) = model.outputs
    first, second = (run()[name] for run in runs.values())
    if np.abs(first - second).max() > 1e-5 * np.abs(first).max():
        raise BenchmarkError(f"pairs give other maps for {case.id}: nothing is timed")
    exact = reference.run(conv, shown.astype(np.float64))
    errors = [float(np.sqrt(np.mean((made - exact) ** 2))) for made in (first, second)]
    products = sum(chain.products for chain in chains) / (2 * conv.weights.shape[1])
    decided = "in pairs" if isinstance(pairing.paired(instruction).op, pairing.PairedConv2D) else "one by one"
    a, b = least(runs, milliseconds).values()
    figures = f"{products:.2f}", f"{a * 1e6:.1f}", f"{b * 1e6:.1f}", f"{a / b:.2f}", f"{errors[1] / errors[0]:.2f}"
    return case.id.removeprefix("measured-"), *figures, decided


def fastact_with(model: fastact.Model, paired: Any) -> fastact.Extractor:
    """An extractor of the model's outputs on one thread, whose plan is made now."""
    extract = fastact.Extractor(model, list(model.outputs), threads=1)
    with mock.patch.object(bands.pairing, "paired", paired):
        extract(np.zeros([n or 1 for n in model.input_shapes["image"]], np.float32))
    return extract


def _always(instruction: Instruction) -> Instruction:
    """In pairs, whatever it costs."""
    if not isinstance(instruction.op, ops.Conv2D):
        return instruction
    return Instruction(pairing.in_pairs(instruction.op), instruction.inputs, instruction.output)


def main(argv: Sequence[str] | None = None) -> int:
    from cases.measured import MEASURED_CONVOLUTIONS, WIDE_CONVOLUTIONS

    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--milliseconds", type=float, default=200.0, help="for each convolution, both ways (200)")
    options = parser.parse_args(argv)
    found = [measure(case, options.milliseconds) for case in (*MEASURED_CONVOLUTIONS, *WIDE_CONVOLUTIONS)]
    print(f"{cpu_name()}, {cores()} cores, one thread\n\n{table(HEAD, [row for row in found if row])}")
    return 0


if __name__ == "__main__":
    run_command(main)
