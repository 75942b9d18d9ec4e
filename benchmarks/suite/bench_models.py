"""Whole networks, as their users call them: `make bench`. Maps are compared with the references before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import largest_difference, reference_maps

import fastact
from benchmarks.cases import Case, frame, larger, pilots


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    folder: Path = tmp_path_factory.mktemp("networks")
    named = {f"{c.name} {c.size[1]}x{c.size[0]}" if c.size else c.name: c for c in pilots(folder) + larger(folder)}
    return named


NAMES = [f"{n} {s}" for n in ("article's network", "linear pilot") for s in ("160x120", "640x360")]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("name", [*NAMES, "MobileNetV2", "U-Net"])
def bench_model(benchmark: Any, networks: dict[str, Case], name: str, dtype: str, threads: int) -> None:
    case = networks[name]
    model = case.model()
    network = case.network(model)
    shown = frame(network.input_shape, dtype)
    extract = fastact.Extractor(model, network.outputs, threads=threads)
    maps = extract(shown)
    inputs = {model.inputs[0]: shown / (255 if dtype == "uint8" else 1)}
    for layer, expected in reference_maps(model, inputs).items():
        if layer in maps:
            assert largest_difference(maps[layer], expected) <= 1e-5 * np.abs(expected).max(), layer
    benchmark.group = f"{name}, {dtype}"
    benchmark(extract, shown)
