"""Normalizations, reductions and repeated rows in TensorFlow Lite files: each again the layer that it was.

Files converted here and now from models with shaken weights, compared with Keras's own maps; and chains made by hand
of which one operator differs, which are not the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import keras_maps
from tflite_files import encoded, i32, operator, tensor
from tflite_models import converted, interpreted, shaken

import fastact
from fastact.files import tflite_schema as schema

Keras = Callable[[str], Any]
Make = Callable[[Any, Any], Any]

LAYERS: dict[str, tuple[tuple[int, ...], Make]] = {
    "layer": ((5, 6, 4), lambda k, x: k.LayerNormalization(name="it")(x)),
    "layer, no gain": ((5, 6, 4), lambda k, x: k.LayerNormalization(scale=False, name="it")(x)),
    "layer, no offset": ((5, 6, 4), lambda k, x: k.LayerNormalization(center=False, name="it")(x)),
    "layer, neither": ((5, 6, 4), lambda k, x: k.LayerNormalization(scale=False, center=False, name="it")(x)),
    "layer, all axes": ((5, 6, 4), lambda k, x: k.LayerNormalization(axis=(1, 2, 3), name="it")(x)),
    "layer, rows and channels": ((5, 6, 4), lambda k, x: k.LayerNormalization(axis=(1, 3), name="it")(x)),
    "layer, another epsilon": ((7, 4), lambda k, x: k.LayerNormalization(epsilon=0.25, name="it")(x)),
    "layer, frames": ((3, 5, 6, 4), lambda k, x: k.LayerNormalization(name="it")(x)),
    "layer twice": ((5, 4), lambda k, x: k.LayerNormalization(name="it")(k.LayerNormalization(name="before")(x))),
    "two of the same": ((5, 4), lambda k, x: k.Add()([k.LayerNormalization(name="it")(x), k.LayerNormalization()(x)])),
    "groups": ((5, 6, 4), lambda k, x: k.GroupNormalization(2, name="it")(x)),
    "one group": ((5, 6, 4), lambda k, x: k.GroupNormalization(1, name="it")(x)),
    "a group a channel": ((5, 6, 4), lambda k, x: k.GroupNormalization(-1, name="it")(x)),
    "groups, no gain": ((5, 6, 4), lambda k, x: k.GroupNormalization(2, scale=False, name="it")(x)),
    "groups, no offset": ((5, 6, 4), lambda k, x: k.GroupNormalization(2, center=False, name="it")(x)),
    "one group, neither": ((5, 4), lambda k, x: k.GroupNormalization(1, scale=False, center=False, name="it")(x)),
    "groups of rows": ((6, 5, 4), lambda k, x: k.GroupNormalization(3, axis=1, name="it")(x)),
    "groups of a vector": ((8,), lambda k, x: k.GroupNormalization(2, name="it")(x)),
    "groups and relu": ((5, 6, 4), lambda k, x: k.ReLU(name="then")(k.GroupNormalization(2, name="it")(x))),
    "groups and sigmoid": (
        (5, 6, 4),
        lambda k, x: k.Activation("sigmoid", name="then")(k.GroupNormalization(2, name="it")(x)),
    ),
    "layer and relu": ((5, 6, 4), lambda k, x: k.ReLU(name="then")(k.LayerNormalization(name="it")(x))),
    "groups of what is larger": ((5, 6, 4), lambda k, x: k.GroupNormalization(2, name="it")(k.UpSampling2D(2)(x))),
    "unit": ((5, 6, 4), lambda k, x: k.UnitNormalization(name="it")(x)),
    "unit, rows and columns": ((5, 6, 4), lambda k, x: k.UnitNormalization(axis=(1, 2), name="it")(x)),
    "unit of a vector": ((7,), lambda k, x: k.UnitNormalization(name="it")(x)),
    "repeated": (
        (6,),
        lambda k, x: k.Conv1D(4, 2, name="then")(k.RepeatVector(3, name="it")(k.Dense(4, name="before")(x))),
    ),
    "repeated rows": ((6, 4), lambda k, x: k.UpSampling1D(3, name="it")(x)),
}
CLASSES = {
    "layer": "LayerNormalization", "two": "LayerNormalization", "groups": "GroupNormalization",
    "one": "GroupNormalization", "a": "GroupNormalization", "repeated": "RepeatVector",
}  # fmt: skip


def made(k: Any, name: str) -> Any:
    """A model of the layer."""
    shape, make = LAYERS[name]
    k.backend.clear_session()
    x = image = k.layers.Input(shape, name="img_in")
    x = make(k.layers, k.layers.Activation("tanh", name="first")(x))
    return shaken(k.Model(image, last(k, x)))


def last(k: Any, x: Any) -> Any:
    """What takes a layer's map as it is: of outputs, Keras 3 forgets the names."""
    return k.layers.Add(name="last")([x, k.layers.Activation("tanh", name="beside")(x)])


def picture(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(11).normal(0.2, 1, shape).astype(np.float32)


def loaded(path: Path, content: bytes) -> fastact.Model:
    path.write_bytes(content)
    return fastact.load(path)


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_what_they_were(name: str, version: str, keras_named: Keras, tmp_path: Path) -> None:
    original = made(keras_named(version), name)
    given = picture(LAYERS[name][0])
    model = loaded(tmp_path / "a.tflite", converted(original))
    maps, expected = fastact.Extractor(model, "all")(given), keras_maps(original, {"img_in": given[None]})
    assert not maps.missing
    assert {"first", "it", "then", "before"} & set(expected) <= set(maps)
    for shared in set(maps) & set(expected):
        bound = 2e-5 * np.max(np.abs(expected[shared]))
        np.testing.assert_allclose(maps[shared], expected[shared][0], rtol=0, atol=bound, err_msg=shared)
    by_name = {node.name: node.class_name for node in model.nodes}
    unit = "UnitNormalization" if version == "keras" else "Normalize"  # tf-keras bounds the length elsewhere
    kind = "UpSampling1D" if name == "repeated rows" else CLASSES.get(name.replace(",", "").split()[0], unit)
    assert by_name["it"] == kind


@pytest.mark.parametrize(
    ("name", "kind"), [("layer", "LayerNormalization"), ("groups", "GroupNormalization"), ("unit", "Normalize")]
)
def test_float16(name: str, kind: str, keras_named: Keras, tmp_path: Path) -> None:
    content = converted(made(keras_named("keras"), name), "float16")
    given = picture(LAYERS[name][0])
    model = loaded(tmp_path / "a.tflite", content)
    (expected,) = interpreted(content, {"img_in": given}).values()
    found = fastact.Extractor(model, "all")(given)[model.outputs[0]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.max(np.abs(expected)))
    assert kind in {node.class_name for node in model.nodes}  # the bound of 1e12 is 65504 there


def test_each_frame_by_itself(keras_named: Keras, tmp_path: Path) -> None:
    k = keras_named("keras")
    image = k.layers.Input((3, 5, 6, 4), name="img_in")
    x = k.layers.TimeDistributed(k.layers.LayerNormalization(), name="layer")(image)
    x = k.layers.TimeDistributed(k.layers.GroupNormalization(2), name="groups")(x)
    original = shaken(k.Model(image, last(k, x)))
    given = picture((3, 5, 6, 4))
    model = loaded(tmp_path / "a.tflite", converted(original))
    maps, expected = fastact.Extractor(model, "all")(given), keras_maps(original, {"img_in": given[None]})
    for name in ("layer", "groups"):
        np.testing.assert_allclose(maps[name], expected[name][0], rtol=0, atol=2e-5)


def test_gain_in_a_dense_layer_is_not_the_layer_s(keras_named: Keras, tmp_path: Path) -> None:
    """The converter puts tf-keras's gamma and beta into the dense layer: before that, the map is another one."""
    k = keras_named("tf_keras")
    image = k.layers.Input((12,), name="img_in")
    x = k.layers.LayerNormalization(name="it")(image)
    original = shaken(k.Model(image, k.layers.Dense(3, name="last")(x)))
    given = picture((12,))
    maps = fastact.Extractor(loaded(tmp_path / "a.tflite", converted(original)), "all")(given)
    assert "it" not in maps
    expected = keras_maps(original, {"img_in": given[None]})
    np.testing.assert_allclose(maps["last"], expected["last"][0], rtol=0, atol=1e-5)


REDUCTIONS: dict[str, Make] = {
    "Mean": lambda o, x: o.mean(x, axis=3, keepdims=True),
    "Sum": lambda o, x: o.sum(x, axis=(1, 2)),
    "Max": lambda o, x: o.max(x, axis=-2),
    "Min": lambda o, x: o.min(x, axis=(1, -1), keepdims=True),
    "Square": lambda o, x: o.square(x),
    "Absolute": lambda o, x: o.abs(x),
    "Sqrt": lambda o, x: o.sqrt(x + 9.0),
    "Rsqrt": lambda o, x: o.rsqrt(x + 9.0),
    "Subtract": lambda o, x: o.var(x, axis=2, keepdims=True),
    "Normalize": lambda o, x: o.normalize(x, axis=-1),
    "GlobalAveragePooling2D": lambda o, x: o.mean(x, axis=(1, 2)),
    "GlobalMaxPooling2D": lambda o, x: o.max(x, axis=(1, 2), keepdims=True),
}


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_operations(kind: str, keras_named: Keras, tmp_path: Path) -> None:
    k = keras_named("keras")
    image = k.layers.Input((5, 6, 4), name="img_in")
    content = converted(k.Model(image, REDUCTIONS[kind](k.ops, image)))
    given = picture((5, 6, 4))
    model = loaded(tmp_path / "a.tflite", content)
    (expected,) = interpreted(content, {"img_in": given}).values()
    found = fastact.Extractor(model, "all")(given)[model.outputs[0]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.max(np.abs(expected)))
    assert kind in {node.class_name for node in model.nodes}


# Chains made by hand.

CHAIN = {
    "mean": ("MEAN", ["x", "axes"], {"keep_dims": 1}),
    "negative": ("NEG", ["mean"], {}),
    "squares": ("SQUARED_DIFFERENCE", ["x", "mean"], {}),
    "variance": ("MEAN", ["squares", "axes"], {"keep_dims": 1}),
    "sum": ("ADD", ["variance", "epsilon"], {}),
    "inverse": ("RSQRT", ["sum"], {}),
    "factor": ("MUL", ["inverse", "gamma"], {}),
    "less": ("MUL", ["negative", "factor"], {}),
    "shift": ("ADD", ["less", "beta"], {}),
    "scaled": ("MUL", ["x", "factor"], {}),
    "y": ("ADD", ["scaled", "shift"], {}),
}
ONE = [1, 5, 1]
SHAPES = dict.fromkeys(("mean", "negative", "variance", "sum", "inverse"), ONE)
CONSTANTS: dict[str, Any] = {
    "axes": np.array([-1], np.int32),
    "epsilon": np.float32(0.5),
    "gamma": np.array([1, 2, 3, 4], np.float32),
    "beta": np.array([4, 3, 2, 1], np.float32),
    "other axes": np.array([1], np.int32),
}


def by_hand(chain: dict[str, Any], constants: dict[str, Any], outputs: tuple[str, ...] = ("y",)) -> bytes:
    names = ["x", *constants, *chain]
    tensors = [tensor("serving_default_x:0", [1, 5, 4], signature=[-1, 5, 4])]
    for place, value in enumerate(constants.values(), 1):
        kind = "INT32" if np.asarray(value).dtype == np.int32 else "FLOAT32"
        tensors.append(tensor(names[place], list(np.shape(value)), place, kind))
    for name in chain:
        shape = SHAPES.get(name, [1, 5, 4])
        tensors.append(tensor(f"network/it/{name}", shape, signature=[-1, *shape[1:]]))
    kinds = sorted({kind for kind, _, _ in chain.values()})
    operators = [
        operator(
            kinds.index(kind), [names.index(n) for n in takes], [names.index(name)], kind if told else None, **told
        )
        for name, (kind, takes, told) in chain.items()
    ]
    graph = {
        schema.SubGraph.TENSORS: tensors,
        schema.SubGraph.INPUTS: [0],
        schema.SubGraph.OUTPUTS: [names.index(name) for name in outputs],
        schema.SubGraph.OPERATORS: operators,
        schema.SubGraph.NAME: "main",
    }
    return encoded(
        {
            schema.Model.OPERATOR_CODES: [
                {schema.OperatorCode.BUILTIN_CODE: i32(schema.OPERATORS.index(kind))} for kind in kinds
            ],
            schema.Model.SUBGRAPHS: [graph],
            schema.Model.BUFFERS: [{}, *({schema.Buffer.DATA: np.asarray(v).tobytes()} for v in constants.values())],
        }
    )


def computed(x: np.ndarray) -> np.ndarray:
    apart = x - x.mean(-1, keepdims=True)
    variance = (apart**2).mean(-1, keepdims=True)
    result: np.ndarray = apart / np.sqrt(variance + CONSTANTS["epsilon"]) * CONSTANTS["gamma"] + CONSTANTS["beta"]
    return result


def test_the_chain_is_the_layer(tmp_path: Path) -> None:
    model = loaded(tmp_path / "a.tflite", by_hand(CHAIN, CONSTANTS))
    assert [(node.name, node.class_name) for node in model.nodes[1:]] == [("it", "LayerNormalization")]
    given = picture((5, 4))
    np.testing.assert_allclose(fastact.Extractor(model, "all")(given)["it"], computed(given), rtol=0, atol=1e-5)


def test_what_another_takes_of_the_chain_stays(tmp_path: Path) -> None:
    model = loaded(tmp_path / "a.tflite", by_hand(CHAIN, CONSTANTS, ("y", "variance")))
    kinds = [node.class_name for node in model.nodes[1:]]
    assert kinds == ["Mean", "Subtract", "Square", "Mean", "LayerNormalization"]
    given = picture((5, 4))
    maps = fastact.Extractor(model, "all")(given)
    np.testing.assert_allclose(maps[model.outputs[0]], computed(given), rtol=0, atol=1e-5)
    np.testing.assert_allclose(maps[model.outputs[1]], given.var(-1, keepdims=True), rtol=0, atol=1e-5)


RELU = {"fused_activation_function": 1}
OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the mean over another axis": ({"variance": ("MEAN", ["squares", "other axes"], {"keep_dims": 1})}, {}),
    "an axis drawn in": ({"mean": ("MEAN", ["x", "axes"], {"keep_dims": 0})}, {}),
    "another operator": ({"y": ("SUB", ["scaled", "shift"], {})}, {}),
    "another difference": ({"shift": ("SUB", ["less", "beta"], {})}, {}),
    "another mean": ({"variance": ("SUM", ["squares", "axes"], {"keep_dims": 1})}, {}),
    "another root": ({"inverse": ("SQRT", ["sum"], {})}, {}),
    "another x": ({"scaled": ("MUL", ["squares", "factor"], {})}, {}),
    "another sign": ({"less": ("MUL", ["mean", "factor"], {})}, {}),
    "a function inside": ({"scaled": ("MUL", ["x", "factor"], RELU)}, {}),
    "a function of the variance": ({"sum": ("ADD", ["variance", "epsilon"], RELU)}, {}),
    "an epsilon below zero": ({}, {"epsilon": np.float32(-0.5)}),
    "an epsilon that is none": ({}, {"epsilon": np.float32(np.nan)}),
    "an epsilon for each channel": ({}, {"epsilon": np.ones(4, np.float32)}),
    "a gain a row": ({}, {"gamma": np.ones((5, 1), np.float32)}),
    "a gain for each value": ({}, {"gamma": np.ones((5, 4), np.float32)}),
    "a gain of more axes": ({}, {"gamma": np.ones((1, 1, 1, 4), np.float32)}),
    "an offset a row": ({}, {"beta": np.ones((1, 5, 1), np.float32)}),
    "the batch's axis": ({}, {"axes": np.array([0], np.int32)}),
    "an axis twice": ({}, {"axes": np.array([2, -1], np.int32)}),
    "an axis beyond the last": ({}, {"axes": np.array([3], np.int32)}),
    "no axis": ({}, {"axes": np.zeros(0, np.int32)}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_chain_that_differs_is_not_the_layer(name: str, tmp_path: Path) -> None:
    operators, constants = OTHERS[name]
    model = loaded(tmp_path / "a.tflite", by_hand(CHAIN | operators, CONSTANTS | constants))
    assert "LayerNormalization" not in {node.class_name for node in model.nodes}


UNIT = {
    "squares": ("SQUARE", ["x"], {}),
    "total": ("SUM", ["squares", "axes"], {"keep_dims": 1}),
    "inverse": ("RSQRT", ["total"], {}),
    "factor": ("MINIMUM", ["inverse", "epsilon"], {}),
    "y": ("MUL", ["x", "factor"], {}),
}


@pytest.mark.parametrize(
    ("limit", "class_name"), [(1e12, "UnitNormalization"), (1e7, "Normalize"), (0.5, "Multiply"), (-1, "Multiply")]
)
def test_bounds_of_a_length(limit: float, class_name: str, tmp_path: Path) -> None:
    model = loaded(tmp_path / "a.tflite", by_hand(UNIT, CONSTANTS | {"epsilon": np.float32(limit)}))
    assert model.nodes[-1].class_name == class_name
