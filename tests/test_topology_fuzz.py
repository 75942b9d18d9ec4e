"""Configurations with anything in them: only fastact's own errors may come out."""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
from configurations import Json, assert_is_a_sentence, conv, entry, image, model, on, reasons, sequential, tower
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oracles import handmade

from fastact import Extractor, FastactError

KEYS = ["name", "config", "class_name", "layers", "args", "kwargs", "activation"]
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 9),
        st.sampled_from([10**30, -(10**30), 1e308, float("inf"), float("nan")]),
        st.floats(),
        st.sampled_from(["", "image", "conv", "tower", "inner", "Conv2D", "Functional", "Sequential", "same"]),
        st.text(max_size=4),
        st.sampled_from([["image", 0, 0], ["conv", 0, 0], ["tower", 0, 0], [None, 8, 9, 3]]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    ),
    max_leaves=6,
)


def subject() -> Json:
    """A configuration with a bit of everything in it."""
    layers = [
        image(), image("numbers", (5,)), conv("conv", [on("image")], activation="relu", padding="same", strides=[1, 1]),
        entry("BatchNormalization", "norm", [on("conv")], axis=-1, epsilon=0.001, scale=True, center=True),
        entry("MaxPooling2D", "pool", [on("norm")], pool_size=[2, 2], strides=None, padding="valid"),
        tower(nodes=[[["image", 0, 0, {}]], [["image", 0, 0, {}]]]),
        {**sequential([entry("Dense", "x", units=3, batch_input_shape=[None, 5]), entry("Softmax", "y", axis=-1)]),
         "name": "side", "inbound_nodes": [on("numbers")]},
        entry("Flatten", "flat", [on("pool")]), entry("Concatenate", "join", [on("flat", "side")], axis=-1),
        entry("Dense", "dense", [on("join")], units=2, activation={"class_name": "function", "config": "tanh"}),
        entry("TFOpLambda", "tf", [[["tower", 0, 0, {"axis": -1}], ["tower", 1, 0, {"axis": -1}]]], function="concat"),
        entry("Rescaling", "scale", [on("tf")], scale=0.5, offset=[0.0]),
        entry("Reshape", "shape", [on("scale")], target_shape=[-1, 2]),
        entry("ZeroPadding2D", "pad", [on("tf")], padding=[[1, 0], [0, 1]]), entry("Add", "add", [on("pad", "pad")]),
    ]  # fmt: skip
    return model(layers, [["image", 0, 0], ["numbers", 0, 0]], [["dense", 0, 0], ["shape", 0, 0], ["add", 0, 0]])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


PLACES = [place for place in places(subject()) if place]


def test_the_subject_of_the_fuzz_is_whole():
    assert reasons(subject()) == {}


@settings(
    max_examples=int(os.environ.get("FASTACT_FUZZ", "600")), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES, st.booleans()), min_size=1, max_size=3))
@example([(("config", "layers", 0, "config", "batch_shape"), [None], False)])
@example([(("config", "layers", 12, "config", "target_shape"), [], False)])
def test_fuzz_of_configurations(changes: list[tuple[tuple[Any, ...], Any, bool]]):
    """Whatever stands in a configuration, only fastact's own errors come out, also when what is left is run."""
    config = subject()
    for place, value, remove in changes:
        target: Any = config
        try:
            for key in place[:-1]:
                target = target[key]
            if remove:
                del target[place[-1]]
            else:
                target[place[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        built = handmade(config)
        frames = {n: np.zeros([m or 7 for m in shape], np.float32) for n, shape in built.input_shapes.items()}
        if sum(a.size for a in frames.values()) < 10**5 and all((n.map_bytes or 0) < 2**22 for n in built.nodes):
            assert built.costs is not None
            Extractor(built, "all")(frames)
            built.at_size((12, 13))
    except FastactError as error:
        assert_is_a_sentence(str(error).replace("Error", ""))
