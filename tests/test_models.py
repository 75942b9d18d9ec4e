"""Models of the world outside: every .h5 and .keras in a folder that has a .npz of TensorFlow's maps beside it.

The folder is FASTACT_CORPUS, or a `data/models` in a folder beside the checkout; without one there is nothing to test
here, and the golden files have to do.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from oracles import assert_as_recorded

import fastact

BESIDE = sorted(Path(__file__).parents[2].glob("*/data/models"))
FOLDERS = [Path(os.environ["FASTACT_CORPUS"])] if "FASTACT_CORPUS" in os.environ else BESIDE
FILES = sorted(
    p for folder in FOLDERS for kind in ("*.h5", "*.keras") for p in folder.glob(kind) if p.with_suffix(".npz").exists()
)
NOT_YET = ("TimeDistributed", "LSTM")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_maps_are_those_tensorflow_gave(path: Path):
    model = fastact.load(path)
    maps = assert_as_recorded(model, path.with_suffix(".npz"))
    dependent: set[int] = set()
    for place, node in enumerate(model.nodes):
        if node.class_name in NOT_YET or dependent & set(node.inputs):
            dependent.add(place)
    assert set(maps.missing) == {model.nodes[place].name for place in dependent}
