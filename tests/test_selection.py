"""Which layers are wanted: names, patterns, predicates, everything."""

from __future__ import annotations

import pytest
from configurations import conv, entry, image, model, on, tensor, tower
from oracles import handmade

from fastact import Model
from fastact.errors import LayerNotFoundError
from fastact.selection import Layers, select


@pytest.fixture(scope="module")
def built() -> Model:
    layers = [
        image(),
        conv("conv", [on("image")], padding="same", filters=3),
        tower(nodes=[on("conv"), {"args": [tensor("image")], "kwargs": {}}]),
        conv("conv_1", [on("tower")]),
        conv("all", [on("tower")]),
        conv("a[1]", [on("tower")]),
        entry("Dense", "dense", [on("conv_1")], units=2),
    ]
    return handmade(model(layers, [["image", 0, 0]], [["dense", 0, 0], ["all", 0, 0], ["a[1]", 0, 0], ["tower", 1, 0]]))


CONVOLUTIONS = ["conv", "tower/c", "tower:1/c", "conv_1", "all", "a[1]"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, CONVOLUTIONS),
        ("dense", ["dense"]),
        ("conv", ["conv"]),
        ("conv*", ["conv", "conv_1"]),
        ("conv_?", ["conv_1"]),
        ("tower*", ["tower/c", "tower", "tower:1/c", "tower:1"]),
        ("*/c", ["tower/c", "tower:1/c"]),
        (["dense", "conv"], ["conv", "dense"]),
        (["conv*", "conv"], ["conv", "conv_1"]),
        (("dense",), ["dense"]),
        (lambda node: node.class_name == "Dense", ["dense"]),
        (lambda node: node.is_convolution, CONVOLUTIONS),
        ("all", ["all"]),
        ("a[1]", ["a[1]"]),
        ("[cd]*", ["conv", "conv_1", "dense"]),
    ],
)
def test_selection(built: Model, layers: Layers, expected: list[str]):
    assert sorted(n.name for n in select(built, layers)) == sorted(expected)
    chosen = [n.name for n in select(built, layers)]
    assert chosen == [n.name for n in built.nodes if n.name in chosen], "in the model's order"


def test_all(built: Model):
    plain = handmade(model([image(), conv("c", [on("image")])], [["image", 0, 0]], [["c", 0, 0]]))
    assert [n.name for n in select(plain, "all")] == ["image", "c"]


@pytest.mark.parametrize("layers", ["nothing", "x*", ["conv", "nothing"], [], lambda node: False])
def test_what_matches_nothing_lists_what_exists(built: Model, layers: Layers):
    with pytest.raises(LayerNotFoundError) as caught:
        select(built, layers)
    for name in built.layers:
        assert name in str(caught.value)


def test_a_near_name_is_suggested(built: Model):
    with pytest.raises(LayerNotFoundError, match=r"did you mean 'conv_1'\?"):
        select(built, "conv_i")


def test_a_model_without_convolutions():
    dense = handmade(
        model([image("in", (3,)), entry("Dense", "d", [on("in")], units=2)], [["in", 0, 0]], [["d", 0, 0]])
    )
    with pytest.raises(LayerNotFoundError, match="no convolution"):
        select(dense)
