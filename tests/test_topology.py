"""Configurations written by hand: every spelling Keras has used, and what is no network."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import pytest
from oracles import handmade

from fastact import Extractor, FastactError
from fastact.cli.info import _notes
from fastact.errors import ModelError
from fastact.layers import Config, create
from fastact.topology import MOST_LAYERS, Reference, parse

Json = dict[str, Any]


def entry(class_name: str, name: str, nodes: Any = (), **config: Any) -> Json:
    return {
        "class_name": class_name,
        "name": name,
        "config": {"name": name, "trainable": True, **config},
        "inbound_nodes": [] if nodes is None else list(nodes),
    }


def image(name: str = "image", shape: tuple[int | None, ...] = (8, 9, 3)) -> Json:
    return entry("InputLayer", name, batch_shape=[None, *shape])


def conv(name: str, nodes: Any, **config: Any) -> Json:
    return entry("Conv2D", name, nodes, **{"filters": 4, "kernel_size": [3, 3], **config})


def tensor(layer: str, call: int = 0, output: int = 0) -> Json:
    return {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [layer, call, output]}}


def on(*layers: str, **kwargs: Any) -> Json:
    """A Keras 3 call of one tensor, or of a list of them."""
    tensors = [tensor(name) for name in layers]
    return {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": kwargs}


def model(layers: list[Json], inputs: Any, outputs: Any, name: str = "m", class_name: str = "Functional") -> Json:
    return {
        "class_name": class_name,
        "config": {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs},
    }


def small(nodes: Any = None, **config: Any) -> Json:
    """An image into a convolution."""
    call = [on("image")] if nodes is None else nodes
    return model([image(), conv("conv", call, **config)], [["image", 0, 0]], [["conv", 0, 0]])


def sequential(layers: Any, **config: Any) -> Json:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": layers, **config}}


def names(config: Json, version: tuple[int, ...] = (3, 0, 0)) -> list[str]:
    return [node.name for node in handmade(config, version).nodes]


def reasons(config: Json) -> dict[str, str]:
    return {node.name: node.reason for node in handmade(config).nodes if node.reason is not None}


# Spellings of the same thing


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


def tower(name: str = "tower", nodes: Any = ()) -> Json:
    inside = model([image("inner"), conv("c", [on("inner")])], [["inner", 0, 0]], [["c", 0, 0]], name)
    return {**inside, "name": name, "inbound_nodes": list(nodes)}


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


# What is no network


def test_other_classes_of_model():
    with pytest.raises(ModelError, match="subclassed"):
        parse({"class_name": "MyNet", "config": {}})


WRONG = {
    "two layers of one name": lambda c: c["config"]["layers"].append(image()),
    "a layer without a name": lambda c: c["config"]["layers"].append({"class_name": "ReLU", "config": {}}),
    "a name that is no string": lambda c: c["config"]["layers"].append({"class_name": "ReLU", "config": {"name": 3}}),
    "a name without end": lambda c: c["config"]["layers"].append(entry("ReLU", "r" * 100_000, [on("conv")])),
    "a name that moves the cursor": lambda c: c["config"]["layers"].append(entry("ReLU", "r\x1b[2J", [on("conv")])),
    "a class of two lines": lambda c: c["config"]["layers"].append(entry("Re\nLU", "r", [on("conv")])),
    "a call that is a text of two lines": lambda c: c["config"]["layers"].append(conv("d", [["a\nb"]])),
    "a layer without a configuration": lambda c: c["config"]["layers"].append({"class_name": "ReLU", "name": "r"}),
    "a layer that is a string": lambda c: c["config"]["layers"].append("relu"),
    "layers that are no list": lambda c: c["config"].update(layers={"a": 1}),
    "no layers": lambda c: c["config"].pop("layers"),
    "no inputs": lambda c: c["config"].update(input_layers=[]),
    "no outputs": lambda c: c["config"].pop("output_layers"),
    "an output that is not there": lambda c: c["config"].update(output_layers=[["nothing", 0, 0]]),
    "an output of a call that is not there": lambda c: c["config"].update(output_layers=[["conv", 1, 0]]),
    "an output of a negative call": lambda c: c["config"].update(output_layers=[["conv", -1, 0]]),
    "a negative output": lambda c: c["config"].update(output_layers=[["conv", 0, -1]]),
    "an input that is no input": lambda c: c["config"].update(input_layers=[["conv", 0, 0]]),
    "an input that is not listed": lambda c: c["config"]["layers"].append(image("more")),
    "an input listed twice": lambda c: c["config"].update(input_layers=[["image", 0, 0]] * 2),
    "a call of a layer that is not there": lambda c: c["config"]["layers"].append(conv("d", [on("nothing")])),
    "a call of a call that is not there": lambda c: c["config"]["layers"].append(conv("d", [[["conv", 7, 0, {}]]])),
    "a call that is a number": lambda c: c["config"]["layers"].append(conv("d", [3])),
    "calls that are no list": lambda c: c["config"]["layers"][1].update(inbound_nodes={"a": 1}),
    "a layer that takes itself": lambda c: c["config"]["layers"].append(conv("d", [on("d")])),
    "a circle": lambda c: c["config"]["layers"].extend([conv("d", [on("e")]), conv("e", [on("d")])]),
    "an output of a nested model that is not there": lambda c: c["config"]["layers"].extend(
        [tower(nodes=[on("image")]), conv("d", [[["tower", 0, 3, {}]]])]
    ),
    "a nested model called with too many inputs": lambda c: c["config"]["layers"].append(
        tower(nodes=[on("image", "image")])
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_network(wrong: str):
    config = small()
    WRONG[wrong](config)
    with pytest.raises(ModelError) as caught:
        handmade(config)
    assert_is_a_sentence(str(caught.value))


def assert_is_a_sentence(message: str) -> None:
    assert len(message) < 400
    assert "\n" not in message
    assert "Error" not in message
    assert "object at" not in message


BAD_ENTRIES: dict[str, list[Json]] = {
    "Conv2D": [
        {"filters": 0}, {"filters": -4}, {"filters": 10**30}, {"filters": "4"}, {"filters": 4.0}, {"filters": True},
        {"filters": None}, {"kernel_size": 0}, {"kernel_size": [3]}, {"kernel_size": [3, 3, 3]}, {"kernel_size": "33"},
        {"kernel_size": [3, "3"]}, {"kernel_size": {"a": 1}}, {"strides": 0}, {"strides": [1, 0]}, {"strides": -1},
        {"strides": 1e400}, {"dilation_rate": 0}, {"dilation_rate": [1, -1]}, {"groups": 0}, {"groups": 4},
        {"groups": 2, "filters": 4}, {"padding": "full"}, {"padding": 1}, {"use_bias": "yes"}, {"data_format": "up"},
    ],
    "Dense": [{"units": 0}, {"units": []}, {"units": 10**30}, {"use_bias": 1}],
    "MaxPooling2D": [{"pool_size": 0}, {"strides": [0, 1]}],
    "AveragePooling2D": [{"padding": "causal"}],
    "GlobalMaxPooling2D": [{"keepdims": 2}],
    "ZeroPadding2D": [{"padding": -1}, {"padding": [[1, 2], [3]]}, {"padding": "same"}, {"padding": [1, 10**30]}],
    "Cropping2D": [{"cropping": [[1], 2]}],
    "Reshape": [
        {"target_shape": [-1, -1]}, {"target_shape": [0]}, {"target_shape": "all"}, {"target_shape": []},
        {"target_shape": [True, 216]}, {"target_shape": [10**30, -1]},
    ],
    "Rescaling": [{"scale": "half"}, {"scale": [], "offset": 0}, {"scale": float("nan")}],
    "BatchNormalization": [
        {"axis": 9}, {"axis": -9}, {"epsilon": "small"}, {"epsilon": float("inf")}, {"scale": 3},
    ],
    "Softmax": [{"axis": 7}],
    "ReLU": [{"max_value": "6"}, {"threshold": []}],
    "LeakyReLU": [{"alpha": None, "negative_slope": "x"}],
}  # fmt: skip


@pytest.mark.parametrize(("class_name", "bad"), [(c, bad) for c, bads in BAD_ENTRIES.items() for bad in bads])
def test_an_entry_that_cannot_be(class_name: str, bad: Json):
    good: Json = {"Conv2D": {"filters": 6, "kernel_size": 3}, "Dense": {"units": 2}}.get(class_name, {})
    config = model(
        [image(), entry(class_name, "the layer", [on("image")], **{**good, **bad})],
        [["image", 0, 0]],
        [["the layer", 0, 0]],
    )
    with pytest.raises(ModelError) as caught:
        handmade(config)
    assert "'the layer'" in str(caught.value)
    assert any(f"{name} must be" in str(caught.value) for name in (*bad, "filters"))
    assert_is_a_sentence(str(caught.value))


@pytest.mark.parametrize(
    "shape", [[None, 0, 8, 3], [None, -1, 8, 3], [None, "8", 8, 3], 8, "x", [None, 2.5], [None, 10**30]]
)
def test_an_input_shape_that_cannot_be(shape: Any):
    config = small()
    config["config"]["layers"][0]["config"]["batch_shape"] = shape
    with pytest.raises(ModelError, match="'image'"):
        handmade(config)


REFUSED: list[tuple[str, Json]] = [
    ("Conv2D", {"filters": 4, "kernel_size": 9}), ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 5}),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "activation": "abracadabra"}),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "glu"}), ("Activation", {"activation": "glu"}),
    ("Activation", {"activation": {"class_name": "Custom", "config": {}}}), ("Softmax", {"axis": [1, 2]}),
    ("Softmax", {"axis": 0}), ("BatchNormalization", {"axis": [1, 2]}), ("Concatenate", {"axis": 0}),
    ("Concatenate", {"axis": 9}), ("Reshape", {"target_shape": [5, 5]}), ("Cropping2D", {"cropping": 4}),
    ("MaxPooling2D", {"pool_size": 20}), ("Add", {}), ("Rescaling", {"scale": [1.0, 2.0]}), ("LSTM", {"units": 2}),
    ("Lambda", {"function": "cos\nsystem"}), ("TimeDistributed", {"layer": {"class_name": "Lambda", "config": {}}}),
    ("Embedding", {}), ("MyLayer", {}), ("Masking", {}), ("CuDNNLSTM", {"units": 2}), ("GRU", {"units": 2}),
    ("Bidirectional", {"layer": {"class_name": "ReLU", "config": {}}}),
    ("RNN", {"cell": {"class_name": "Mine", "config": {}}}),
]  # fmt: skip


@pytest.mark.parametrize(("class_name", "config"), REFUSED)
def test_what_cannot_be_computed_is_reported_and_sinks_nothing(class_name: str, config: Json):
    layers = [image(), entry(class_name, "odd", [on("image")], **config), conv("plain", [on("image")])]
    found = reasons(model(layers, [["image", 0, 0]], [["odd", 0, 0], ["plain", 0, 0]]))
    assert found.keys() == {"odd"}
    assert_is_a_sentence(found["odd"])


def test_one_number_a_frame_is_reported():
    layers = [image("number", ()), entry("Dense", "d", [on("number")], units=2)]
    assert reasons(model(layers, [["number", 0, 0]], [["d", 0, 0]])).keys() == {"number", "d"}


def test_a_shared_layer_of_two_shapes():
    """Its weights fit one of the calls at most: memory would be read beyond their end."""
    layers = [
        image(), image("deep", (8, 9, 6)),
        conv("c", [on("image"), on("deep")]),
    ]  # fmt: skip
    with pytest.raises(ModelError, match="'c'"):
        handmade(model(layers, [["image", 0, 0], ["deep", 0, 0]], [["c", 0, 0]]))


def test_a_layer_that_fits_another_size_only_has_no_weights():
    config = small(kernel_size=9)
    larger = handmade(config).at_size((20, 20))
    assert larger.layers["conv"].reason is not None
    with pytest.raises(FastactError):
        Extractor(larger, "conv")


@pytest.mark.parametrize("ends", [1, 2])
def test_models_in_models_that_double(ends: int):
    """Twenty models, each calling the one inside it twice: a million layers in a few kilobytes."""
    inputs = [image(f"i{n}", (4,)) for n in range(ends)]
    references = [[f"i{n}", 0, 0] for n in range(ends)]
    bomb = model(inputs, references, references, "m0")
    for level in range(1, 21):
        first = {"args": [[tensor(f"i{n}") for n in range(ends)]], "kwargs": {}}
        second = {"args": [[tensor(f"m{level - 1}", 0, n) for n in range(ends)]], "kwargs": {}}
        inner = {**bomb, "name": f"m{level - 1}", "inbound_nodes": [first, second]}
        out = [[f"m{level - 1}", 1, n] for n in range(ends)]
        bomb = model([*copy.deepcopy(inputs), inner], references, out, f"m{level}")
    started = time.monotonic()
    with pytest.raises(ModelError, match="more than"):
        handmade(bomb)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("class_name", "config"),
    [
        ("LSTM", {"units": 1}),
        ("Bidirectional", {"layer": {"class_name": "GRU", "config": {"units": 1}}}),
        ("TimeDistributed", {"layer": {"class_name": "Dense", "config": {"units": 1}}}),
    ],
)
def test_time_steps_are_bounded(class_name: str, config: Json):
    """A configuration of a few bytes must not come to a plan of millions of operations."""
    run = entry("InputLayer", "run", [], batch_shape=[None, MOST_LAYERS, 1])
    layers = [run, entry(class_name, "loop", [on("run")], **config)]
    with pytest.raises(ModelError, match="time steps"):
        handmade(model(layers, [["run", 0, 0]], [["loop", 0, 0]]))
