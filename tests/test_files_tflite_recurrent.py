"""Recurrent layers in TensorFlow Lite files, loops and fused operators, and loops that are no such layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import keras_maps
from test_files_tflite import assert_close, saved
from tflite_models import converted, shaken

import fastact

Keras = Callable[[str], Any]
STEPS, FEATURES, UNITS = 5, 6, 4

CALLS: dict[str, dict[str, Any]] = {
    "last": {},
    "all": {"return_sequences": True},
    "backwards": {"return_sequences": True, "go_backwards": True},
    "functions": {"activation": "sigmoid"},
    "no-bias": {"use_bias": False},
}


def network(k: Any, layer: str, batch: int | None = None, **arguments: Any) -> Any:
    k.backend.clear_session()  # Keras 3 numbers the scopes of layers named like those of earlier models
    x = run = k.layers.Input(batch_shape=(batch, STEPS, FEATURES), name="run")
    x = k.layers.Dense(7, activation="relu", name="before")(x)
    x = getattr(k.layers, layer)(UNITS, name="memory", **arguments)(x)
    return shaken(k.Model(run, k.layers.Dense(3, name="after")(x)))


def frame() -> np.ndarray:
    return np.random.default_rng(3).random((STEPS, FEATURES), np.float32)


def assert_same_maps(original: Any, content: bytes, folder: Path, layer: str) -> None:
    model, given = fastact.load(saved(folder / "a.tflite", content)), frame()
    maps = fastact.Extractor(model, "all")(given)
    assert not maps.missing
    expected = keras_maps(original, {"run": given[None]})
    (found,) = (node for node in model.nodes if node.class_name == layer)
    assert_close(maps[found.name], expected["memory"][0], "memory")
    assert_close(maps["after"], expected["after"][0], "after")


LOOPS = [("LSTM", call) for call in CALLS] + [("GRU", "last"), ("GRU", "no-bias"), ("SimpleRNN", "backwards")]


def assert_loop_is_refused(model: fastact.Model) -> None:
    reasons = [node.reason or "" for node in model.nodes if node.class_name == "WHILE"]
    assert reasons
    assert all("loop of a TensorFlow Lite file" in one and "give the Keras file" in one for one in reasons)


@pytest.mark.parametrize(("layer", "call"), LOOPS)
@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_a_loop_is_the_layer_it_was_written_for(
    version: str, layer: str, call: str, keras_named: Keras, tmp_path: Path
) -> None:
    """With TensorFlow's own lists, for a batch of any length, as donkeycar converts."""
    original = network(keras_named(version), layer, **CALLS[call])
    assert_same_maps(original, converted(original, "select"), tmp_path, layer)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("version", ["keras", "tf_keras"])
@pytest.mark.parametrize(("how", "call"), [("float32", "last"), ("float32", "all"), ("float16", "last")])
def test_a_batch_of_one(how: str, call: str, version: str, layer: str, keras_named: Keras, tmp_path: Path) -> None:
    """Without TensorFlow's lists; of an LSTM of Keras 2 as one operator."""
    original = network(keras_named(version), layer, batch=1, **CALLS[call])
    if how == "float16":  # the file holds rounded weights: so shall the model
        original.set_weights([weight.astype(np.float16).astype(np.float32) for weight in original.get_weights()])
    assert_same_maps(original, converted(original, how), tmp_path, layer)


@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_layers_one_on_the_other_keep_their_names(version: str, keras_named: Keras, tmp_path: Path) -> None:
    k = keras_named(version)
    k.backend.clear_session()
    x = run = k.layers.Input((STEPS, FEATURES), name="run")
    for name in ("first", "second"):
        x = k.layers.LSTM(UNITS, return_sequences=True, name=name)(x)
    x = k.layers.Bidirectional(k.layers.LSTM(UNITS), name="both")(x)
    original = shaken(k.Model(run, k.layers.Dense(3, name="after")(x)))
    maps = fastact.Extractor(fastact.load(saved(tmp_path / "a.tflite", converted(original, "select"))), "all")(frame())
    assert not maps.missing
    expected = keras_maps(original, {"run": frame()[None]})
    assert {"first", "second", "after"} <= set(maps)
    for name in set(maps) & set(expected):
        assert_close(maps[name], expected[name][0], name)


def stacked_for_a_batch_of_one(k: Any) -> Any:
    k.backend.clear_session()
    x = run = k.layers.Input(batch_shape=(1, STEPS, FEATURES), name="run")
    x = k.layers.GRU(UNITS, return_sequences=True)(k.layers.LSTM(UNITS, return_sequences=True)(x))
    x = k.layers.SimpleRNN(UNITS, go_backwards=True)(x)
    return shaken(k.Model(run, k.layers.Dense(3, name="after")(x)))


def test_layers_one_on_the_other_for_a_batch_of_one(keras_named: Keras, tmp_path: Path) -> None:
    original = stacked_for_a_batch_of_one(keras_named("keras"))
    model = fastact.load(saved(tmp_path / "a.tflite", converted(original)))
    assert [node.class_name for node in model.nodes] == ["InputLayer", "LSTM", "GRU", "SimpleRNN", "Dense"]
    expected = keras_maps(original, {"run": frame()[None]})
    assert_close(fastact.Extractor(model, "all")(frame())["after"], expected["after"][0], "after")


def test_a_state_that_another_layer_writes_to(keras_named: Keras, tmp_path: Path) -> None:
    """The converter gives the GRU for its zeros what the fused LSTM keeps its state in: not what Keras computes."""
    content = converted(stacked_for_a_batch_of_one(keras_named("tf_keras")))
    model = fastact.load(saved(tmp_path / "a.tflite", content))
    assert_loop_is_refused(model)
    assert all(node.class_name != "GRU" for node in model.nodes)


# Loops that are nearly such layers.


def operators(model: Any, subgraph: int, kind: str) -> Iterator[Any]:
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated", reason="TensorFlow is not installed")
    number = getattr(schema.BuiltinOperator, kind)
    for operator in model.subgraphs[subgraph].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
            yield operator


def constant(model: Any, subgraph: int, number: int, values: np.ndarray) -> None:
    """Puts other values where a tensor's are."""
    model.buffers.append(type(model.buffers[0])())
    model.buffers[-1].data = np.frombuffer(values.tobytes(), np.uint8)
    model.subgraphs[subgraph].tensors[number].buffer = len(model.buffers) - 1


def one_step_less(model: Any) -> None:
    (less,) = operators(model, 1, "LESS")
    constant(model, 1, less.inputs[1], np.array(STEPS - 1, np.int32))


def not_from_zeros(model: Any) -> None:
    (fill,) = operators(model, 0, "FILL")
    constant(model, 0, fill.inputs[1], np.array(1, np.float32))


def gates_in_another_order(model: Any) -> None:
    (split,) = operators(model, 2, "SPLIT")
    split.outputs = split.outputs[[1, 0, 2, 3]]


def another_function(model: Any) -> None:
    one, _ = operators(model, 2, "TANH")
    one.opcodeIndex = next(operators(model, 2, "LOGISTIC")).opcodeIndex


def a_sum_for_a_product(model: Any) -> None:
    last = list(operators(model, 2, "MUL"))[-1]
    last.opcodeIndex, last.builtinOptionsType, last.builtinOptions = (
        next(operators(model, 2, "ADD")).opcodeIndex, 0, None,
    )  # fmt: skip


def memory_for_output(model: Any) -> None:
    again, _ = operators(model, 2, "FULLY_CONNECTED")
    again.inputs = [model.subgraphs[2].inputs[4], *again.inputs[1:]]


def outputs_all_in_one_place(model: Any) -> None:
    (keep,) = operators(model, 2, "CUSTOM")
    keep.inputs = [keep.inputs[0], model.subgraphs[2].outputs[1], keep.inputs[2]]


@pytest.mark.parametrize(
    "changed",
    [one_step_less, not_from_zeros, gates_in_another_order, another_function, a_sum_for_a_product, memory_for_output,
     outputs_all_in_one_place],
)  # fmt: skip
def test_any_other_loop_is_named_and_not_computed(
    changed: Callable[[Any], None], keras_named: Keras, tmp_path: Path
) -> None:
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated", reason="TensorFlow is not installed")
    import flatbuffers

    content = converted(network(keras_named("tf_keras"), "LSTM", return_sequences=True), "select")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    changed(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    found = fastact.load(saved(tmp_path / "a.tflite", bytes(builder.Output())))
    assert_loop_is_refused(found)
    assert "before" in fastact.Extractor(found, "all")(frame())


def test_a_memory_that_may_be_clipped(keras_named: Keras, tmp_path: Path) -> None:
    """The converter clips an LSTM's memory at 10: no matter in 5 steps, but in 11."""
    k = keras_named("tf_keras")
    for steps, known in ((10, True), (11, False)):
        run = k.layers.Input(batch_shape=(1, steps, FEATURES), name="run")
        content = converted(shaken(k.Model(run, k.layers.LSTM(UNITS, name="memory")(run))))
        model = fastact.load(saved(tmp_path / "a.tflite", content))
        assert all(node.reason is None for node in model.nodes) is known


def test_a_loop_that_is_no_subgraph_of_the_file(keras_named: Keras, tmp_path: Path) -> None:
    schema = pytest.importorskip("tensorflow.lite.python.schema_py_generated", reason="TensorFlow is not installed")
    import flatbuffers

    content = converted(network(keras_named("tf_keras"), "LSTM"), "select")
    for number in (0, 3, -1):
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        (loop,) = operators(model, 0, "WHILE")
        loop.builtinOptions.bodySubgraphIndex = number
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), b"TFL3")
        with pytest.raises(fastact.errors.FileError, match="is none of its 3 subgraphs"):
            fastact.load(saved(tmp_path / "a.tflite", bytes(builder.Output())))


@pytest.mark.parametrize("others", [0, 1])
def test_a_frame_that_is_taken_by_itself_too(others: int, keras_named: Keras, tmp_path: Path) -> None:
    """Operators written once a frame are a layer of all frames only where nothing else takes what one of them gives."""
    keras_named("keras")
    import tensorflow as tf

    weights = tf.constant(np.random.default_rng(1).random((3, 3, 2, 4), np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, STEPS, 6, 6, 2), name="run")])
    def network(run: Any) -> Any:
        frames = tf.transpose(run, (1, 0, 2, 3, 4))
        each = tf.stack([tf.nn.conv2d(frames[step], weights, 1, "VALID") for step in range(STEPS)])
        return (tf.transpose(each, (1, 0, 2, 3, 4)), *(tf.tanh(frames[step]) for step in range(others)))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    model = fastact.load(saved(tmp_path / "a.tflite", converter.convert()))
    classes = {node.class_name: node.reason for node in model.nodes}
    if others:
        assert (classes["Activation"] or "").startswith("it needs 'strided_slice")
        return
    given = np.random.default_rng(3).random((STEPS, 6, 6, 2), np.float32)
    maps = fastact.Extractor(model, "all")(given)
    assert "TimeDistributed" in classes
    assert_close(maps[model.outputs[0]], network(given[None])[0].numpy()[0], "each")
