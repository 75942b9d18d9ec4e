"""TensorFlow's maps under fastact's names: models inside layers, and layers with states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import CASES, KERAS2, KERAS3, frames, randomize

import fastact
from fastact.errors import UnsupportedError
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


SEEDS = Path(__file__).parent / "fuzz" / "seeds"


@pytest.mark.parametrize("name", ["eyes", "half", "steps", "sums"])
def test_a_tensorflow_lite_file_is_compared_with_its_interpreter(name: str) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")
    model = fastact.load(SEEDS / f"{name}.tflite")
    inputs = {name: array[0] for name, array in frames(model.input_shapes, 1).items()}
    interpreter, theirs = tensorflow_maps(model, inputs)
    assert interpreter in ("LiteRT", "TensorFlow Lite")
    differences = compare(fastact.Extractor(model, "all")(inputs), theirs)
    assert len(differences) >= len([node for node in model.nodes if not node.is_input]) - 1  # one may be half a layer
    assert all(d.within(1e-5) for d in differences)


def test_an_interpreter_without_an_operator_says_so() -> None:
    """TensorFlow's own lists, in which an LSTM's steps are kept, are in no interpreter that pip installs."""
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")
    model = fastact.load(SEEDS / "memory.tflite")
    inputs = {name: array[0] for name, array in frames(model.input_shapes, 1).items()}
    assert not fastact.Extractor(model, "all")(inputs).missing
    with pytest.raises(UnsupportedError, match=r"no interpreter runs .*memory.tflite' to compare with \(.*: Select"):
        tensorflow_maps(model, inputs)
