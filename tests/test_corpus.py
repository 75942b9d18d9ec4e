"""Networks of the world in every file that can hold them: every layer against TensorFlow and a float64 reference."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cases import KERAS2
from corpus import NETWORKS, Difference, Subject, maps_of

ALL = os.environ.get("FASTACT_NETWORKS") == "all"
LATER = pytest.mark.skipif(not ALL, reason="takes half an hour for all networks: `make corpus` runs it")
ROWS = [
    pytest.param((network, keras), id=f"{network.name}-{keras}", marks=() if network.brief else LATER)
    for network in NETWORKS
    for keras in network.keras
]

ROUNDING = 2.0**-22
"""Two units in the last place of a layer's largest value are let pass: the largest of a few hundred rounding errors is
as much luck as skill, and TensorFlow may have made none."""


@pytest.fixture(scope="module", params=ROWS)
def subject(
    request: pytest.FixtureRequest, keras_named: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Subject:
    network, keras_name = request.param
    return Subject.of(network, keras_named(keras_name), tmp_path_factory.mktemp("corpus"))


def assert_exact(found: dict[str, Difference]) -> None:
    """Within 1e-5 of Keras's map, and from the exact one at most twice as far."""
    # Keras itself may be further from the exact map than that, where what it gives is small beside what it adds up.
    assert {name: d for name, d in found.items() if not d.apart <= 1e-5 + d.theirs} == {}
    assert {name: d for name, d in found.items() if not d.ours <= 2 * d.theirs + ROUNDING} == {}


def test_values_neither_explode_nor_die(subject: Subject) -> None:
    assert {name: d.largest for name, d in subject.differences().items() if not 0.01 < d.largest < 1000} == {}


def test_every_map_is_tensorflows(subject: Subject) -> None:
    assert [node.reason for node in subject.model.nodes if node.reason] == []
    assert set(subject.theirs[0]) == {node.name for node in subject.model.nodes if not node.is_input}
    found = subject.differences()
    assert len(found) == len(subject.theirs[0])
    assert_exact(found)


def test_other_files_give_the_same_maps_to_the_bit(subject: Subject, tmp_path: Path) -> None:
    unlike = {kind: subject.unlike(kind, tmp_path) for kind in subject.lossless}
    assert len(unlike) == (4 if subject.keras_name == KERAS2 else 2)
    assert unlike == {kind: [] for kind in unlike}


def test_what_a_converter_left_is_computed(subject: Subject, tmp_path: Path) -> None:
    model = subject.in_tflite(tmp_path)
    found = subject.differences(maps_of(model, subject.inputs))
    assert [node.reason for node in model.nodes if node.reason] == []
    assert 2 * len(found) >= len(model.nodes)
    assert_exact(found)
