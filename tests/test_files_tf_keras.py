"""SavedModels that tf-keras writes here and now: every weight read, and every map computed, is the one Keras has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import frames, randomize
from keras_weights import LayerPath, assert_read
from oracles import keras_maps, largest_difference

import fastact
from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model


@pytest.fixture(scope="module")
def k(keras_named: Callable[[str], Any]) -> Any:
    keras = keras_named("tf_keras")
    keras.utils.set_random_seed(3)
    return keras


def pilot(k: Any) -> Any:
    """donkeycar's KerasLinear, its two heads joined to a third as imu and behavior pilots do."""
    kl = k.layers
    image = y = kl.Input((120, 160, 3), name="img_in")
    other = kl.Input((6,), name="imu_in")
    for number, (filters, kernel, strides) in enumerate(((24, 5, 2), (32, 5, 2), (64, 5, 2), (64, 3, 1), (64, 3, 1))):
        y = kl.Conv2D(filters, kernel, strides=strides, activation="relu", name=f"conv2d_{number + 1}")(y)
        y = kl.Dropout(0.2)(y)
    y = kl.Dense(50, activation="relu")(kl.Dense(100, activation="relu")(kl.Flatten(name="flattened")(y)))
    y = k.backend.concatenate([y, kl.Dense(14, activation="relu")(other)])
    return k.Model([image, other], [kl.Dense(1, name=f"n_outputs{i}")(y) for i in range(2)], name="linear")


def tower(k: Any, name: str = "tower") -> Any:
    kl = k.layers
    image = kl.Input((12, 12, 3))
    y = kl.BatchNormalization(name="b", scale=False)(kl.Conv2D(4, 3, name="c")(image))
    return k.Model(image, kl.Conv2D(3, 1, name="a/d", use_bias=False)(y), name=name)


def nested(k: Any) -> Any:
    """Shared, frozen, in one another, names with slashes, several inputs: nothing that fastact does not compute."""
    kl = k.layers
    first, second = kl.Input((12, 12, 3), name="left"), kl.Input((12, 12, 3), name="b/right")
    stem, inner = kl.Conv2D(3, 1, name="a"), tower(k)
    inner.get_layer("c").trainable = False
    twin = tower(k, "tower_1")
    twin.trainable = False
    layers = [tower(k, "deep"), kl.BatchNormalization(center=False, name="b"), kl.Conv2D(3, 1, name="c")]
    chain = k.Sequential([kl.InputLayer((12, 12, 3)), *layers], name="a/chain")
    y = kl.Add()([inner(stem(first)), inner(stem(second)), twin(first)])
    y = kl.Concatenate()([y, chain(second)])
    return k.Model([first, second], kl.Dense(2, name="a/d")(kl.GlobalAveragePooling2D()(y)))


def sequential(k: Any) -> Any:
    """Without an InputLayer, in several precisions."""
    kl = k.layers
    layers = [
        kl.Conv2D(4, 3, activation="relu", name="single"),
        kl.BatchNormalization(center=False, scale=False),
        kl.Conv2D(4, 3, dtype="mixed_float16", name="mixed"),
        kl.Conv2D(4, 1, dtype="float16", name="half"),
        kl.Conv2D(4, 1, dtype="bfloat16", name="brain"),
        kl.Conv2D(4, 1, dtype="float64", name="double"),
        kl.Flatten(dtype="float32"),
        kl.Dense(2),
    ]
    model = k.Sequential(layers)
    model.build((None, 10, 10, 3))
    return model


def wrapped(k: Any) -> Any:
    """Layers whose weights lie in another, trained for a step so that the optimizer is in the file as well."""
    kl = k.layers
    image = kl.Input((3, 6, 6, 3))
    scaled = kl.Normalization()  # calls its weights otherwise than Keras does
    scaled.adapt(np.random.default_rng(1).random((4, 3, 6, 6, 3)))
    inner = k.Sequential([kl.InputLayer((6, 6, 3)), kl.Conv2D(2, 3, name="c"), kl.Flatten(), kl.Dense(4)], name="inner")
    y = kl.TimeDistributed(kl.SeparableConv2D(3, 1, name="s"), name="conv")(scaled(image))
    y = kl.TimeDistributed(inner, name="models")(y)
    y = kl.TimeDistributed(kl.TimeDistributed(kl.Dense(3)), name="twice")(kl.Reshape((3, 2, 2))(y))
    y = kl.Reshape((3, 6))(y)
    y = kl.LSTM(3, return_sequences=True, name="lstm")(y)
    y = kl.Bidirectional(kl.LSTM(2, return_sequences=True), name="both")(y)
    y = kl.GRU(3, return_sequences=True)(y)
    y = kl.RNN([kl.LSTMCell(2), kl.GRUCell(3)], return_sequences=True, name="cells")(y)
    y = kl.SimpleRNN(2)(kl.LayerNormalization()(y))
    model = k.Model(image, kl.PReLU()(y))
    model.compile("adam", "mse")
    model.fit(np.ones((2, 3, 6, 6, 3)), np.ones((2, 2)), verbose=0)
    return model


BUILDERS = (pilot, nested, sequential, wrapped)


@pytest.fixture(scope="module", params=BUILDERS, ids=lambda build: build.__name__)
def saved(request: pytest.FixtureRequest, k: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model, and the directory it was saved to."""
    k.backend.clear_session()
    model = request.param(k)
    if request.param in (sequential, wrapped):  # `randomize` is for float32
        model.set_weights([np.random.default_rng(1).random(w.shape).astype(w.dtype) for w in model.get_weights()])
    else:
        randomize(model)
    path = tmp_path_factory.mktemp("saved") / f"{request.param.__name__}.savedmodel"
    model.save(path, save_format="tf")
    return model, path


def leaf(variable: Any) -> str:
    return str(variable.name).split("/")[-1].split(":")[0]


def weights_in(model: Any, above: LayerPath = ()) -> Iterator[tuple[LayerPath, dict[str, np.ndarray]]]:
    """Every layer's weights as Keras holds them, by layer path."""
    for layer in model.layers:
        path, inner = (*above, layer.name), getattr(layer, "layer", None)
        if hasattr(layer, "layers") or hasattr(inner, "layers"):
            yield from weights_in(layer if hasattr(layer, "layers") else inner, path)
        elif hasattr(layer, "forward_layer"):
            parts = {"forward": layer.forward_layer, "backward": layer.backward_layer}
            yield path, {f"{part}/{leaf(v)}": v.numpy() for part, of in parts.items() for v in of.weights}
        elif hasattr(getattr(layer, "cell", None), "cells"):
            cells = enumerate(layer.cell.cells)
            yield path, {f"{i}/{leaf(v)}": v.numpy() for i, cell in cells for v in cell.weights}
        elif layer.weights:
            yield path, {leaf(v): v.numpy() for v in layer.weights if v.dtype.is_floating}


def test_every_weight_is_found(saved: tuple[Any, Path]) -> None:
    model, path = saved
    expected = dict(weights_in(model))
    assert sum(len(of) for of in expected.values()) >= len(model.weights) - 1  # Normalization counts
    assert_read(expected, path)


def test_every_map_is_kerass(saved: tuple[Any, Path]) -> None:
    model, path = saved
    ours = fastact.load(path)
    inputs = frames({name: tuple(shape) for name, shape in ours.input_shapes.items()}, 1)
    maps = fastact.Extractor(ours, "all")({name: batch[0] for name, batch in inputs.items()})
    if model.name == "linear" or "left" in inputs:
        assert maps.missing == {}
        assert {node.name for node in ours.nodes} == {*keras_maps(model, inputs), *inputs}
    if any(layer.dtype != "float32" for layer in model.layers):
        return  # Keras computes them in half precision; the weights are compared above
    for name, expected in keras_maps(model, inputs).items():
        if name not in maps.missing:
            assert largest_difference(maps[name], expected[0]) <= 1e-5 * np.max(np.abs(expected)), name


def test_what_the_model_says_of_itself(saved: tuple[Any, Path], k: Any) -> None:
    model, path = saved
    with open_model(path) as of_directory, open_model(path / "saved_model.pb") as of_file:
        assert of_directory.identity == of_file.identity
        assert of_directory.path == of_file.path == path
        assert of_directory.format == "TensorFlow SavedModel"
        assert of_directory.backend == "tensorflow"
        assert ".".join(map(str, of_directory.keras_version)) == k.__version__
        assert of_directory.config["class_name"] == type(model).__name__
        assert "__tuple__" not in str(of_directory.config)


def test_the_records_of_older_versions(saved: tuple[Any, Path], tmp_path: Path) -> None:
    """Before TensorFlow 2.5 what is in keras_metadata.pb was in saved_model.pb, with each object."""
    metadata = pytest.importorskip("tf_keras.protobuf.saved_metadata_pb2").SavedMetadata()
    stored = pytest.importorskip("tensorflow.core.protobuf.saved_model_pb2").SavedModel()
    model, path = saved
    old = tmp_path / "old"
    shutil.copytree(path, old)
    metadata.ParseFromString((old / "keras_metadata.pb").read_bytes())
    stored.ParseFromString((old / "saved_model.pb").read_bytes())
    for node in metadata.nodes:
        stored.meta_graphs[0].object_graph_def.nodes[node.node_id].user_object.metadata = node.metadata
    (old / "keras_metadata.pb").unlink()
    with pytest.raises(UnsupportedError, match=r"without its keras_metadata\.pb: copy that too"), open_model(old):
        pass
    (old / "saved_model.pb").write_bytes(stored.SerializeToString())
    assert_read(dict(weights_in(model)), old)
    with open_model(path) as new, open_model(old) as same:
        assert new.config == same.config
        assert new.identity != same.identity


def test_other_shapes_and_other_layers(saved: tuple[Any, Path]) -> None:
    model, path = saved
    layer, of = next(weights_in(model))
    name, values = next(iter(of.items()))
    shapes = {one: array.shape for one, array in of.items()}
    with open_model(path) as opened:
        for wanted, words in [
            ({layer: shapes | {name: (*values.shape, 1)}}, "where the configuration implies"),
            ({layer: {name: values.shape}}, "also stores the weight"),
            ({layer: {"no_kernel": values.shape}}, "is not in it, of that layer it holds"),
            ({("no layer",): {name: values.shape}}, "it holds no layer 'no layer' but"),
            ({(*layer, "inside"): {name: values.shape}}, "it holds no layer"),
        ]:
            with pytest.raises(FileError, match=words):
                opened.weights.read(wanted)


def test_what_is_no_keras_model(k: Any, keras_named: Callable[[str], Any], tmp_path: Path) -> None:
    """Keras 3's export, a function of TensorFlow's, and a subclassed model say what to give instead."""
    tf = pytest.importorskip("tensorflow")

    class Own(k.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = k.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    own = Own()
    own(np.ones((1, 3), np.float32))
    own.save(tmp_path / "own", save_format="tf")
    three = keras_named("keras")
    three.Sequential([three.layers.Input((3,)), three.layers.Dense(2)]).export(tmp_path / "export", verbose=False)
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "module"))
    for name, words in [
        ("own", "a model of class 'Own'.*subclassed"),
        ("export", r"without the configuration of a Keras model.*model\.save\('x\.h5'\)"),
        ("module", r"without the configuration of a Keras model.*model\.save\('x\.h5'\)"),
    ]:
        with pytest.raises(UnsupportedError, match=words) as caught, open_model(tmp_path / name):
            pass
        assert str(tmp_path / name) in str(caught.value)


def test_layers_with_code_are_named(k: Any, tmp_path: Path) -> None:
    image = k.layers.Input((6, 6, 3))
    y = k.layers.Lambda(lambda x: x * 2, name="code")(k.layers.Conv2D(2, 3, name="c")(image))
    k.Model(image, y).save(tmp_path / "m", save_format="tf")
    model = fastact.load(tmp_path / "m")
    assert "a Lambda is Python code, which fastact runs from no file" in (model.layers["code"].reason or "")
    assert model.layers["c"].reason is None
