"""Inputs, dense layers, and layers that change nothing when a network runs."""

from __future__ import annotations

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.activation import activation, apply
from fastact.layers.base import Layer, Shape, Tape, Value, known, refuse, register
from fastact.layers.config import Config

refuse(
    "a Lambda is Python code, which fastact runs from no file: put layers or operators in its place, and save the "
    "model again",
    "Lambda",
)


@register("InputLayer")
class InputLayer(Layer):
    """Where a frame comes in; `batch_input_shape` in Keras 2, `batch_shape` in Keras 3."""

    inputs_taken = (0, 0)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        entry = "batch_shape" if "batch_shape" in config.entries else "batch_input_shape"
        self.shape = config.shape(entry)[1:]
        if not self.shape:
            raise UnsupportedError("it takes one number a frame, which this version does not compute")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.shape

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        raise TypeError("an input is given, not computed")


@register("Dense")
class Dense(Layer):
    """activation(x weights + bias) along the last axis."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.units, self.use_bias = config.integer("units"), config.flag("use_bias", True)
        self.activation = activation(config)

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        (width,) = known(inputs[0][-1:])
        shapes: dict[str, tuple[int, ...]] = {"kernel": (width, self.units)}
        if self.use_bias:
            shapes["bias"] = (self.units,)
        return shapes

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.activation.output_shape((*inputs[0][:-1], self.units))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        bias = self.weights["bias"] if self.use_bias else np.zeros(self.units, np.float32)
        op = ops.Dense(self.weights["kernel"], bias, self.activation.low, self.activation.high)
        return apply(tape, self.activation.rest, tape.emit(op, inputs[0]))


@register(
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout",
    "GaussianNoise", "ActivityRegularization", "Identity",
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness",
    "RandomColorDegeneration", "RandomColorJitter", "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur",
    "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomSaturation",
    "RandomSharpness", "RandomShear", "AugMix", "CutMix", "MixUp", "RandAugment",
)  # fmt: skip
class PassThrough(Layer):
    """Layers that do something in training only."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return inputs[0]
