"""Layers that networks of keras.applications define for themselves."""

from __future__ import annotations

import numpy as np

from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, known, register
from fastact.layers.config import Config
from fastact.layers.merging import merge, stretched


@register("LayerScale")
class LayerScale(Layer):
    """x times a weight for each channel, as ConvNeXt scales its branches."""

    @property
    def _weight(self) -> str:
        """Keras 3 gives the weight no name of its own."""
        return "variable" if self.config.keras3 else "gamma"

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return {self._weight: known(inputs[0][-1:])}

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.BinaryConstant(ops.Merge.MULTIPLY, self.weights[self._weight]), inputs[0])


@register("CustomScaleLayer", "Custom>CustomScaleLayer")
class CustomScaleLayer(Layer):
    """The first input plus `scale` times the second, as Inception-ResNet joins its branches."""

    inputs_taken = (2, 2)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.scale = config.number("scale")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return stretched(*inputs)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        scale = np.array([self.scale], np.float32)
        scaled = tape.emit(ops.BinaryConstant(ops.Merge.MULTIPLY, scale), inputs[1])
        return merge(tape, ops.Merge.ADD, inputs[0], scaled)
