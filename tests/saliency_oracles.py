"""What gradients are held against: TensorFlow's tape, and a plan's operations run by their references in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastact.graph import Model
from fastact.kernels import ops, reference
from fastact.layers import Value
from fastact.recording import Further, Recorder, ancestors, record

Arrays = Mapping[str, np.ndarray]


class Recorded:
    """A model's operations and those after them, run by the references."""

    def __init__(self, model: Model, further: Further | None, wanted: set[str]) -> None:
        self.recorder = Recorder()
        needed = ancestors(model.nodes, wanted | (further.needs if further else set()))
        self._given, values = record(self.recorder, model.nodes, needed, {})
        self.values = {model.nodes[i].name: value for i, value in values.items()}
        self._inputs = [model.nodes[i].name for i in needed if model.nodes[i].is_input]
        if further is not None:
            self.values |= further.append(self.recorder, self.values)

    def run(self, inputs: Arrays, dtype: type = np.float64) -> dict[str, np.ndarray]:
        """Every value by name."""
        buffers = {v.number: inputs[name].astype(dtype) for v, name in zip(self._given, self._inputs, strict=True)}

        def shaped(value: Value) -> np.ndarray:
            return buffers[self.recorder.root(value)].reshape(value.shape)

        for instruction in self.recorder.program:
            result = reference.run(instruction.op, *map(shaped, instruction.inputs))
            assert not isinstance(instruction.op, ops.FromBytes)
            assert result.dtype == dtype, type(instruction.op)
            buffers[self.recorder.root(instruction.output)] = result
        return {name: shaped(value) for name, value in self.values.items()}


def tape_gradient(model: Any, inputs: Arrays, by: str, output: str, index: int | None) -> np.ndarray:
    """The gradient of one value of a Keras model's layer `output`, None for the largest, as TensorFlow computes it."""
    import tensorflow as tf

    keras = type(model).__module__.partition(".")[0]
    make = __import__(keras).Model
    head = make(model.inputs, model.get_layer(output).output)
    names = [tensor.name.partition(":")[0] for tensor in model.inputs]
    tensors = {name: tf.constant(inputs[name][None]) for name in names}
    with tf.GradientTape() as tape:
        tape.watch(tensors[by])
        given = [tensors[name] for name in names]
        result = tf.reshape(head(given if len(given) > 1 else given[0], training=False), [-1])
        number = tf.reduce_max(result) if index is None else result[index]
    gradient = tape.gradient(number, tensors[by])
    return np.zeros_like(inputs[by]) if gradient is None else np.asarray(gradient)[0]
