"""donkeycar's pilots at their real size: every map of every layer against TensorFlow and a float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import Case
from comparison import all_maps, assert_is_tensorflows
from pilots import PILOTS

import fastact

ROWS = [pytest.param(case, keras, id=f"{case.id}-{keras}") for case in PILOTS for keras in case.keras]


@pytest.mark.parametrize(("case", "keras_name"), ROWS)
def test_every_map_is_tensorflows(case: Case, keras_name: str, keras_named: Callable[[str], Any], tmp_path: Path):
    theirs, ours, exact = all_maps(case, keras_named(keras_name), tmp_path / "pilot.h5", count=2)
    for name, expected in theirs.items():
        assert_is_tensorflows(name, ours[name], expected, exact[name])
    convolutions = fastact.Extractor(tmp_path / "pilot.h5").layers
    assert len(convolutions) == {"rnn": 4, "three_d": 4, "latent": 14}.get(case.id, 5)
