"""Every row of the table of cases, saved by Keras 3 and by tf_keras, against TensorFlow and a float64 reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from cases import ACTIVATIONS_KERAS2, ACTIVATIONS_KERAS3, CASES, KERAS2, KERAS3, Case
from comparison import all_maps, assert_is_tensorflows
from oracles import largest_difference

import fastact
from fastact.layers import registry
from fastact.layers.functions.calls import keras_operations, tensorflow_functions

ROWS = [pytest.param(case, keras, id=f"{case.id}-{keras}") for case in CASES for keras in case.keras]

OLD_NAMES = {
    "BatchNormalizationV1", "BatchNormalizationV2", "Custom>CustomScaleLayer",
    *(f"{name}{n}D" for name in ("AvgPool", "MaxPool", "GlobalAvgPool", "GlobalMaxPool") for n in (1, 2, 3)),
}  # fmt: skip
"""Names that only old Keras wrote; test_topology.py holds that they mean the same layers."""


NOT_IN_H5 = {"RandomColorDegeneration", "RandomPosterization", "RandomSaturation", "RandomSharpness"}
"""What Keras 3 fails to write to a legacy .h5 file; all of them do nothing when a network runs."""


@pytest.mark.parametrize(("case", "keras_name"), ROWS)
def test_every_map_is_tensorflows(case: Case, keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path):
    keras = keras_named(keras_name)
    theirs, ours, exact = all_maps(case, keras, tmp_path / "model.h5")
    for name, expected in theirs.items():
        if "sparsemax" in case.id and not _sparsemax_is_right(keras):
            assert largest_difference(ours[name], exact[name]) <= 1e-6
        else:
            assert_is_tensorflows(name, ours[name], expected, exact[name])


def _sparsemax_is_right(keras: Any) -> bool:
    """Keras up to 3.15 gives values that do not sum to 1 (keras-team/keras#23425); fastact follows the definition."""
    return bool(np.isclose(np.sum(keras.ops.sparsemax(np.array([0.0, 0.5, 1.0], np.float32))), 1.0))


@pytest.mark.parametrize("keras_name", [KERAS3, KERAS2])
def test_exactness(keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path):
    """On a pilot of real size the largest error of every layer is at most twice TensorFlow's, with nothing added."""
    theirs, ours, exact = all_maps(Case("pilot", _pilot), keras_named(keras_name), tmp_path / "p.h5")
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


@pytest.mark.parametrize(
    ("keras_name", "name", "arguments"),
    [
        *((keras, "ReLU", {"threshold": t, "negative_slope": s}) for keras in (KERAS3, KERAS2) for t in (0.2, 0.6)
          for s in (0.0, 0.5)),
        *((KERAS2, "ThresholdedReLU", {"theta": t}) for t in (0.2, 0.6)),
    ],
)  # fmt: skip
def test_a_value_at_a_threshold(
    keras_name: str, name: str, arguments: dict[str, float], keras_named: Callable[[str], Any], tmp_path: Path
):
    """A byte over 255 may be a threshold's very value, as float32."""
    k = keras_named(keras_name)
    frame = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    model = k.Sequential([k.layers.Input((16, 16, 1)), getattr(k.layers, name)(name="x", **arguments)])
    model.save(tmp_path / "m.h5")
    expected = np.asarray(model((frame / np.float32(255))[np.newaxis]))[0]
    found = fastact.Extractor(tmp_path / "m.h5", "x")(frame)["x"]
    np.testing.assert_allclose(found, expected, rtol=2e-7)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
@pytest.mark.parametrize("keras_name", [KERAS3, KERAS2])
def test_other_precisions_are_computed_in_float32(
    keras_name: str, policy: str, keras_named: Callable[[str], Any], tmp_path: Path
):
    keras = keras_named(keras_name)
    keras.mixed_precision.set_global_policy(policy)
    try:
        theirs, ours, exact = all_maps(Case("mixed", _mixed), keras, tmp_path / "m.h5")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for name, array in ours.items():
        largest = np.max(np.abs(exact[name]))
        assert array.dtype == np.float32
        assert largest_difference(array, exact[name]) <= 1e-6 * largest, name
        assert largest_difference(array, theirs[name].astype(np.float64)) <= 0.05 * largest, name


def _mixed(k: Any) -> Any:
    image = y = k.layers.Input((8, 9, 3))
    y = k.layers.BatchNormalization()(k.layers.Conv2D(6, 3)(y))
    y = k.layers.Activation("relu")(y * 2.0)
    return k.Model(image, k.layers.Dense(2, dtype="float32")(k.layers.Flatten()(y)))


def test_every_registered_layer_has_a_row():
    used = set()
    for case in CASES:
        if case.id.startswith("function-"):  # no layers, but tensors, which a spy is not
            continue
        spy = MagicMock()
        case.make(spy)
        used |= {call[0].removeprefix("layers.").removeprefix("experimental.") for call in spy.mock_calls}
    used |= {"TFOpLambda", "SlicingOpLambda"}  # test_every_function_has_a_row
    used.add("InputLayer")  # every model has one
    assert set(registry()) - used == OLD_NAMES | NOT_IN_H5
    assert {registry()[name] for name in NOT_IN_H5} == {registry()["Dropout"]}


def test_every_function_has_a_row(keras_named: Callable[[str], Any], tmp_path: Path):
    """Every function of TensorFlow, and every operation of Keras 3, that fastact computes is called by a row."""
    called: dict[str, set[str]] = {KERAS2: set(), KERAS3: set()}
    for case in CASES:
        for name in case.keras:
            if case.id.startswith(("function-", "concat-backend", "activation-")):
                layers = json.loads(case.make(keras_named(name)).to_json())["config"]["layers"]
                called[name] |= {entry["config"].get("function", entry["class_name"]) for entry in layers}
    old = {name.removeprefix("compat.v1.") for name in called[KERAS2]}
    assert set(tensorflow_functions()) - old == {"math.divide", "nn.swish"}  # names in TensorFlow 2.4
    assert set(keras_operations()) == called[KERAS3] & set(keras_operations())


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
