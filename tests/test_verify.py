"""TensorFlow's maps under fastact's names: models inside layers, and layers with states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import CASES, KERAS2, KERAS3, frames, randomize

import fastact
from fastact.verify import compare, tensorflow_maps

NAMES = ("distributed-model", "distributed-model-shared", "lstm-states", "nested-two-ended")


@pytest.mark.parametrize("keras_name", [KERAS3, KERAS2])
@pytest.mark.parametrize("case", [c for c in CASES if c.id in NAMES], ids=lambda c: c.id)
def test_every_layer_is_compared(case: Any, keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path):
    network = case.make(keras_named(keras_name))
    randomize(network)
    network.save(tmp_path / "model.h5")
    model = fastact.load(tmp_path / "model.h5")
    inputs = {name: array[0] for name, array in frames(model.input_shapes, 1).items()}
    _, theirs = tensorflow_maps(model, inputs)
    differences = compare(fastact.Extractor(model, "all")(inputs), theirs)
    assert {d.name for d in differences} == {n.name for n in model.nodes if not n.is_input}
    assert all(d.within(1e-5) for d in differences)
