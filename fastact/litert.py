"""The maps of a TensorFlow Lite file as its own interpreter computes them."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from fastact import files
from fastact.errors import MissingExtraError, UnsupportedError
from fastact.graph import Model
from fastact.kernels.ops import Floats

FORMAT = "TensorFlow Lite"
"""What a model's `format` is where these maps can be had."""

_INTERPRETERS = {
    "ai_edge_litert.interpreter": "LiteRT",
    "tflite_runtime.interpreter": "tflite-runtime",
    "tensorflow.lite.python.interpreter": "TensorFlow Lite",
}
"""Modules with an interpreter, from the smallest on; only the last may run TensorFlow's own operators."""


def interpreted_maps(model: Model, inputs: Mapping[str, Floats]) -> tuple[str, dict[str, Floats]]:
    """Every layer's map as an interpreter computes it from the model's file, and which interpreter it was.

    Args:
        model: as fastact read it from a TensorFlow Lite file.
        inputs: the inputs by name, float32, without batch axis.

    Raises:
        MissingExtraError: no interpreter is installed.
        UnsupportedError: no installed interpreter runs the file.
    """
    tried = []
    for module, name in _INTERPRETERS.items():
        try:
            package = importlib.import_module(module)
        except ImportError:
            continue
        try:
            return name, _run(package, model, inputs)
        except (RuntimeError, ValueError) as error:  # what interpreters raise for operators they lack
            tried.append(f"{name}: {(str(error).strip() or type(error).__name__).splitlines()[0][:200]}")
    if not tried:
        raise MissingExtraError("verify", "TensorFlow", "verify")
    raise UnsupportedError(
        f"no interpreter runs {model.source!r} to compare with ({'; '.join(tried)}): verify the Keras file that it was "
        "converted from"
    )


def _run(package: ModuleType, model: Model, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
    """One frame through an interpreter that keeps every tensor, as it is before anything is fused for a processor."""
    with files.open_model(model.source) as saved:
        tensors = saved.tensors
    interpreter: Any = package.Interpreter(
        model_path=model.source,
        experimental_op_resolver_type=package.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    batches = {tensors[name]: np.asarray(inputs[name], np.float32)[np.newaxis] for name in model.inputs}
    for number, batch in batches.items():
        interpreter.resize_tensor_input(number, batch.shape)
    interpreter.allocate_tensors()
    for number, batch in batches.items():
        interpreter.set_tensor(number, batch)
    interpreter.invoke()
    found = {}
    for node in model.nodes:
        if node.is_input or node.shape is None or node.name not in tensors:
            continue
        array = np.asarray(interpreter.get_tensor(tensors[node.name]), np.float32)
        # a run of frames is in the batch there, or before it: with one frame, the same numbers in the same order
        shape = array.shape[1:] if None in node.shape else tuple(n for n in node.shape if n is not None)
        size = math.prod(shape)
        if array.size == size:
            found[node.name] = array.reshape(shape)
        elif array.size * math.prod(shape[:1]) != size:  # else it is one frame of a run, written frame by frame
            found[node.name] = array
    return found
