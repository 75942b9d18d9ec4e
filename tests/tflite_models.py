"""Keras models converted to TensorFlow Lite, and what TensorFlow computes with them."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def shaken(model: Any, seed: int = 5) -> Any:
    """The model with weights that hide no mistake: running statistics, gains and biases too."""
    chance = np.random.default_rng(seed)
    for weight in model.weights:
        shape, name = tuple(weight.shape), weight.name
        fan = max(1.0, float(np.prod(shape[:-1]))) if len(shape) > 1 else 25.0
        values = chance.normal(0, fan**-0.5, shape)
        if "variance" in name:
            values = np.abs(values) + 0.5
        weight.assign(values + (1 if "gamma" in name else 0))
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Converters print pages, some of them past Python."""
    kept = [os.dup(1), os.dup(2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1), os.dup2(nothing, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept[0], 1), os.dup2(kept[1], 2)
        for descriptor in (*kept, nothing):
            os.close(descriptor)


def converted(model: Any, how: str = "float32") -> bytes:
    """The model as a .tflite file: "float32", "float16", "quantised", or "select", with TensorFlow's operators too."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if how in ("float16", "quantised"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if how == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if how == "select":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        converter._experimental_lower_tensor_list_ops = False
    with _quiet():
        content: bytes = converter.convert()
    return content


def interpreted(content: bytes, inputs: Mapping[str, np.ndarray]) -> Arrays:
    """What TensorFlow Lite computes for one frame: outputs by the signature's names, in its order."""
    import tensorflow as tf

    with _quiet():
        interpreter = tf.lite.Interpreter(model_content=content)
        runner = interpreter.get_signature_runner()
        results: Arrays = runner(**{name: array[None] for name, array in inputs.items()})
    return {name: results[name][0] for name in sorted(results)}
