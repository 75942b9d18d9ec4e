"""Small files written by Keras 3 and tf_keras, with TensorFlow's maps, for machines without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles import assert_as_recorded

import fastact

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.h5"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_maps_are_those_tensorflow_gave(path: Path):
    model = fastact.load(path)
    maps = assert_as_recorded(model, path.with_suffix(".npz"))
    assert maps.missing == {}


def test_the_files_are_there_and_small():
    models = ("pilot", "functions", "towers", "sequence")
    names = {f"{model}-{keras}" for model in models for keras in ("keras", "tf_keras")}
    assert {path.stem for path in FILES} == names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000


def test_hard_sigmoid_follows_the_keras_that_wrote_the_file():
    row = np.full(6, 0.6, np.float32)
    for keras, expected in (("keras", 0.6 / 6 + 0.5), ("tf_keras", 0.6 * 0.2 + 0.5)):
        extract = fastact.Extractor(FOLDER / f"functions-{keras}.h5", "hard_sigmoid")
        assert np.allclose(extract(row)["hard_sigmoid"], expected)
