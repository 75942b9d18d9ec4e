"""Models of the world outside: every .h5 in a folder that has a .npz of TensorFlow's maps beside it.

The folder is FASTACT_CORPUS, or shared/data/models beside the checkout where that exists; without one there is
nothing to test here, and the golden files have to do.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from oracles import assert_as_recorded

import fastact

CORPUS = Path(os.environ.get("FASTACT_CORPUS") or Path(__file__).parents[2] / "shared" / "data" / "models")
FILES = sorted(p for p in CORPUS.glob("*.h5") if p.with_suffix(".npz").exists()) if CORPUS.is_dir() else []
NOT_YET = ("TimeDistributed", "LSTM")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_maps_are_those_tensorflow_gave(path: Path):
    model = fastact.load(path)
    maps = assert_as_recorded(model, path.with_suffix(".npz"))
    dependent: set[int] = set()
    for place, node in enumerate(model.nodes):
        if node.class_name in NOT_YET or dependent & set(node.inputs):
            dependent.add(place)
    assert set(maps.missing) == {model.nodes[place].name for place in dependent}


