"""The same models in every format that Keras 3 and Keras 2 (tf-keras) save here and now: all weights are Keras's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras_weights
import numpy as np
import pytest
import test_files_keras
from keras_weights import LayerPath, assert_read
from test_files_keras import image, leaf, shuffled, tower

from fastact.files import open_model

pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")

keras = keras_weights.keras  # a fixture: ruff takes an imported one for unused

FORMATS = ["keras", "h5", "weights.h5", "old-weights.h5"]
"""The last is what `save_weights` of Keras 2 writes to a name that does not end in .weights.h5."""


def recurrent(k: Any) -> Any:
    inputs = image(k, 5, 3)
    x = k.layers.LSTM(4, return_sequences=True)(inputs)
    x = k.layers.GRU(3, return_sequences=True, use_bias=False)(x)
    x = k.layers.GRU(3, return_sequences=True, reset_after=False)(x)
    x = k.layers.RNN(k.layers.LSTMCell(3), return_sequences=True, name="cell")(x)
    x = k.layers.RNN([k.layers.GRUCell(2), k.layers.LSTMCell(3)], return_sequences=True, name="cells")(x)
    return k.Model(inputs, k.layers.SimpleRNN(2)(x))


def convolutional_recurrent(k: Any) -> Any:
    inputs = image(k, 3, 8, 8, 2)
    return k.Model(inputs, k.layers.ConvLSTM2D(3, 3)(inputs))


def bidirectional(k: Any) -> Any:
    inputs = image(k, 5, 3)
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), name="forward_both")(inputs)
    ways = k.layers.GRU(4, return_sequences=True), k.layers.GRU(4, return_sequences=True, go_backwards=True)
    x = k.layers.Bidirectional(ways[0], backward_layer=ways[1])(x)
    return k.Model(inputs, k.layers.Bidirectional(k.layers.SimpleRNN(2), merge_mode="sum")(x))


def recurrent_nested(k: Any) -> Any:
    inputs = image(k, 5, 3)
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), name="both")(inputs)
    inner = k.Model(inputs, k.layers.LSTM(4, name="last")(k.layers.LSTM(4, return_sequences=True, name="first")(x)))
    again = image(k, 5, 3)
    return k.Model(again, k.layers.Dense(2)(inner(again)))


def every_frame(k: Any) -> Any:
    inputs = image(k, 3, 8, 8, 3)
    x = k.layers.TimeDistributed(k.layers.Conv2D(4, 3), name="td")(inputs)
    x = k.layers.TimeDistributed(k.layers.Conv2D(4, 3), name="td_1")(x)
    x = k.layers.TimeDistributed(k.layers.BatchNormalization())(x)
    x = k.layers.TimeDistributed(k.layers.Flatten())(x)
    x = k.layers.TimeDistributed(k.layers.Dense(5, use_bias=False))(x)
    return k.Model(inputs, k.layers.LSTM(4)(x))


def every_frame_by_a_model(k: Any) -> Any:
    inputs = image(k, 3, 8, 8, 3)
    frame = image(k)
    inner = k.Model(frame, k.layers.Conv2D(2, 1, name="e")(k.layers.Conv2D(4, 3, name="c")(frame)), name="inner")
    return k.Model(inputs, k.layers.TimeDistributed(inner, name="frames")(inputs))


def depthwise(k: Any) -> Any:
    inputs = image(k)
    x = k.layers.DepthwiseConv2D(3, depth_multiplier=2)(inputs)
    x = k.layers.SeparableConv2D(5, 3, use_bias=False)(k.layers.SeparableConv2D(4, 2)(x))
    return k.Model(inputs, k.layers.Conv2DTranspose(3, 2)(k.layers.DepthwiseConv2D(1, use_bias=False)(x)))


def normalizations(k: Any) -> Any:
    inputs = x = image(k)
    for options in ({}, {"scale": False}, {"center": False}, {"scale": False, "center": False}, {"trainable": False}):
        x = k.layers.BatchNormalization(**options)(x)
    x = k.layers.GroupNormalization(3)(k.layers.LayerNormalization(center=False)(x))
    return k.Model(inputs, k.layers.Normalization(mean=[1.0, 2, 3], variance=[1.0, 2, 3])(k.layers.Normalization()(x)))


def frozen(k: Any) -> Any:
    model = functional_twice_shared(k)
    for layer in model.layers:
        layer.trainable = False
    return model


def functional_twice_shared(k: Any) -> Any:
    """A layer of the outer model that is in a nested model too, before layers of its class and after."""
    inputs, frame = image(k), image(k)
    common = k.layers.Conv2D(3, 1, name="common")
    norm = k.layers.BatchNormalization(name="norm")
    inner = k.Model(frame, k.layers.Conv2D(3, 1, name="own")(norm(common(frame))), name="inner")
    x = k.layers.Conv2D(3, 1, name="before")(inputs)
    x = norm(common(inner(common(x))))
    return k.Model(inputs, k.layers.BatchNormalization(name="last")(k.layers.Conv2D(3, 1, name="after")(x)))


def model_in_two_models(k: Any, outer: tuple[str, str] = ("e", "f")) -> Any:
    inputs = image(k)
    common = tower(k, "common", "functional")
    ends = []
    for name in ("left", "right"):
        frame = image(k)
        x = common(k.layers.Conv2D(3, 1, name=outer[0])(frame))
        ends.append(k.Model(frame, k.layers.Conv2D(2, 1, name=outer[1])(x), name=name)(inputs))
    return k.Model(inputs, k.layers.Add()(ends))


def operations(k: Any) -> Any:
    inputs = image(k)
    x = k.layers.Add()([k.layers.Conv2D(3, 1)(inputs) + 1.0, inputs])
    return k.Model(inputs, k.layers.Conv2D(3, 1)(k.layers.Multiply()([x * 2.0, x])))


def mixed(policy: str) -> Any:
    def build(k: Any) -> Any:
        inputs = image(k)
        x = k.layers.BatchNormalization(dtype=policy)(k.layers.Conv2D(4, 3, dtype=policy)(inputs))
        return k.Model(inputs, k.layers.Conv2D(4, 1, dtype="float32")(x))

    build.__name__ = policy
    return build


BUILDERS = [
    *test_files_keras.BUILDERS,
    recurrent,
    convolutional_recurrent,
    bidirectional,
    recurrent_nested,
    every_frame,
    every_frame_by_a_model,
    depthwise,
    normalizations,
    frozen,
    functional_twice_shared,
    model_in_two_models,
    operations,
    *map(mixed, ["mixed_float16", "mixed_bfloat16", "bfloat16", "float16", "float64"]),
]


def own_weights(layer: Any) -> Iterator[tuple[str, np.ndarray]]:
    """A layer's weights in Keras's order, under the names that fastact's layers ask for."""
    if type(layer).__name__ == "TimeDistributed":
        yield from own_weights(layer.layer)
    elif type(layer).__name__ == "Bidirectional":
        for way in ("forward", "backward"):
            yield from ((f"{way}/{name}", value) for name, value in own_weights(getattr(layer, f"{way}_layer")))
    elif hasattr(getattr(layer, "cell", None), "cells"):
        for number, cell in enumerate(layer.cell.cells):
            yield from ((f"{number}/{name}", value) for name, value in own_weights(cell))
    else:
        values = zip(layer.weights, layer.get_weights(), strict=True)
        yield from ((leaf(variable), value) for variable, value in values if leaf(variable) != "count")


def weights_in(model: Any, above: LayerPath = ()) -> Iterator[tuple[LayerPath, dict[str, np.ndarray]]]:
    for layer in model.layers:
        path = (*above, layer.name)
        inner = layer.layer if type(layer).__name__ == "TimeDistributed" else layer
        if hasattr(inner, "layers"):
            yield from weights_in(inner, path)
        elif values := dict(own_weights(layer)):
            yield path, values


def saved(model: Any, path: Path) -> Path | None:
    """Save a model, and return where its configuration is if that is elsewhere."""
    if "weights" not in path.name:
        model.save(path)
        return None
    model.save_weights(path)
    config = path.with_name("architecture")
    config.write_text(model.to_json())
    return config


def check(model: Any, path: Path, config: Path | None) -> None:
    for of_layer in assert_read(dict(weights_in(model)), path, config).values():
        assert all(values.flags.owndata for values in of_layer.values())


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_every_weight_is_found_in_every_format(keras: ModuleType, build: Any, tmp_path: Path) -> None:
    model = build(keras)
    if not model.built:
        model.build((None, 8, 8, 3))
    shuffled(model)
    for extension in FORMATS if keras.__name__ == "tf_keras" else FORMATS[:-1]:
        path = tmp_path / f"model.{extension}"
        check(model, path, saved(model, path))


def test_layers_of_one_name_in_a_model_and_in_one_inside_it(keras: ModuleType, tmp_path: Path) -> None:
    """Keras itself cannot save them to .h5, where the names clash."""
    model = shuffled(model_in_two_models(keras, ("c", "d")))
    for extension in ("keras", "weights.h5"):
        path = tmp_path / f"model.{extension}"
        check(model, path, saved(model, path))


def test_a_configuration_from_any_model_file(keras: ModuleType, tmp_path: Path) -> None:
    model = shuffled(every_frame(keras))
    model.save_weights(tmp_path / "model.weights.h5")
    for name in ("other.h5", "other.keras"):
        model.save(tmp_path / name)
        check(model, tmp_path / "model.weights.h5", tmp_path / name)
        with open_model(tmp_path / "model.weights.h5", config=tmp_path / name) as file:
            assert file.keras_version[0] == (3 if keras.__name__ == "keras" else 2)
            assert file.config_path == tmp_path / name
            assert file.path == tmp_path / "model.weights.h5"
            assert name in file.format


def test_a_compiled_model_with_its_optimizer(keras: ModuleType, tmp_path: Path) -> None:
    model = keras.Sequential([image(keras, 3), keras.layers.Dense(2), keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    for extension in ("keras", "weights.h5"):
        path = tmp_path / f"model.{extension}"
        check(model, path, saved(model, path))


def test_adapters_are_merged_by_keras_itself(keras: ModuleType, tmp_path: Path) -> None:
    """Into the kernel of a .keras file, whose other variables Keras leaves at zero when it loads it."""
    if keras.__name__ == "tf_keras":
        assert not hasattr(keras.layers.Dense(2), "enable_lora")
        return
    model = keras.Sequential([image(keras, 8), keras.layers.Dense(8, name="dense")])
    dense = model.layers[0]
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones((2, 8)))
    path = tmp_path / "model.keras"
    model.save(path)
    with open_model(path) as file:
        found = file.weights.read({("dense",): {"kernel": (8, 8), "bias": (8,)}})[("dense",)]
    np.testing.assert_array_equal(found["kernel"], np.asarray(dense.kernel))


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantized_weights_are_refused(keras: ModuleType, mode: str, tmp_path: Path) -> None:
    if keras.__name__ == "tf_keras":
        assert not hasattr(keras.layers.Dense(2), "quantize")
        return
    model = keras.Sequential([image(keras, 8), keras.layers.Dense(8, name="dense")])
    model.quantize(mode)
    path = tmp_path / "model.keras"
    model.save(path)
    words = r"integers of 8 bits|has the shape|stores more than the 2 weights"
    with open_model(path) as file, pytest.raises(test_files_keras.FileError, match=words):
        file.weights.read({("dense",): {"kernel": (8, 8), "bias": (8,)}})
