"""Names in TensorFlow Lite files converted here and now: a map is called what Keras calls it, or something else.

The oracle is Keras, which gives its maps under the names that fastact gives them when it reads a Keras file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import keras_maps, largest_difference
from tflite_models import converted, interpreted, shaken

import fastact

Keras = Callable[[str], Any]
VERSIONS = pytest.mark.parametrize("version", ["keras", "tf_keras"])


def shared_names(original: Any, tmp_path: Path) -> set[str]:
    """The names that Keras has, too, of a model with one input, once all maps under them are found to be Keras's."""
    path = tmp_path / "a.tflite"
    path.write_bytes(converted(original))
    frame = np.random.default_rng(3).random(original.inputs[0].shape[1:], np.float32)
    maps = fastact.Extractor(fastact.load(path), "all")(frame)
    assert not maps.missing
    expected = keras_maps(original, {"img": frame[None]})
    shared = set(maps) & set(expected) - {"img"}
    for name in sorted(shared):
        assert largest_difference(maps[name], expected[name][0]) <= 1e-5 * max(np.abs(expected[name]).max(), 1), name
    return shared


def nested(k: Any) -> Any:
    """A model inside another, whose layers have the names that Keras gives: those of operations, some of them."""
    layers = k.layers
    x = image = layers.Input((8, 9, 4))
    x = layers.SeparableConv2D(4, 3, padding="same")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="resize")(x)
    x = layers.Conv2DTranspose(4, 3, padding="same")(x)
    x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, use_bias=False)(x)))
    tower = k.Model(image, layers.Conv2D(4, 3)(x), name="tower")
    image = layers.Input((8, 9, 3), name="img")
    x = tower(layers.Conv2D(4, 3, padding="same", name="stem")(image))
    return k.Model(image, layers.Conv2D(2, 3, name="last")(x))


@VERSIONS
def test_layers_of_a_nested_model(version: str, keras_named: Keras, tmp_path: Path) -> None:
    keras = keras_named(version)
    keras.backend.clear_session()
    inner = {"separable_conv2d", "resize", "conv2d_transpose", "re_lu", "conv2d"}
    expected = {"stem", "last", *(f"tower/{name}" for name in inner)}
    assert shared_names(shaken(nested(keras)), tmp_path) == expected


def shared(k: Any) -> Any:
    """Layers that are called several times, one of them with an activation of several operators."""
    layers = k.layers
    x = image = layers.Input((8, 9, 3), name="img")
    swish = layers.Conv2D(3, 3, padding="same", activation="swish", name="swish")
    function = layers.ReLU(name="function")
    for name in ("one", "two"):
        x = function(layers.Conv2D(3, 3, padding="same", name=name)(swish(x)))
    for _ in range(4):  # Keras 3 numbers the scopes of six calls beyond 9
        x = swish(x)
    return k.Model(image, layers.Conv2D(2, 3, name="last")(x))


@VERSIONS
def test_calls_of_a_shared_layer(version: str, keras_named: Keras, tmp_path: Path) -> None:
    keras = keras_named(version)
    keras.backend.clear_session()
    calls = {"swish", *(f"swish:{call}" for call in range(1, 6)), "function", "function:1"}
    assert shared_names(shaken(shared(keras)), tmp_path) == calls | {"last"}


@VERSIONS
def test_a_shared_layer_at_the_end(version: str, keras_named: Keras, tmp_path: Path) -> None:
    """What the network gives has no name of its own: it is no other call's."""
    keras = keras_named(version)
    keras.backend.clear_session()
    image = keras.layers.Input((8, 9, 3), name="img")
    layer = keras.layers.Conv2D(3, 3, name="layer")
    found = shared_names(shaken(keras.Model(image, layer(layer(image)))), tmp_path)
    assert found == ({"layer"} if version == "keras" else {"layer", "layer:1"})


@VERSIONS
@pytest.mark.parametrize("count", [1, 2])
def test_a_model_of_outputs_alone(version: str, count: int, keras_named: Keras, tmp_path: Path) -> None:
    keras = keras_named(version)
    keras.backend.clear_session()
    image = keras.layers.Input((8, 9, 3), name="img")
    names = ["only", "other"][:count]
    model = keras.Model(image, [keras.layers.Conv2D(2, 3, name=name)(image) for name in names])
    assert shared_names(shaken(model), tmp_path) == set(names)


def test_an_output_behind_what_is_no_layer_s(keras_named: Keras, tmp_path: Path) -> None:
    """Bytes are made numbers in the model's own scope, and what is computed of them has no name but its weights'."""
    keras = keras_named("keras")
    keras.backend.clear_session()
    image = keras.layers.Input((8, 9, 3), name="img", dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255, name="scaled")(image)
    path = tmp_path / "a.tflite"
    path.write_bytes(converted(keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(scaled))))
    assert fastact.load(path).outputs == ("conv",)


def test_numbered_outputs_are_in_their_order(keras_named: Keras, tmp_path: Path) -> None:
    """Keras 3 numbers them, and the file has them sorted as words: output_1, output_10, output_2."""
    keras = keras_named("keras")
    numbers = keras.layers.Input((4,), name="numbers")
    outputs = [keras.layers.Dense(place + 1, name=f"out{place}")(numbers) for place in range(12)]
    path = tmp_path / "a.tflite"
    path.write_bytes(converted(keras.Model(numbers, outputs)))
    assert fastact.load(path).outputs == tuple(f"out{place}" for place in range(12))


# Rows and columns left open: what a layer gives is computed in the file.


@VERSIONS
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_enlarging_a_picture_of_any_size(version: str, padding: str, keras_named: Keras, tmp_path: Path) -> None:
    keras = keras_named(version)
    layers = keras.layers
    x = image = layers.Input((None, None, 3), name="img")
    x = layers.Conv2DTranspose(4, 3, strides=1, padding=padding, name="as_large")(x)
    x = layers.Conv2DTranspose(3, 2, strides=3, padding=padding, name="larger")(x)
    usual = keras.Model(image, layers.Conv2DTranspose(2, 4, strides=(2, 1), padding=padding, name="out")(x))
    path, frame = tmp_path / "a.tflite", np.random.default_rng(3).random((5, 6, 3), np.float32)
    content = converted(shaken(usual))
    path.write_bytes(content)
    model = fastact.load(path).at_size((5, 6))
    (expected,) = interpreted(content, {"img": frame}).values()
    maps = fastact.Extractor(model, "all")(frame)
    assert largest_difference(maps[model.outputs[0]], expected) < 1e-5
    unusual = layers.Conv2DTranspose(2, 3, strides=2, padding=padding, output_padding=0, name="odd")(image)
    path.write_bytes(converted(shaken(keras.Model(image, unusual))))
    (node,) = [n for n in fastact.load(path).nodes if not n.is_input]
    assert (node.reason is None) == (padding == "valid")  # in which it is as without
