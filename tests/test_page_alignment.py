"""Which layers of two models stand side by side."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import handmade

import fastact
from fastact.page import alignment
from fastact.page.alignment import aligned

KINDS = {
    "conv": ("Conv2D", {"filters": 2, "kernel_size": 1}),
    "wide": ("Conv2D", {"filters": 5, "kernel_size": 1}),
    "relu": ("Activation", {"activation": "relu"}),
    "drop": ("Dropout", {"rate": 0.2}),
    "pool": ("MaxPooling2D", {"pool_size": 1}),
}


def model(*layers: str) -> fastact.Model:
    """A chain of layers, each given as its kind and its name, with a colon between."""
    listed = [{"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 6, 6, 3]}}]
    for each in layers:
        kind, _, name = each.partition(":")
        class_name, configuration = KINDS[kind]
        listed.append({"class_name": class_name, "config": {"name": name, **configuration}})
    return handmade({"class_name": "Sequential", "config": {"name": "m", "layers": listed}})


def test_by_place_where_the_classes_are_the_same() -> None:
    one, other = model("conv:a", "relu:b", "conv:c"), model("wide:c", "relu:x", "wide:a")
    assert aligned([one, one]) == [(n, n) for n in ("in", "a", "b", "c")]
    assert aligned([one, other]) == [("in", "in"), ("a", "c"), ("b", "x"), ("c", "a")]
    assert aligned([one, other, one])[1:] == [("a", "c", "a"), ("b", "x", "b"), ("c", "a", "c")]


def test_by_name_where_the_same_layers_stand_in_another_order() -> None:
    one, other = model("conv:a", "relu:b", "pool:c"), model("relu:b", "pool:c", "conv:a")
    assert aligned([one, other]) == [("in", "in"), ("a", "a"), ("b", "b"), ("c", "c")]


def test_a_layer_that_one_lacks_stands_alone_in_its_place() -> None:
    one = model("conv:conv2d", "drop:dropout", "conv:conv2d_1", "drop:dropout_1")
    other = model("conv:conv2d_7", "conv:conv2d_8", "pool:max_pooling2d")
    assert aligned([one, other]) == [
        ("in", "in"), ("conv2d", "conv2d_7"), ("dropout", None), ("conv2d_1", "conv2d_8"), ("dropout_1", None),
        (None, "max_pooling2d"),
    ]  # fmt: skip
    assert aligned([one, other, one])[3:5] == [("conv2d_1", "conv2d_8", "conv2d_1"), ("dropout_1", None, "dropout_1")]


def test_names_and_numbers_of_filters_decide_between_layers_of_a_class() -> None:
    assert aligned([model("conv:a", "conv:b"), model("conv:b", "relu:c")])[1:] == [("a", None), ("b", "b"), (None, "c")]
    assert aligned([model("conv:a", "wide:b"), model("wide:x", "relu:y")])[1:] == [("a", None), ("b", "x"), (None, "y")]


def test_very_large_models_are_aligned_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MOST_PAIRS", 5)
    one, other = model("conv:a", "relu:b"), model("conv:x", "relu:b", "pool:c")
    assert aligned([one, other]) == [("in", "in"), ("a", None), ("b", "b"), (None, "x"), (None, "c")]


@given(*[st.lists(st.sampled_from(sorted(KINDS)), max_size=6)] * 2)
def test_every_layer_has_one_place_in_order_beside_one_of_its_class(one: list[str], other: list[str]) -> None:
    models = [
        model(*(f"{kind}:{letter}{i}" for i, kind in enumerate(each))) for letter, each in (("l", one), ("m", other))
    ]
    rows = aligned(models)
    for column, each in enumerate(models):
        assert [row[column] for row in rows if row[column] is not None] == [node.name for node in each.nodes]
    together = [row for row in rows if None not in row]
    kinds = [tuple(m.layers[str(n)].class_name for m, n in zip(models, row, strict=True)) for row in together]
    assert all(a == b for a, b in kinds)
    alone = [row for row in rows if None in row]
    for a, b in pairwise(alone):  # two that could stand side by side do
        if rows.index(b) == rows.index(a) + 1 and (a[0] is None) != (b[0] is None):
            names = [m.layers[str(a[c] or b[c])].class_name for c, m in enumerate(models)]
            assert names[0] != names[1]
