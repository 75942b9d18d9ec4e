"""Layers that shift and scale values."""

from __future__ import annotations

import numpy as np

from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, floats, frame_axis, known, register
from fastact.layers.config import Config


@register("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization")
class BatchNormalization(Layer):
    """gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, as Keras infers."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.axis = frame_axis(config.entries.get("axis", -1), "batch normalization along axis")
        self.epsilon = config.number("epsilon", 1e-3)
        self.scale, self.center = config.flag("scale", True), config.flag("center", True)

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        if not -len(inputs[0]) <= self.axis < len(inputs[0]):
            raise self.config.fail("axis", f"one of the {len(inputs[0])} axes of its input")
        shape = known((inputs[0][self.axis],))
        names = ["gamma"] * self.scale + ["beta"] * self.center + ["moving_mean", "moving_variance"]
        return dict.fromkeys(names, shape)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        variance = self.weights["moving_variance"].astype(np.float64)
        scale = 1.0 / np.sqrt(variance + self.epsilon)
        if self.scale:
            scale = scale * self.weights["gamma"]
        offset = self.weights["beta"] if self.center else np.zeros(len(variance), np.float32)
        op = ops.Affine(self.weights["moving_mean"], scale.astype(np.float32), offset, self.axis)
        return tape.emit(op, inputs[0])


@register("Rescaling")
class Rescaling(Layer):
    """x * scale + offset, each a number or one a channel."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.scale, self.offset = config.numbers("scale", 1.0), config.numbers("offset", 0.0)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (channels,) = known(inputs[0][-1:])
        floats(self.scale, channels), floats(self.offset, channels)
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        channels = inputs[0].shape[-1]
        scale, offset = floats(self.scale, channels), floats(self.offset, channels)
        return tape.emit(ops.Affine(np.zeros(channels, np.float32), scale, offset), inputs[0])
