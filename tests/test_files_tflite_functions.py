"""Functions that a converter writes several operators of, and such as only look like them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import keras_maps
from test_files_tflite import assert_close, saved
from tflite_models import converted, interpreted, shaken

import fastact

Keras = Callable[[str], Any]
Layer = Callable[[Any], Any]
SHAPE = (7, 9, 3)

NAMES = ("selu", "softplus", "softsign", "elu", "swish", "gelu", "exponential", "tanh", "softmax")
LAYERS: dict[str, Layer] = {
    **{name: lambda layers, name=name: layers.Activation(name, name="it") for name in NAMES},
    "elu-alpha": lambda layers: layers.ELU(0.3, name="it"),
    "threshold": lambda layers: layers.ReLU(threshold=0.25, name="it"),
    "slope": lambda layers: layers.LeakyReLU(name="it"),
}


def frame() -> np.ndarray:
    return np.random.default_rng(2).normal(0, 2, SHAPE).astype(np.float32)


def begun(keras_named: Keras, version: str) -> tuple[Any, Any]:
    """A Keras that numbers its scopes from the first on, and an input."""
    k = keras_named(version)
    k.backend.clear_session()
    return k, k.layers.Input(SHAPE, name="image")


def assert_same(original: Any, folder: Path, wanted: set[str]) -> fastact.Model:
    """fastact's maps of a converted model that Keras has, too, are Keras's, and there are all of these."""
    content = converted(shaken(original))
    model, given = fastact.load(saved(folder / "a.tflite", content)), frame()
    maps, expected = fastact.Extractor(model, "all")(given), keras_maps(original, {"image": given[None]})
    assert not maps.missing
    shared = set(maps) & set(expected)
    assert shared >= wanted
    for name in sorted(shared):
        assert_close(maps[name], expected[name][0], name)
    (output,) = interpreted(content, {"image": given}).values()
    assert_close(maps[model.outputs[0]], output, "the output")
    return model


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
@pytest.mark.parametrize("what", LAYERS)
def test_a_layer_of_its_own(what: str, version: str, keras_named: Keras, tmp_path: Path) -> None:
    k, image = begun(keras_named, version)
    x = LAYERS[what](k.layers)(image)
    model = assert_same(k.Model(image, k.layers.MaxPooling2D(2, name="after")(x)), tmp_path, {"it"})
    assert len(model.nodes) == 3


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", NAMES)
def test_a_convolution_s_own(name: str, version: str, keras_named: Keras, tmp_path: Path) -> None:
    k, image = begun(keras_named, version)
    x = k.layers.Conv2D(5, 3, activation=name, name="within")(image)
    x = k.layers.MaxPooling2D(2, name="between")(x)
    x = k.layers.Dense(4, activation=name, name="last")(k.layers.Flatten(name="flat")(x))
    model = assert_same(k.Model(image, x), tmp_path, {"within", "between", "flat", "last"})
    assert len(model.nodes) == 5


@pytest.mark.parametrize("name", ["swish", "mish"])
def test_a_product_at_the_output_belongs_to_its_gate(name: str, keras_named: Keras, tmp_path: Path) -> None:
    k, image = begun(keras_named, "keras")
    x = k.layers.Conv2D(5, 3, name="before")(image)
    assert_same(k.Model(image, k.layers.Activation(name, name="it")(x)), tmp_path, {"before", "it"})


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_a_sum_is_no_average(version: str, keras_named: Keras, tmp_path: Path) -> None:
    """The division went into the weights behind it; without any there, it is a step of its own."""
    k, image = begun(keras_named, version)
    x = k.layers.Conv2D(3, 1, name="before")(image)
    x = k.layers.Average(name="average")([x, image])
    assert_same(k.Model(image, k.layers.Conv2D(2, 1, name="after")(x)), tmp_path, {"before"})
    x = k.layers.MaxPooling2D(2, name="between")(x)
    assert_same(k.Model(image, k.layers.Conv2D(2, 1, name="after")(x)), tmp_path, {"before", "average", "between"})


def _variations(tf: Any) -> dict[str, Callable[[Any], Any]]:
    """Chains in which one thing is other than in the function they look like."""

    def selu(x: Any, scale: float = 1.0507009873554805, below: float = 1.7580993408473766, one: float = 1.0) -> Any:
        return tf.where(x > 0, x * scale, (tf.exp(x) - one) * below)

    def elu(x: Any, y: Any, limit: float = 0.0) -> Any:
        return tf.where(x > limit, tf.nn.elu(x), tf.nn.elu(y) * 0.5)

    return {
        "selu": selu,
        "selu of another scale": lambda x: selu(x, scale=1.06),
        "selu of another size": lambda x: selu(x, below=1.75),
        "selu less two": lambda x: selu(x, one=2.0),
        "selu below": lambda x: tf.where(x < 0, x * 1.0507009873554805, (tf.exp(x) - 1) * 1.7580993408473766),
        "selu of two": lambda x: tf.where(x > 0, -x * 1.0507009873554805, (tf.exp(x) - 1) * 1.7580993408473766),
        "selu with a part of it besides": lambda x: selu(x) + tf.exp(x),
        "elu of two": lambda x: elu(x, x[..., ::-1]),
        "elu from one on": lambda x: elu(x, x, 1.0),
        "softplus plus two": lambda x: tf.math.log(tf.exp(x) + 2.0),
        "softsign of two": lambda x: x[..., ::-1] / (tf.abs(x) + 1.0),
        "softsign plus two": lambda x: x / (tf.abs(x) + 2.0),
        "threshold below zero": lambda x: tf.where(x > -0.5, x, 0.0),
        "threshold to one": lambda x: tf.where(x > 0.5, x, 1.0),
        "threshold of another": lambda x: tf.where(x > 0.5, x[..., ::-1], 0.0),
        "mask of another": lambda x: x[..., ::-1] * tf.cast(x > 0.5, tf.float32),
    }


CHAINS = (
    "selu", "selu of another scale", "selu of another size", "selu less two", "selu below", "selu of two",
    "selu with a part of it besides", "elu of two", "elu from one on", "softplus plus two", "softsign of two",
    "softsign plus two", "threshold below zero", "threshold to one", "threshold of another", "mask of another",
)  # fmt: skip


@pytest.mark.parametrize("chain", CHAINS)
def test_what_looks_alike_is_not_taken_for_it(chain: str, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="converts the files")
    variations = _variations(tf)
    assert set(variations) == set(CHAINS)
    function = tf.function(lambda image: variations[chain](image) * 1.0, input_signature=[tf.TensorSpec((1, *SHAPE))])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    content = converter.convert()
    model, given = fastact.load(saved(tmp_path / "a.tflite", content)), frame()
    maps = fastact.Extractor(model, "all")(given)
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given[None])
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    if chain == "selu":
        assert not maps.missing
    for name in model.outputs:
        if name not in maps.missing:
            assert_close(maps[name], expected, name)
