"""Every row of the table of cases, saved by Keras 3 and by tf_keras, against TensorFlow and a float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from cases import ACTIVATIONS_KERAS2, ACTIVATIONS_KERAS3, CASES, KERAS2, KERAS3, Case, frames, randomize
from oracles import Arrays, keras_maps, largest_difference, reference_maps

import fastact
from fastact.layers import registry

FRAMES = 4
ROWS = [pytest.param(case, keras, id=f"{case.id}-{keras}") for case in CASES for keras in case.keras]

OLD_NAMES = {
    "AvgPool2D", "BatchNormalizationV1", "BatchNormalizationV2", "GlobalAvgPool2D", "GlobalMaxPool2D",
    "MaxPool2D",
}  # fmt: skip
"""Names that only old Keras wrote; test_topology.py holds that they mean the same layers."""


@pytest.mark.parametrize(("case", "keras_name"), ROWS)
def test_every_map_is_tensorflows(case: Case, keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path):
    keras = keras_named(keras_name)
    theirs, ours, exact = _all_maps(case, keras, tmp_path / "model.h5")
    for name, expected in theirs.items():
        if "sparsemax" in case.id and not _sparsemax_is_right(keras):
            assert largest_difference(ours[name], exact[name]) <= 1e-6
            continue
        assert ours[name].shape == expected.shape
        assert ours[name].dtype == np.float32
        largest = np.max(np.abs(expected))
        assert largest_difference(ours[name], expected) <= 1e-5 * largest, name
        # The largest of a few hundred rounding errors is as much luck as skill, and TensorFlow may have been exactly
        # right: two units in the last place of the layer's largest value are let pass. test_exactness allows none.
        allowed = 2 * largest_difference(expected, exact[name]) + 2 * np.spacing(np.float32(largest))
        assert largest_difference(ours[name], exact[name]) <= allowed, name


def _all_maps(case: Case, keras: Any, path: Path) -> tuple[Arrays, Arrays, Arrays]:
    """All maps of a few frames: Keras's, fastact's, and the float64 reference's, frames along the first axis."""
    keras.backend.clear_session()
    original = case.make(keras)
    randomize(original)
    original.save(path)
    model = fastact.load(path)
    inputs = frames({name: tuple(shape) for name, shape in model.input_shapes.items()}, FRAMES)
    extract = fastact.Extractor(model, "all")
    _assert_archive_is_the_same(original, path.with_suffix(".keras"), extract, inputs)
    theirs, ours, exact = [], [], []
    for i in range(FRAMES):
        frame = {name: batch[i] for name, batch in inputs.items()}
        # One frame at a time, as fastact does: TensorFlow adds up in another order for a batch.
        theirs.append(keras_maps(original, {name: batch[None, i] for name, batch in inputs.items()}))
        maps = extract(frame if len(frame) > 1 else next(iter(frame.values())))
        assert maps.missing == {}
        assert {name: maps[name].shape for name in maps} == {node.name: node.shape for node in model.nodes}
        assert all(np.array_equal(maps[name], array) for name, array in frame.items())
        ours.append(maps)
        exact.append(reference_maps(model, frame))
    assert set(theirs[0]) == {node.name for node in model.nodes if not node.is_input}
    names = list(theirs[0])
    return (
        {name: np.concatenate([maps[name] for maps in theirs]) for name in names},
        {name: np.stack([maps[name] for maps in ours]) for name in names},
        {name: np.stack([maps[name] for maps in exact]) for name in names},
    )


def _assert_archive_is_the_same(original: Any, path: Path, extract: fastact.Extractor, inputs: Arrays) -> None:
    """The same model saved as .keras has the same layers and gives the same maps, to the bit."""
    original.save(path)
    model = fastact.load(path)
    assert [(n.name, n.class_name, n.shape) for n in model.nodes] == [
        (n.name, n.class_name, n.shape) for n in extract.model.nodes
    ]
    assert (model.inputs, model.outputs) == (extract.model.inputs, extract.model.outputs)
    frame = {name: batch[0] for name, batch in inputs.items()}
    expected, maps = extract(frame), fastact.Extractor(model, "all")(frame)
    assert maps.missing == {}
    assert all(np.array_equal(maps[name], expected[name], equal_nan=True) for name in expected)


def _sparsemax_is_right(keras: Any) -> bool:
    """Keras up to 3.15 gives values that do not sum to 1 (keras-team/keras#23425); fastact follows the definition."""
    return bool(np.isclose(np.sum(keras.ops.sparsemax(np.array([0.0, 0.5, 1.0], np.float32))), 1.0))


@pytest.mark.parametrize("keras_name", [KERAS3, KERAS2])
def test_exactness(keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path):
    """On a pilot of real size the largest error of every layer is at most twice TensorFlow's, with nothing added."""
    theirs, ours, exact = _all_maps(Case("pilot", _pilot), keras_named(keras_name), tmp_path / "p.h5")
    for name in theirs:
        assert largest_difference(ours[name], exact[name]) <= 2 * largest_difference(theirs[name], exact[name]), name


def _pilot(k: Any) -> Any:
    """donkeycar's KerasLinear: 6656 values go into its first dense layer."""
    image = y = k.layers.Input((120, 160, 3), name="img_in")
    for filters, kernel, strides in ((24, 5, 2), (32, 5, 2), (64, 5, 2), (64, 3, 1), (64, 3, 1)):
        y = k.layers.Conv2D(filters, kernel, strides=strides, activation="relu")(y)
    y = k.layers.Flatten()(y)
    for units in (100, 50):
        y = k.layers.Dense(units, activation="relu")(y)
    return k.Model(image, [k.layers.Dense(1, name=name)(y) for name in ("n_outputs0", "n_outputs1")])


def test_every_registered_layer_has_a_row():
    used = set()
    for case in CASES:
        spy = MagicMock()
        case.make(spy)
        used |= {call[0].removeprefix("layers.").removeprefix("experimental.") for call in spy.mock_calls}
    if "backend.concatenate" in used:
        used.add("TFOpLambda")
    used.add("InputLayer")  # every model has one
    assert set(registry()) - used == OLD_NAMES


def test_case_names_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)


def test_every_activation_keras_knows_has_a_row(keras_named: Callable[[str], Any]):
    keras_named(KERAS3)
    activations = pytest.importorskip("keras.src.activations")
    # threshold cannot be called by its name alone
    assert set(activations.ALL_OBJECTS_DICT) - {"threshold"} == set(ACTIVATIONS_KERAS3)
    known = [name for name in ACTIVATIONS_KERAS3 if _knows(keras_named(KERAS2), name)]
    assert sorted(known) == sorted(ACTIVATIONS_KERAS2)


def _knows(keras: Any, activation: str) -> bool:
    try:
        keras.activations.get(activation)
    except ValueError:
        return False
    return True
