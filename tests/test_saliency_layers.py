"""Gradients through layers of every family, against TensorFlow's tape and a float64 reference.

Gradients belong to operations, each of which is held against finite differences in test_saliency_gradients.py; these
rows hold that layers are made of them as TensorFlow differentiates them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import (
    ALONG_ONE_AXIS,
    CHANNELS_FIRST,
    DEPTHWISE,
    ELEMENTWISE,
    FUNCTIONS,
    JOINING,
    KERAS3,
    NORMALIZATION,
    POOLS,
    RECURRENT,
    RESIZING,
    SHAPING,
    VOLUMES,
    Case,
    frames,
    randomize,
)
from comparison import skip_what_is_wrong
from oracles import largest_difference
from saliency_oracles import Recorded, tape_gradient

import fastact
from fastact.saliency import GradientSaliency
from fastact.saliency.base import RESULT

FAMILIES = (
    (ALONG_ONE_AXIS, 6), (VOLUMES, 4), (DEPTHWISE, 4), (FUNCTIONS, 6), (POOLS, 5), (NORMALIZATION, 5), (SHAPING, 5),
    (RESIZING, 5), (ELEMENTWISE, 4), (JOINING, 3), (CHANNELS_FIRST, 5), (RECURRENT, 8),
)  # fmt: skip
"""Rows of the table of cases by family, and how many there are to one that is taken."""
ROWS = [case for family, apart in FAMILIES for case in family[::apart] if KERAS3 in case.keras]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in ROWS])
def test_gradients_through_layers_are_tensorflows(case: Case, keras_named: Callable[[str], Any], tmp_path: Path):
    keras = keras_named(KERAS3)
    skip_what_is_wrong(case, keras)
    keras.backend.clear_session()
    original = case.make(keras)
    randomize(original)
    original.save(tmp_path / "model.h5")
    model = fastact.load(tmp_path / "model.h5")
    inputs = {name: batch[0] for name, batch in frames(dict(model.input_shapes), 1).items()}
    by, output = model.inputs[0], model.outputs[0]
    index = int(np.prod(model.layers[output].known_shape)) // 2
    see = GradientSaliency(model, output, by=by, index=index)
    ours, theirs = see.gradient(inputs), tape_gradient(original, inputs, by, output, index)
    exact = Recorded(model, see._extract._further, set()).run(inputs)[RESULT]
    largest = max(float(np.max(np.abs(exact))), 1e-6)
    assert ours.shape == theirs.shape
    assert largest_difference(ours, theirs) <= 1e-5 * largest
    assert largest_difference(ours, exact) <= 1e-5 * largest
