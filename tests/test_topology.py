"""Configurations written by hand: every spelling Keras has used for the same thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from configurations import conv, entry, image, model, names, on, reasons, sequential, small, tensor, tower
from oracles import handmade

from fastact import Extractor
from fastact.cli.info import _notes
from fastact.errors import ModelError
from fastact.layers import Config, create
from fastact.topology import Reference, parse


@pytest.mark.parametrize(
    "nodes",
    [
        [[["image", 0, 0, {}]]],
        [[["image", 0, 0]]],
        [["image", 0, 0, {}]],
        [on("image")],
        [{"args": [], "kwargs": {"inputs": tensor("image")}}],
        [{"args": [tensor("image")], "kwargs": {"training": None, "mask": None}}],
    ],
)
def test_calls_of_keras_2_and_3(nodes: Any):
    assert parse(small(nodes)).layers["conv"].calls[0].inputs == (Reference("image", 0),)
    assert names(small(nodes)) == ["image", "conv"]


@pytest.mark.parametrize("class_name", ["Model", "Functional"])
@pytest.mark.parametrize("ends", [["image", 0, 0], [["image", 0, 0]], {"image": ["image", 0, 0]}])
def test_ends(class_name: str, ends: Any):
    config = small()
    config["class_name"], config["config"]["input_layers"] = class_name, ends
    assert handmade(config).inputs == ("image",)


def test_a_flat_triple_and_four_fields():
    config = small([[["image", 0, 0, {"training": False}]]])
    config["config"]["output_layers"] = ["conv", 0, 0]
    assert handmade(config, (3, 12, 0)).outputs == ("conv",)


def test_sequential_as_a_list_and_as_a_dict():
    layers = [conv("a", None, batch_input_shape=[None, 8, 9, 3]), entry("Flatten", "b"), entry("Dense", "c", units=2)]
    for one in layers:
        del one["inbound_nodes"], one["name"]
    for config in (sequential(layers), {"class_name": "Sequential", "config": layers}):
        assert names(config, (2, 1, 0)) == ["a_input", "a", "b", "c"]
        assert handmade(config).layers["c"].shape == (2,)


@pytest.mark.parametrize("given", ["input", "batch_shape", "build_input_shape", "inside"])
def test_where_a_sequential_keeps_its_input(given: str):
    layers, more = [conv("a", None)], {}
    if given == "input":
        layers.insert(0, image("a_input"))
    elif given == "batch_shape":
        layers[0]["config"]["batch_shape"] = [None, 8, 9, 3]
    elif given == "build_input_shape":
        more = {"build_input_shape": [None, 8, 9, 3]}
    else:
        layers = [{**sequential([image(), conv("a", None)]), "name": "inner"}]
    built = handmade(sequential(layers, **more))
    assert len(built.inputs) == 1
    assert built.input_shapes[built.inputs[0]] == (8, 9, 3)
    assert built.nodes[-1].shape == (6, 7, 4)


def test_sequential_that_does_not_say_its_input():
    with pytest.raises(ModelError, match="saved before it was built"):
        handmade(sequential([conv("a", None)]))


def test_tensors_in_keywords():
    add = entry("Add", "sum", [{"args": [], "kwargs": {"inputs": [tensor("image"), tensor("image")]}}])
    assert names(model([image(), add], [["image", 0, 0]], [["sum", 0, 0]])) == ["image", "sum"]
    joined = entry(
        "TFOpLambda", "tf.concat", [["image", 0, 0, {"other": ["image", 0, 0], "axis": 3}]], function="concat"
    )
    built = handmade(model([image(), joined], [["image", 0, 0]], [["tf.concat", 0, 0]]), (2, 15, 0))
    assert built.nodes[1].inputs == (0, 0)


def test_tf_concat():
    node = [[["image", 0, 0, {"axis": -1}], ["image", 0, 0, {"axis": -1}]]]
    config = model(
        [image(), entry("TFOpLambda", "tf.concat", node, function="concat")], [["image", 0, 0]], [["tf.concat", 0, 0]]
    )
    assert handmade(config, (2, 15, 0)).layers["tf.concat"].shape == (8, 9, 6)
    config["config"]["layers"][1]["config"]["function"] = "math.bessel_j0"
    assert "math.bessel_j0" in reasons(config)["tf.concat"]


@pytest.mark.parametrize(
    "nodes", [[[["_CONSTANT_VALUE", -1, 2.0, {}], ["image", 0, 0, {}]]], [{"args": [tensor("image"), 2.0]}]]
)
def test_a_constant_is_reported_and_not_guessed(nodes: Any):
    assert "constant" in reasons(small(nodes))["conv"]


def test_quantized_weights_are_reported():
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "name": "int8_from_float32"}}
    assert "quantized (int8_from_float32)" in reasons(small([on("image")], dtype=policy))["conv"]
    assert reasons(small([on("image")], dtype={"class_name": "DTypePolicy", "config": {"name": "bfloat16"}})) == {}


def test_another_precision_is_noted():
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    built = handmade(small([on("image")], dtype=policy))
    assert _notes([built]) == ["layers computed in float32 instead of mixed_float16: 1"]


def test_an_unknown_argument_is_reported():
    assert "initial_state" in reasons(small([on("image", initial_state=3)]))["conv"]


def test_what_depends_on_an_unknown_layer_is_reported_and_the_rest_computed():
    layers = [
        image(), conv("a", [on("image")]), entry("Lambda", "b", [on("a")], function="!"), conv("c", [on("b")]),
        conv("d", [on("a")]),
    ]  # fmt: skip
    config = model(layers, [["image", 0, 0]], [["c", 0, 0], ["d", 0, 0]])
    assert reasons(config).keys() == {"b", "c"}
    maps = Extractor(handmade(config), "all")(np.zeros((8, 9, 3), np.float32))
    assert list(maps) == ["image", "a", "d"]
    assert "Lambda" in maps.missing["b"]
    assert "'b'" in maps.missing["c"]


def test_layers_listed_in_any_order():
    layers = [conv("c", [on("b")]), conv("b", [on("a")]), image(), conv("a", [on("image")])]
    assert names(model(layers, [["image", 0, 0]], [["c", 0, 0]])) == ["image", "a", "b", "c"]


def test_a_long_chain_backwards():
    chain = [image(), *(entry("ReLU", f"r{i}", [on(f"r{i - 1}" if i else "image")]) for i in range(3000))]
    assert len(names(model(chain[::-1], [["image", 0, 0]], [["r2999", 0, 0]]))) == 3001


def test_nested_calls_from_zero_and_from_one():
    for first, version in ((0, (3, 0, 0)), (1, (2, 15, 0))):
        layers = [
            image(), image("other"), tower(nodes=[[["image", 0, 0, {}]], [["other", 0, 0, {}]]]),
            entry("Add", "sum", [[["tower", first, 0, {}], ["tower", first + 1, 0, {}]]]),
        ]  # fmt: skip
        config = model(layers, [["image", 0, 0], ["other", 0, 0]], [["sum", 0, 0]])
        assert names(config, version) == ["image", "other", "tower/c", "tower", "tower:1/c", "tower:1", "sum"]


def test_shared_layer():
    layers = [
        image(),
        entry("ReLU", "r", [on("image"), {"args": [tensor("r")], "kwargs": {}}]),
        {**entry("Add", "sum"), "inbound_nodes": [{"args": [[tensor("r"), tensor("r", 1)]], "kwargs": {}}]},
    ]
    built = handmade(model(layers, [["image", 0, 0]], [["r", 1, 0], ["sum", 0, 0]]))
    assert [node.name for node in built.nodes] == ["image", "r", "r:1", "sum"]
    assert built.outputs == ("r:1", "sum")


def test_parameters_of_a_shared_layer_count_once():
    same = conv("c", [on("image"), {"args": [tensor("c")], "kwargs": {}}], filters=3, padding="same")
    assert handmade(model([image(), same], [["image", 0, 0]], [["c", 1, 0]])).parameters == 3 * 3 * 3 * 3 + 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AvgPool2D", "AveragePooling2D"), ("MaxPool2D", "MaxPooling2D"), ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
        ("GlobalMaxPool2D", "GlobalMaxPooling2D"), ("BatchNormalizationV1", "BatchNormalization"),
        ("BatchNormalizationV2", "BatchNormalization"),
    ],
)  # fmt: skip
def test_old_names(old: str, new: str):
    layers = [create(name, Config(name, "x", {"axis": [3]}, (2, 0, 0))) for name in (old, new)]
    assert type(layers[0]) is type(layers[1])


@pytest.mark.parametrize(("version", "slope"), [((2, 15, 0), 0.2), ((3, 0, 0), 1 / 6)])
def test_hard_sigmoid_follows_the_writer(version: tuple[int, ...], slope: float):
    layers = [image(), entry("Activation", "h", [on("image")], activation="hard_sigmoid")]
    built = handmade(model(layers, [["image", 0, 0]], [["h", 0, 0]]), version)
    maps = Extractor(built, "h")(np.full((8, 9, 3), 0.6, np.float32))
    assert np.allclose(maps["h"], 0.6 * slope + 0.5)
