"""Files that Keras 3 and Keras 2 (tf-keras) save here and now: every weight read is the one that Keras holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import keras_weights
import numpy as np
import pytest
from keras_weights import LayerPath, assert_read

from fastact.errors import FileError
from fastact.files import open_model

pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")

keras = keras_weights.keras  # a fixture: ruff takes an imported one for unused


def image(k: Any, *shape: int) -> Any:
    return k.layers.Input(shape or (8, 8, 3))


def tower(k: Any, name: str, kind: str) -> Any:
    layers = [k.layers.Conv2D(4, 3, name="c"), k.layers.BatchNormalization(name="b"), k.layers.Conv2D(5, 1, name="d")]
    if kind == "sequential":
        return k.Sequential(layers, name=name)
    inputs = outputs = image(k)
    for one in layers:
        outputs = one(outputs)
    return k.Model(inputs, outputs, name=name)


def functional(k: Any) -> Any:
    inputs = image(k)
    x = k.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = k.layers.Conv2D(6, 3, groups=2, use_bias=False, dilation_rate=2)(x)
    x = k.layers.BatchNormalization(scale=False)(x)
    x = k.layers.Dropout(0.5)(k.layers.PReLU()(k.layers.LayerNormalization()(x)))
    x = k.layers.SeparableConv2D(4, 2)(x)
    return k.Model(inputs, k.layers.Dense(3, name="n_outputs0")(k.layers.Flatten()(x)))


def sequential(k: Any) -> Any:
    layers = [image(k), k.layers.Conv2D(4, 3), k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(3)]
    return k.Sequential(layers[1:]) if k.__name__ == "tf_keras" else k.Sequential(layers)


def nested_functional(k: Any) -> Any:
    inputs = image(k)
    return k.Model(inputs, k.layers.Conv2D(2, 1, name="c")(tower(k, "tower", "functional")(inputs)))


def nested_sequential(k: Any) -> Any:
    inputs = image(k)
    return k.Model(inputs, k.layers.Conv2D(2, 1, name="c")(tower(k, "tower", "sequential")(inputs)))


def sequential_in_sequential(k: Any) -> Any:
    return k.Sequential([image(k), tower(k, "tower", "sequential"), k.layers.Conv2D(2, 1, name="c")])


def functional_in_sequential_in_functional(k: Any) -> Any:
    inputs = image(k)
    middle = k.Sequential([tower(k, "inner", "functional"), k.layers.Conv2D(3, 1, name="e")], name="middle")
    return k.Model(inputs, middle(inputs))


def frozen_in_part(k: Any) -> Any:
    model = nested_functional(k)
    model.get_layer("tower").get_layer("c").trainable = False
    return model


def twins(k: Any) -> Any:
    inputs = image(k)
    outputs = [tower(k, name, "functional")(inputs) for name in ("left", "right")]
    return k.Model(inputs, k.layers.Concatenate()(outputs))


def shared(k: Any) -> Any:
    first, second = image(k), image(k)
    stem, inner = k.layers.Conv2D(3, 1, name="stem"), tower(k, "tower", "functional")
    return k.Model([first, second], k.layers.Add()([inner(stem(first)), inner(stem(second))]))


def time_distributed(k: Any) -> Any:
    inputs = image(k, 3, 8, 8, 3)
    return k.Model(inputs, k.layers.TimeDistributed(k.layers.Conv2D(4, 3), name="td")(inputs))


def taken_from_another_model(k: Any) -> Any:
    old = k.Sequential([image(k), k.layers.Conv2D(4, 1, name="c")], name="old")
    if k.__name__ == "keras":
        old.build()
    inputs = image(k)
    inner = k.Model(inputs, old.layers[-1](inputs), name="inner")
    again = image(k)
    return k.Model(again, inner(again), name="new")


def names_alike(k: Any) -> Any:
    inputs = outputs = image(k)
    for name in ("kernel", "bias", "conv", "conv_1", "conv_1_1", "a.b"):
        outputs = k.layers.Conv2D(3, 1, name=name)(outputs)
    return k.Model(inputs, outputs)


def names_alike_nested(k: Any) -> Any:
    inputs = image(k)
    inner = names_alike(k)
    return k.Model(inputs, inner(inputs))


def many_layers(k: Any) -> Any:
    """So many and so long names that Keras splits the list of layers."""
    inputs = outputs = image(k, 2)
    for number in range(130):
        outputs = k.layers.Dense(2, name=f"{number:03}_" + "x" * 500)(outputs)
    return k.Model(inputs, outputs)


def double_precision(k: Any) -> Any:
    inputs = k.layers.Input((8, 8, 3), dtype="float64")
    return k.Model(inputs, k.layers.Conv2D(4, 1, dtype="float64")(inputs))


def half_precision(k: Any) -> Any:
    inputs = k.layers.Input((8, 8, 3), dtype="float16")
    return k.Model(inputs, k.layers.Conv2D(4, 1, dtype="float16")(inputs))


BUILDERS = [
    functional,
    sequential,
    nested_functional,
    nested_sequential,
    sequential_in_sequential,
    functional_in_sequential_in_functional,
    frozen_in_part,
    twins,
    shared,
    time_distributed,
    taken_from_another_model,
    names_alike,
    names_alike_nested,
    many_layers,
    double_precision,
    half_precision,
]


def leaf(variable: Any) -> str:
    return str(getattr(variable, "path", variable.name)).split("/")[-1].split(":")[0]


def weights_in(model: Any, above: LayerPath = ()) -> Iterator[tuple[LayerPath, dict[str, np.ndarray]]]:
    """Every layer's weights as Keras holds them, by layer path."""
    for layer in model.layers:
        path = (*above, layer.name)
        if hasattr(layer, "layers"):
            yield from weights_in(layer, path)
        elif layer.weights:
            yield path, {leaf(variable): variable.numpy() for variable in layer.weights}


def shuffled(model: Any) -> Any:
    """Give every weight numbers of its own, so that no two can be taken for each other."""
    generator = np.random.default_rng(3)
    model.set_weights([generator.random(values.shape).astype(values.dtype) for values in model.get_weights()])
    return model


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_every_weight_is_found(keras: ModuleType, build: Any, tmp_path: Path) -> None:
    model = build(keras)
    if not model.built:
        model.build((None, 8, 8, 3))
    path = tmp_path / "model.h5"
    shuffled(model).save(path)
    assert_read(dict(weights_in(model)), path)
    with open_model(path) as saved:
        assert saved.keras_version[0] == (3 if keras.__name__ == "keras" else 2)
        assert saved.backend == "tensorflow"
        assert saved.config["class_name"] in ("Functional", "Sequential")


@pytest.mark.parametrize(
    "names",
    [("a/b", "a"), ("a", "a/b"), ("c", "a/c"), ("x/a/b", "a/b")],
    ids="+".join,
)
def test_names_with_slashes(keras: ModuleType, names: tuple[str, str], tmp_path: Path) -> None:
    if keras.__name__ == "keras":
        with pytest.raises(ValueError, match="cannot contain character `/`"):
            [keras.layers.Conv2D(3, 1, name=name) for name in names]
        return
    for nested in (False, True):
        inputs = image(keras)
        outputs = keras.layers.Conv2D(3, 1, name=names[1])(keras.layers.Conv2D(3, 1, name=names[0])(inputs))
        model = keras.Model(inputs, outputs, name="tower/p")
        if nested:
            again = image(keras)
            model = keras.Model(again, model(again))
        path = tmp_path / "model.h5"
        shuffled(model).save(path)
        assert_read(dict(weights_in(model)), path)


def test_names_that_only_keras_3_takes(keras: ModuleType, tmp_path: Path) -> None:
    if keras.__name__ == "tf_keras":
        with pytest.raises(ValueError, match="not a valid root scope name"):
            keras.layers.Conv2D(3, 1, name="größe")(image(keras))
        return
    inputs = outputs = image(keras)
    for name in ("x y", "größe", "层", "a:0"):
        outputs = keras.layers.Conv2D(3, 1, name=name)(outputs)
    model = keras.Model(inputs, outputs)
    path = tmp_path / "model.h5"
    shuffled(model).save(path)
    assert_read(dict(weights_in(model)), path)


def test_weights_without_their_model(keras: ModuleType, tmp_path: Path) -> None:
    model = functional(keras)
    for name in ("only.weights.h5", "only.h5"):
        if keras.__name__ == "keras" and name == "only.h5":
            continue  # Keras 3 refuses the name
        model.save_weights(tmp_path / name)
        with pytest.raises(FileError, match="weights without the configuration"), open_model(tmp_path / name):
            pass


def test_a_compiled_model_with_its_optimizer(keras: ModuleType, tmp_path: Path) -> None:
    model = keras.Sequential([image(keras, 3), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    path = tmp_path / "model.h5"
    model.save(path)
    assert_read(dict(weights_in(model)), path)


def test_another_models_weights_are_refused(keras: ModuleType, tmp_path: Path) -> None:
    model = functional(keras)
    path = tmp_path / "model.h5"
    model.save(path)
    wanted = {("n_outputs0",): {"kernel": (7, 3), "bias": (3,)}}
    with open_model(path) as saved, pytest.raises(FileError, match="where the configuration implies"):
        saved.weights.read(wanted)


def test_adapters_are_refused(keras: ModuleType, tmp_path: Path) -> None:
    if keras.__name__ == "tf_keras":
        assert not hasattr(keras.layers.Dense(2), "enable_lora")
        return
    model = keras.Sequential([image(keras, 8), keras.layers.Dense(8, name="dense")])
    model.layers[0].enable_lora(2)
    path = tmp_path / "model.h5"
    model.save(path)
    wanted = {("dense",): {"kernel": (8, 8), "bias": (8,)}}
    with open_model(path) as saved, pytest.raises(FileError, match=r"also stores the weight '.*lora_kernel_a'"):
        saved.weights.read(wanted)


def test_quantized_weights_are_refused(keras: ModuleType, tmp_path: Path) -> None:
    if keras.__name__ == "tf_keras":
        assert not hasattr(keras.layers.Dense(2), "quantize")
        return
    model = keras.Sequential([image(keras, 8), keras.layers.Dense(8, name="dense")])
    model.quantize("int8")
    path = tmp_path / "model.h5"
    model.save(path)
    wanted = {("dense",): {"kernel": (8, 8), "bias": (8,)}}
    with open_model(path) as saved, pytest.raises(FileError, match=r"integers of 8 bits|also stores the weight"):
        saved.weights.read(wanted)
