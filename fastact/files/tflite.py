"""TensorFlow Lite files, float32 and float16, as the Keras models that they were made from.

| module | what it makes |
| --- | --- |
| `flatbuffer.py` | tables and vectors, every one of them compared with the file's size |
| `tflite_graph.py` | tensors and operators, checked against each other |
| `tflite_normalizations.py` | one operator of a normalization's, by grammars that `tflite_matching.py` follows |
| `tflite_functions.py` | one operator of a function's, such as selu, in the same way |
| `tflite_patterns.py` | one operator of several that are one layer |
| `tflite_frames.py` | one operator of those that are written once a frame |
| `tflite_loops.py` | one operator of a loop that is a recurrent layer, which `tflite_cells.py` recognises |
| `tflite_layers.py` | steps, each a Keras layer, by `tflite_windows.py`, `tflite_recurrent.py`, `tflite_forms.py`, … |
| `tflite_lengths.py` | what a network computes of the lengths of its input, where these are open |
| `tflite_merge.py` | one step of several that are one layer, and names, from `tflite_names.py` |
| `tflite_weights.py` | weights, when they are asked for |

The file holds no Keras layers: what the converter fused away (Dropout, a BatchNormalization that went into weights) is
not in it. Each operator becomes the Keras layer that computes the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import sniff, tflite_graph, tflite_layers, tflite_merge
from .flatbuffer import Source
from .model import OPERATOR, SavedModel
from .tflite_graph import Graph
from .tflite_names import Naming, cleaned
from .tflite_operations import OPERATIONS
from .tflite_steps import Step, View
from .tflite_weights import TfliteWeights

__all__ = ["open_model"]

_KERAS_VERSION = (3, 0, 0)
"""Whose spelling the configuration has."""


@contextmanager
def open_model(path: Path, descriptor: int, max_weight_bytes: int) -> Iterator[SavedModel]:
    """Open a ``.tflite`` file; see `fastact.files.open_model`."""
    source = Source(path, descriptor)
    try:
        with _guarded(source):
            model = _saved_model(source, descriptor, max_weight_bytes)
        yield model
    finally:
        source.close()


@contextmanager
def _guarded(source: Source) -> Iterator[None]:
    """Turn what no check foresaw into an error of fastact's; the tests hold that there is none such."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise source.damaged(f"its network is none that fastact expects ({type(error).__name__})") from error


def _saved_model(source: Source, descriptor: int, max_weight_bytes: int) -> SavedModel:
    graph = tflite_graph.read(source)
    naming = Naming(graph)
    made, views = tflite_layers.steps(graph, naming)
    outputs = [views[number] for number in graph.outputs if number in views]
    if not outputs:
        raise source.problem("computes nothing from its inputs: convert the model again")
    steps = tflite_merge.merged(graph, made, (view.value for view in outputs))
    inputs, names = tflite_merge.named(graph, naming, steps)
    named = [
        *((name, number) for number, name in inputs.items()),
        *zip(names, (step.value for step in steps), strict=True),
    ]
    return SavedModel(
        path=source.path,
        format="TensorFlow Lite",
        keras_version=_KERAS_VERSION,
        backend="tensorflow",
        config=_configuration(graph, inputs, steps, names, outputs),
        weights=TfliteWeights(
            source, {name: step.weights for name, step in zip(names, steps, strict=True)}, max_weight_bytes
        ),
        identity=sniff.identity(descriptor),
        tensors={name: number for name, number in named if number < len(graph.tensors)},
    )


def _configuration(
    graph: Graph, inputs: dict[int, str], steps: Sequence[Step], names: Sequence[str], outputs: Sequence[View]
) -> dict[str, Any]:
    """The network as Keras 3 would have written it."""
    given = {number: [name, 0, 0] for number, name in inputs.items()}
    for name, step in zip(names, steps, strict=True):
        given |= {value: [name, 0, place] for place, value in enumerate((step.value, *step.more))}
    layers = [_input_layer(name, graph.tensors[number].shape) for number, name in inputs.items()]
    layers += [
        _layer(step, name, [given[value] for value in step.inputs]) for name, step in zip(names, steps, strict=True)
    ]
    config = {
        "name": cleaned(graph.name) or "model",
        "layers": layers,
        "input_layers": [given[number] for number in inputs],
        "output_layers": [given[view.value] for view in outputs],
    }
    return {"class_name": "Functional", "config": config}


def _input_layer(name: str, shape: Sequence[int | None]) -> dict[str, Any]:
    config = {"name": name, "batch_shape": [None, *shape[1:]], "dtype": "float32"}
    return {"class_name": "InputLayer", "name": name, "config": config, "inbound_nodes": []}


def _layer(step: Step, name: str, sources: Sequence[list[Any]]) -> dict[str, Any]:
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": source}} for source in sources]
    node: dict[str, Any] = {"args": tensors if len(tensors) < 2 else [tensors], "kwargs": {}}
    return {
        "module": _module(step),
        "class_name": cleaned(step.class_name) or "OPERATOR",
        "name": name,
        "config": {"name": name, **step.config},
        "inbound_nodes": [node],
    }


def _module(step: Step) -> str:
    if step.class_name == step.operator:
        return OPERATOR
    return "keras.src.ops" if step.class_name in OPERATIONS else "keras.layers"
