"""HDF5 files that Keras 3 and tf_keras write for rows of the table of cases are read as h5py reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import BOTH, CASES, KERAS3
from hdf5_files import compare

ROWS = CASES[::7]
"""What a file is made of repeats itself from row to row, and Keras takes its time to write them all."""


@pytest.mark.parametrize("keras_name", BOTH)
def test_rows(keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path) -> None:
    keras = keras_named(keras_name)
    for number, case in enumerate(case for case in ROWS if keras_name in case.keras):
        keras.backend.clear_session()
        model = case.make(keras)
        model.save(tmp_path / f"{number}.h5")
        model.save_weights(tmp_path / f"{number}.weights.h5")
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2 * sum(keras_name in case.keras for case in ROWS)
    for path in files:
        assert compare(path) >= 2, path


def test_hundreds_of_layers(keras_named: Callable[[str], Any], tmp_path: Path) -> None:
    """Trees of two levels, and an optimizer's state beside."""
    keras = keras_named(KERAS3)
    image = y = keras.layers.Input((4, 4, 2))
    for _ in range(150):
        y = keras.layers.Conv2D(2, 1)(y)
    model = keras.Model(image, y)
    model.compile("adam", "mse")
    model.save(tmp_path / "a.h5")
    model.save_weights(tmp_path / "a.weights.h5")
    assert compare(tmp_path / "a.h5") > 4 * 150
    assert compare(tmp_path / "a.weights.h5") > 4 * 150
