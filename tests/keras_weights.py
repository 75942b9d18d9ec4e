"""Weights as Keras holds them, against what is read of the files that it saves."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastact.files import open_model

LayerPath = tuple[str, ...]
Weights = dict[LayerPath, dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> ModuleType:
    """Keras 3 and Keras 2, for the modules that name it as their own."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    module: ModuleType = pytest.importorskip(request.param, reason="this Keras is not installed")
    module.utils.set_random_seed(7)
    return module


def assert_read(expected: Weights, path: Path, config: Path | None = None) -> Weights:
    """What is read, once it is sure that it is all weights in order, as writable float32."""
    assert expected
    wanted = {name: {leaf: value.shape for leaf, value in of.items()} for name, of in expected.items()}
    with open_model(path, config=config) as saved:
        found = saved.weights.read(wanted)
    assert list(found) == list(expected)
    for name, of_layer in expected.items():
        assert list(found[name]) == list(of_layer)
        for leaf, values in of_layer.items():
            array = found[name][leaf]
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert array.flags.writeable
            np.testing.assert_array_equal(array, values.astype(np.float32), err_msg=f"{name} {leaf}")
    return found
