"""Convolutions and what decides their geometry."""

from __future__ import annotations

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.activation import activation, apply
from fastact.layers.base import Layer, Shape, Tape, Value, known, rank, register, show
from fastact.layers.config import Config


def refuse_channels_first(config: Config) -> None:
    """Raises UnsupportedError for data_format channels_first."""
    if config.choice("data_format", "channels_last", ("channels_last", "channels_first")) == "channels_first":
        raise UnsupportedError(
            "its data_format is channels_first, which this version does not compute; "
            "save the model with channels_last layers"
        )


def window_length(
    length: int | None, kernel: int, stride: int, dilation: int = 1, padding: str = "valid"
) -> int | None:
    """How many places a window takes along one axis (None for an open length).

    valid: floor((n - ((k - 1) d + 1)) / s) + 1; same: ceil(n / s), as Keras documents both.
    """
    if length is None:
        return None
    if padding == "same":
        return -(-length // stride)
    return ops.span(length, kernel, stride, dilation)


def same_padding(length: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Cells added before and after an axis for padding "same": half each, the odd one after, as TensorFlow does."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-length // stride) - 1) * stride + reach - length, 0)
    return total // 2, total - total // 2


def window_pads(
    shape: ops.Shape, kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int], padding: str
) -> ops.Pads:
    """The four numbers that a padding's name stands for at this input."""
    if padding == "valid":
        return ops.NO_PADS
    rows = same_padding(shape[0], kernel[0], strides[0], dilation[0])
    return (*rows, *same_padding(shape[1], kernel[1], strides[1], dilation[1]))


def vanished(shape: Shape, kernel: tuple[int, int], given: Shape) -> Shape:
    """`shape`, unless a length in it is zero: then UnsupportedError says that the window does not fit."""
    if any(n == 0 for n in shape):
        raise UnsupportedError(
            f"its {kernel[0]}x{kernel[1]} window does not fit its input of {show(given)}: the map would vanish"
        )
    return shape


@register("Conv2D")
class Conv2D(Layer):
    """Cross-correlation with `filters` filters: weights HWIO, I = channels / groups."""

    is_convolution = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        refuse_channels_first(config)
        self.filters, self.groups = config.integer("filters"), config.integer("groups", 1)
        self.kernel_size, self.strides = config.pair("kernel_size"), config.pair("strides", 1)
        self.dilation_rate = config.pair("dilation_rate", 1)
        self.padding = config.choice("padding", "valid", ("valid", "same"))
        self.use_bias = config.flag("use_bias", True)
        self.activation = activation(config)
        if self.filters % self.groups:
            raise config.fail("filters", f"a multiple of groups, {self.groups}")

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        rank(inputs[0], 3, "rows, columns and channels")
        (channels,) = known(inputs[0][-1:])
        if channels % self.groups:
            raise self.config.fail("groups", f"a divisor of the {channels} channels of its input")
        shapes: dict[str, tuple[int, ...]] = {"kernel": (*self.kernel_size, channels // self.groups, self.filters)}
        if self.use_bias:
            shapes["bias"] = (self.filters,)
        return shapes

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 3, "rows, columns and channels")
        lengths = (
            window_length(n, k, s, d, self.padding)
            for n, k, s, d in zip(inputs[0], self.kernel_size, self.strides, self.dilation_rate, strict=False)
        )
        shape = vanished((*lengths, self.filters), self.kernel_size, inputs[0])
        return self.activation.output_shape(shape)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        x = inputs[0]
        pads = window_pads(x.shape, self.kernel_size, self.strides, self.dilation_rate, self.padding)
        bias = self.weights["bias"] if self.use_bias else np.zeros(self.filters, np.float32)
        low, high = self.activation.low, self.activation.high
        op = ops.Conv2D(self.weights["kernel"], bias, self.strides, pads, self.dilation_rate, self.groups, low, high)
        return apply(tape, self.activation.rest, tape.emit(op, x))
