"""Configurations that are no network, and what cannot be computed: an error or a reason, each a sentence."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from configurations import (
    Json,
    assert_is_a_sentence,
    conv,
    entry,
    image,
    model,
    on,
    reasons,
    sequential,
    small,
    tensor,
    tower,
)
from oracles import handmade

from fastact import Extractor, FastactError
from fastact.errors import ModelError
from fastact.topology import MOST_LAYERS, parse


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
    "an input that is called twice": lambda c: c["config"]["layers"][0].update(inbound_nodes=[[], []]),
    "an input that is called on a layer": lambda c: c["config"]["layers"][0].update(inbound_nodes=[on("conv")]),
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
    started = time.process_time()
    with pytest.raises(ModelError, match="more than"):
        handmade(bomb)
    assert time.process_time() - started < 10


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


def test_names_that_grow_by_nesting():
    """Names hold those around them: four thousand layers in twenty models would have 80 MB of names."""
    layers = [entry("ReLU", f"{n:04}" * 250) for n in range(4000)]
    inner = sequential([entry("InputLayer", "i", batch_shape=[None, 8, 8, 3]), *layers])
    for depth in range(20):
        inner["config"]["name"] = inner["name"] = f"{depth:02}" * 500
        inner = sequential([entry("InputLayer", f"i{depth}", batch_shape=[None, 8, 8, 3]), inner])
    with pytest.raises(ModelError, match=r"names of more than \d+ letters"):
        handmade(inner)
