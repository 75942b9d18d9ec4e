"""Kernels one by one over the table of shapes, one thread: `make bench`.

Each is compared with its reference in float64 before it is timed. What is timed is a call of an Extractor, some ten
microseconds of Python included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import MEASURED, Case
from oracles import largest_difference, reference_maps

import fastact
from benchmarks.recorder import model_of


@pytest.mark.parametrize("case", MEASURED, ids=lambda case: case.id.removeprefix("measured-"))
def bench_kernel(benchmark: Any, case: Case, peak: float) -> None:
    _, model = model_of(case.make)
    random = np.random.default_rng(2)
    inputs = {n: random.uniform(-1, 1.5, [n or 1 for n in s]).astype(np.float32) for n, s in model.input_shapes.items()}
    name = model.outputs[0]
    extract = fastact.Extractor(model, name)
    expected = reference_maps(model, inputs)[name]
    assert largest_difference(extract(inputs)[name], expected) <= 1e-5 * np.abs(expected).max()
    benchmark.group = "kernels"
    benchmark(extract, inputs)
    flops = 2 * model.costs[name].multiply_adds
    if flops and benchmark.stats:
        benchmark.extra_info["share of peak"] = round(flops / benchmark.stats.stats.min / 1e9 / peak, 3)
