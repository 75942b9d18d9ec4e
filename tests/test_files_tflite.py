"""TensorFlow Lite files converted here and now from Keras 3 and Keras 2 (tf-keras) models.

Two oracles: Keras's own maps under the same names, and, for layers that fastact may not compute, a Keras model rebuilt
from the configuration and the weights that the reader gives.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import Arrays, assert_as_recorded, keras_maps, largest_difference
from test_models import FOLDERS
from tflite_models import converted, interpreted, shaken

import fastact
from fastact.errors import FileError, UnsupportedError
from fastact.files import SavedModel, open_model, tflite_schema
from fastact.files.flatbuffer import Source, root

RECORDED = sorted(p for folder in FOLDERS for p in folder.glob("*.tflite") if p.with_suffix(".npz").exists())
Keras = Callable[[str], Any]


def frames(shapes: dict[str, tuple[int, ...]]) -> Arrays:
    chance = np.random.default_rng(11)
    return {name: chance.random(shape, np.float32) for name, shape in shapes.items()}


def assert_close(found: np.ndarray, expected: np.ndarray, what: str, bound: float = 1e-5) -> None:
    assert found.shape == expected.shape, what
    assert largest_difference(found, expected) <= bound * max(float(np.max(np.abs(expected))), 1e-6), what


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# A pilot's layers, and others that fastact computes.


def everyday(k: Any) -> Any:
    layers = k.layers
    image, state = layers.Input((40, 60, 3), name="img_in"), layers.Input((6,), name="mem_in")
    x = layers.Rescaling(1 / 127.5, -1.0, name="scaled")(image)
    x = layers.Cropping2D(((8, 1), (0, 2)), name="cropped")(x)
    x = layers.BatchNormalization(name="normal")(x)
    x = layers.Conv2D(8, 5, strides=2, activation="relu", name="conv2d_1")(x)
    x = layers.Dropout(0.2)(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)), name="padded")(x)
    x = one = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv2d_2")(x)
    x = layers.BatchNormalization(name="folded")(x)
    x = (
        layers.LeakyReLU(0.1, name="leaky")(x)
        if k.__name__ == "keras"
        else layers.LeakyReLU(alpha=0.1, name="leaky")(x)
    )
    x = layers.Add(name="plus")([x, one])
    x = layers.ReLU(6.0, name="relu6")(x)
    y = layers.Conv2D(8, 3, dilation_rate=2, padding="same", activation="swish", name="wide")(x)
    x = layers.Multiply(name="times")([x, y])
    x = layers.Conv2D(6, 3, strides=2, groups=2, activation="elu", name="grouped")(x)
    low, high = (
        layers.AveragePooling2D(3, 2, "same", name="means")(x),
        layers.MaxPooling2D(3, 2, "same", name="tops")(x),
    )
    x = layers.Concatenate(name="both")([low, high])
    mean, top = layers.GlobalAveragePooling2D(name="mean")(x), layers.GlobalMaxPooling2D(name="top")(x)
    x = layers.Reshape((-1, 4), name="rows")(x)
    x = layers.Dense(5, activation="tanh", name="along_rows")(x)
    x = layers.Flatten(name="flattened")(x)
    m = layers.Dense(4, activation="relu", name="mem_dense")(state)
    x = layers.Concatenate(name="joined")([x, m, mean, top])
    x = layers.Dense(10, activation="relu", name="dense_1")(x)
    outputs = [
        layers.Dense(1, name="n_outputs0")(x),
        layers.Dense(1, activation="tanh", name="steering")(x),
        layers.Dense(5, activation="softmax", name="angle_out")(x),
    ]
    return k.Model([image, state], outputs)


# What the converter fuses into another layer: of these Keras layers there are no maps.
FUSED = {"dropout", "conv2d_2", "folded"}
SHAPES = {"img_in": (40, 60, 3), "mem_in": (6,)}


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def everyday_model(request: pytest.FixtureRequest, keras_named: Keras) -> tuple[Any, bytes]:
    keras = keras_named(request.param)
    keras.backend.clear_session()  # Keras 3 numbers the scopes of layers named like those of earlier models
    model = shaken(everyday(keras))
    return model, converted(model)


def test_maps_are_those_of_the_keras_model(everyday_model: tuple[Any, bytes], tmp_path: Path) -> None:
    original, content = everyday_model
    model = fastact.load(saved(tmp_path / "pilot.bin", content))
    given = frames(SHAPES)
    expected = keras_maps(original, {name: array[None] for name, array in given.items()})
    maps = fastact.Extractor(model, "all")(given)
    assert not maps.missing
    assert model.format == "TensorFlow Lite"
    assert model.inputs == ("img_in", "mem_in")
    assert set(expected) - set(maps) <= FUSED
    assert {"conv2d_1", "wide", "grouped", "along_rows", "steering", "angle_out"} <= set(maps)
    shared = sorted(set(expected) & set(maps))
    for name in shared:
        assert_close(maps[name], expected[name][0], name)


def test_outputs_are_those_of_tensorflow_lite(everyday_model: tuple[Any, bytes], tmp_path: Path) -> None:
    _, content = everyday_model
    model = fastact.load(saved(tmp_path / "a.tflite", content))
    given = frames(SHAPES)
    maps = fastact.Extractor(model, "all")(given)
    expected = interpreted(content, given)
    assert sorted(model.outputs) == ["angle_out", "n_outputs0", "steering"]
    assert len(expected) == 3
    names = {"output_0": "n_outputs0", "output_1": "steering", "output_2": "angle_out"}
    for name, array in expected.items():
        assert_close(maps[names.get(name, name)], array, name)


def test_float16(everyday_model: tuple[Any, bytes], tmp_path: Path) -> None:
    original, _ = everyday_model
    content = converted(original, "float16")
    model = fastact.load(saved(tmp_path / "a.tflite", content))
    given = frames(SHAPES)
    maps = fastact.Extractor(model, "all")(given)
    assert not maps.missing
    assert {"conv2d_1", "wide", "grouped", "along_rows", "angle_out"} <= set(maps)
    names = {"output_0": "n_outputs0", "output_1": "steering", "output_2": "angle_out"}
    for name, array in interpreted(content, given).items():
        assert_close(maps[names.get(name, name)], array, name, 2e-5)


def test_quantised_models_are_refused(everyday_model: tuple[Any, bytes], tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tflite", converted(everyday_model[0], "quantised"))
    with pytest.raises(UnsupportedError, match=r"is quantised .* without optimizations, or give the Keras file"):
        fastact.load(path)


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
def test_maps_are_those_tensorflow_gave(path: Path) -> None:
    maps = assert_as_recorded(fastact.load(path), path.with_suffix(".npz"))
    assert not maps.missing


def halves(k: Any) -> Any:
    """Layers of which the file has a part by itself: a convolution's first half, and what comes before an output."""
    layers = k.layers
    image = layers.Input((12, 14, 3), name="img_in")
    x = layers.SeparableConv2D(6, 3, use_bias=False, name="sep1")(image)
    x = layers.ReLU(name="relu1")(layers.BatchNormalization(name="bn1")(x))
    x = layers.BatchNormalization(name="bn2")(layers.SeparableConv2D(5, 3, name="sep2")(x))
    x = layers.Conv2D(5, 1, name="logits")(layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x))
    return k.Model(image, layers.Softmax(name="shares")(layers.Flatten(name="flat")(x)))


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_no_part_of_a_layer_has_its_name(version: str, keras_named: Keras, tmp_path: Path) -> None:
    original = shaken(halves(keras_named(version)))
    given = frames({"img_in": (12, 14, 3)})["img_in"]
    maps = fastact.Extractor(fastact.load(saved(tmp_path / "a.tflite", converted(original))), "all")(given)
    expected = keras_maps(original, {"img_in": given[None]})
    shared = set(maps) & set(expected)
    shares = {"shares"} if version == "tf_keras" else set()  # Keras 3 only numbers outputs
    assert shared == {"relu1", "bn2", "mean", "logits", "flat"} | shares
    for name in sorted(shared):
        assert_close(maps[name], expected[name][0], name)
    assert_close(list(maps.values())[-1], expected["shares"][0], "the output")


# Layers that fastact may not compute: Keras does, from what the reader says.


def special(k: Any) -> Any:
    layers = k.layers
    image = layers.Input((24, 32, 3), name="img_in")
    x = layers.Conv2D(8, 3, use_bias=False, name="c1")(image)
    x = layers.BatchNormalization(name="bn1")(x)
    x = first = layers.ReLU(6.0, name="relu_1")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, depth_multiplier=2, name="depth")(x)
    x = layers.BatchNormalization(name="bn2")(x)
    x = layers.Activation("relu", name="act2")(x)
    x = layers.Conv2D(8, 1, name="c3")(x)
    x = layers.Add(name="plus")([x, first])
    x = layers.ReLU(name="after_plus")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    gate = layers.Conv2D(8, 1, activation="sigmoid", name="gate")(gate)
    x = layers.Multiply(name="times")([x, gate])
    x = layers.SeparableConv2D(7, 3, padding="same", strides=2, name="sep")(x)
    x = layers.PReLU(shared_axes=[1, 2], name="prelu")(x)
    x = layers.Conv2DTranspose(5, 3, strides=2, activation="relu", name="larger")(x)
    x = layers.Conv2DTranspose(6, 2, strides=2, padding="same", name="larger_still")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="smooth")(x)
    x = layers.UpSampling2D((2, 3), name="blocks")(x)
    x = layers.Cropping2D(((1, 2), (3, 0)), name="cropped")(x)
    x = layers.Resizing(30, 40, name="resized")(x)
    x = layers.Permute((2, 1, 3), name="turned")(x)
    x = layers.Conv2D(4, 3, activation="tanh", name="last")(x)
    y = layers.Conv2D(4, 3, padding="same", name="beside")(x)
    x = layers.Subtract(name="minus")([x, y])
    x = layers.Maximum(name="larger_of")([x, layers.Minimum(name="smaller_of")([x, y])])
    x = layers.Activation("hard_sigmoid", name="hard")(x)
    x = layers.Activation("gelu", name="gelu")(x)
    return k.Model(image, [layers.GlobalMaxPooling2D(name="peaks")(x), layers.Dense(3, name="each")(x)])


def three_dimensional(k: Any) -> Any:
    layers = k.layers
    x = image = layers.Input((6, 20, 30, 3), name="img_in")
    x = layers.Conv3D(4, 3, strides=(1, 3, 3), padding="same", activation="relu", name="conv1")(x)
    x = layers.MaxPooling3D((1, 2, 2), name="pool1")(x)
    x = layers.Conv3D(5, (1, 2, 2), activation="relu", name="conv2")(x)
    x = layers.Flatten(name="flattened")(x)
    x = layers.Dense(8, name="dense1")(x)
    x = layers.BatchNormalization(name="normal")(x)
    x = layers.Activation("relu", name="relu1")(x)
    return k.Model(image, layers.Dense(2, name="outputs")(x))


def rebuilt(k: Any, model: SavedModel) -> Any:
    """A Keras 3 model made of a reader's configuration and weights; how a run of frames is spelt is Keras's."""
    config = copy.deepcopy(model.config["config"])
    for entry in config["layers"]:
        entry["module"] = "keras.layers"
        if entry["class_name"] == "TimeDistributed":
            entry["config"]["layer"]["module"] = "keras.layers"
        for node in entry["inbound_nodes"]:
            for tensor in node["args"]:
                for one in tensor if isinstance(tensor, list) else [tensor]:
                    one["config"] |= {"shape": [None], "dtype": "float32"}
    network = k.Model.from_config(config)
    wanted = {
        (layer.name,): {w.name: tuple(w.shape) for w in layer.weights} for layer in network.layers if layer.weights
    }
    arrays = model.weights.read(wanted)
    for layer in network.layers:
        if layer.weights:
            layer.set_weights([arrays[layer.name,][w.name] for w in layer.weights])
    return network


def check_rebuilt(original: Any, content: bytes, tmp_path: Path, k: Any, shape: tuple[int, ...]) -> set[str]:
    """Compare Keras's maps of a model with those of the model rebuilt from its file; return names held by both."""
    given = {"img_in": frames({"img_in": shape})["img_in"][None]}
    expected = keras_maps(original, given)
    with open_model(saved(tmp_path / "a.tflite", content)) as model:
        found = keras_maps(rebuilt(k, model), given)
    shared = set(found) & set(expected)
    for name in sorted(shared):
        assert_close(found[name], expected[name], name)
    return shared


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_special_layers_keep_what_they_compute(version: str, keras_named: Keras, tmp_path: Path) -> None:
    original = shaken(special(keras_named(version)))
    shared = check_rebuilt(original, converted(original), tmp_path, keras_named("keras"), (24, 32, 3))
    everything = {layer.name for layer in original.layers} - {"img_in"}
    fused = {"c1", "bn1", "depth", "bn2"}  # into relu_1 and act2
    nameless = {"peaks"} if version == "keras" else set()  # an output without weights, which Keras 3 only numbers
    assert everything - shared <= fused | nameless


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_three_dimensions(version: str, keras_named: Keras, tmp_path: Path) -> None:
    original = shaken(three_dimensional(keras_named(version)))
    shared = check_rebuilt(original, converted(original, "select"), tmp_path, keras_named("keras"), (6, 20, 30, 3))
    assert {"conv1", "pool1", "conv2", "flattened", "relu1", "outputs"} <= shared


def loop_of_another_kind(k: Any) -> Any:
    layers, each = k.layers, k.layers.TimeDistributed
    x = image = layers.Input((3, 24, 32, 3), name="img_in")
    x = each(layers.Conv2D(4, 5, strides=2, activation="relu"), name="first")(x)
    x = each(layers.Conv2D(5, 3), name="second")(x)
    x = each(layers.MaxPooling2D(2), name="pooled")(x)
    x = each(layers.Flatten(), name="flat")(x)
    x = each(layers.Dense(10, activation="relu"), name="dense")(x)
    x = layers.LSTM(8, recurrent_activation="hard_sigmoid", name="lstm")(x)
    return k.Model(image, layers.Dense(2, name="model_outputs")(x))


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_maps_before_what_no_layer_stands_for(version: str, keras_named: Keras, tmp_path: Path) -> None:
    """The layers before a loop that is none fastact knows are given, and those after it named."""
    original = shaken(loop_of_another_kind(keras_named(version)))
    given = frames({"img_in": (3, 24, 32, 3)})
    expected = keras_maps(original, {"img_in": given["img_in"][None]})
    model = fastact.load(saved(tmp_path / "a.tflite", converted(original, "select")))
    maps = fastact.Extractor(model, "all")(given)
    assert {"first", "second", "pooled", "flat", "dense"} <= set(maps)
    for name in set(maps) & set(expected):
        assert_close(maps[name], expected[name][0], name)
    reasons = [node.reason for node in model.nodes if node.reason]
    assert any(reason.startswith("it is a loop of a TensorFlow Lite file") for reason in reasons)
    assert model.layers["model_outputs"].reason is not None


# The schema.


def test_the_schema_is_tensorflow_s() -> None:
    schema = pytest.importorskip(
        "tensorflow.lite.python.schema_py_generated", reason="TensorFlow, whose schema it is, is not installed"
    )
    numbers = {n: name for name, n in vars(schema.BuiltinOperator).items() if isinstance(n, int)}
    assert [numbers[i] for i in range(len(tflite_schema.OPERATORS))] == list(tflite_schema.OPERATORS)
    numbers = {n: name for name, n in vars(schema.TensorType).items() if isinstance(n, int)}
    assert [numbers[i] for i in range(len(tflite_schema.TYPES))] == list(tflite_schema.TYPES)
    numbers = {n: name for name, n in vars(schema.ActivationFunctionType).items() if isinstance(n, int)}
    assert [numbers[i] for i in range(len(tflite_schema.ACTIVATIONS))] == list(tflite_schema.ACTIVATIONS)
    assert (schema.Padding.SAME, schema.Padding.VALID) == (0, 1)


@pytest.mark.parametrize("kind", tflite_schema.OPTIONS)
def test_options_are_read_as_tensorflow_writes_them(kind: str) -> None:
    schema = pytest.importorskip(
        "tensorflow.lite.python.schema_py_generated", reason="TensorFlow, whose schema it is, is not installed"
    )
    import flatbuffers

    described = tflite_schema.OPTIONS[kind]
    names = {n: name for name, n in vars(schema.BuiltinOptions).items() if isinstance(n, int)}
    written = getattr(schema, names[described.number] + "T")()
    expected = {}
    for place, name in enumerate(described.fields):
        words = name.split("_")
        attribute = words[0] + "".join(word.capitalize() for word in words[1:])
        assert hasattr(written, attribute), attribute
        field = described.fields[name]
        assert getattr(written, attribute) == field.default
        expected[name] = {"bool": True, "f32": 0.5 + place}.get(field.kind, 1 + place)
        setattr(written, attribute, expected[name])
    builder = flatbuffers.Builder(64)
    builder.Finish(written.Pack(builder))
    with tempfile.TemporaryFile() as file:
        file.write(builder.Output())
        file.flush()
        table = root(Source(Path("options"), file.fileno()), "options")
        found = {name: table.number(f.number, f.kind, f.default) for name, f in described.fields.items()}
    assert found == expected


def test_reading_after_closing(tmp_path: Path, everyday_model: tuple[Any, bytes]) -> None:
    with open_model(saved(tmp_path / "a.tflite", everyday_model[1])) as model:
        pass
    with pytest.raises(FileError, match="is closed"):
        model.weights.read({("conv2d_1",): {"bias": (8,)}})
