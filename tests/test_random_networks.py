"""Networks put together at random against TensorFlow: what no table of cases has beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from cases import BOTH
from corpus import TFLITE, Subject, frames_for, saved, shake
from oracles import largest_difference
from random_networks import network
from saliency_oracles import Recorded, tape_gradient

import fastact
from fastact.saliency import GradientSaliency
from fastact.saliency.base import RESULT

FIRST, COUNT = (int(os.environ.get(f"FASTACT_RANDOM_{name}", value)) for name, value in (("FIRST", 0), ("COUNT", 25)))
"""The numbers of the networks: `make fuzz` takes many, of which each run has others."""


@pytest.fixture(scope="module", params=[(n, keras) for n in range(FIRST, FIRST + COUNT) for keras in BOTH], ids=str)
def subject(
    request: pytest.FixtureRequest, keras_named: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Subject:
    number, keras_name = request.param
    return Subject.of(network(number), keras_named(keras_name), tmp_path_factory.mktemp("random"))


def test_every_map_is_tensorflows(subject: Subject) -> None:
    """Up to what errors grow to on the way through layers that nobody trained."""
    assert [node.reason for node in subject.model.nodes if node.reason] == []
    found = subject.differences()
    assert set(found) == {node.name for node in subject.model.nodes if not node.is_input}
    assert {name: d for name, d in found.items() if not d.ours <= 4 * d.theirs + 1e-5} == {}


def test_maps_depend_on_nothing_but_the_frame(subject: Subject) -> None:
    """Not on how many threads compute them, what else is wanted, whether memory is used again, or what came before."""
    random = Random(1)
    first, second = ({name: batch[i] for name, batch in subject.inputs.items()} for i in range(2))
    names = [node.name for node in subject.model.nodes]
    for threads in (1, 2, 3, 4):
        some = random.sample(names, random.randint(1, min(4, len(names)))) if threads < 3 else names
        extract = fastact.Extractor(subject.model, some, threads=threads)
        maps = extract(second)
        for frame, expected in ((first, subject.maps[0]), (second, subject.maps[1])):
            maps = extract(frame, out=maps)
            assert {name for name in some if not np.array_equal(maps[name], expected[name])} == set()


def test_other_files_give_the_same_maps_to_the_bit(subject: Subject, tmp_path: Path) -> None:
    for kind in subject.lossless:
        if kind != "SavedModel":  # takes seconds to write; the corpus has it
            assert subject.unlike(kind, tmp_path) == [], kind


def test_gradients_are_tensorflows(subject: Subject) -> None:
    convolutions = [layer for layer in subject.keras_model.layers if hasattr(layer, "kernel_size")]
    if any(max(np.subtract(layer.strides, layer.kernel_size)) > 0 for layer in convolutions):
        pytest.skip("TensorFlow writes beyond its memory for the gradient of a window that is smaller than its stride")
    see = GradientSaliency(subject.model, output := subject.model.outputs[-1], by=subject.model.inputs[0], index=0)
    inputs = {name: batch[0] for name, batch in subject.inputs.items()}
    ours, theirs = see.gradient(inputs), tape_gradient(subject.keras_model, inputs, *inputs, output, 0)
    exact = Recorded(subject.model, see._extract._further, set()).run(inputs)[RESULT]
    largest = max(float(np.max(np.abs(exact))), 1e-6)
    assert ours.shape == theirs.shape
    assert largest_difference(ours, theirs) <= 1e-5 * largest
    assert largest_difference(ours, exact) <= 1e-5 * largest


@pytest.mark.parametrize("keras_name", BOTH)
@pytest.mark.parametrize("number", range(FIRST, FIRST + COUNT, 3))
def test_what_a_converter_left_gives_the_same(
    number: int, keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path
) -> None:
    """The output of a .tflite file, or why there is none; which layers still have names is for the corpus to say."""
    keras = keras_named(keras_name)
    keras.backend.clear_session()
    made = network(number).make(keras)
    alone = keras.Model(made.inputs, made.outputs[-1])
    (frame,) = frames_for(network(number), alone, count=1)
    shake(alone, frames_for(network(number), alone, count=8, seed=3))
    model = saved(alone, TFLITE, tmp_path, "select")
    maps, expected = fastact.Extractor(model, "all")(frame[0]), alone(frame, training=False).numpy()[0]
    (output,) = model.outputs
    if output in maps.missing:
        assert any("TensorFlow Lite" in reason for reason in maps.missing.values())
        return
    assert largest_difference(maps[output], expected) <= 2e-5 * np.max(np.abs(expected))
