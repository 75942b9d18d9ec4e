"""Convolutions whose windows move forwards: ordinary, depthwise, separable."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers.activation import activation, apply
from fastact.layers.base import Shape, Tape, Value, known, register
from fastact.layers.config import Config
from fastact.layers.spatial import SpatialLayer, vanished, window_length, window_sides


@dataclass(frozen=True)
class Windows:
    """How windows move over a map, along each axis before the channels."""

    strides: tuple[int, ...]
    sides: ops.Sides
    dilation: tuple[int, ...]

    def flat(self) -> tuple[tuple[int, int], ops.Pads, tuple[int, int]]:
        """The three along rows and columns, as operations on maps of two axes take them."""
        (sy, sx), (rows, columns), (dy, dx) = self.strides, self.sides, self.dilation
        return (sy, sx), (*rows, *columns), (dy, dx)


class Convolution(SpatialLayer):
    """What convolutions share: a window's geometry, a bias, and an activation, which Keras applies to the map as given.

    A convolution along one axis is computed as one over a map of a single row.
    """

    is_convolution = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.kernel_size = config.lengths("kernel_size", self.axes)
        self.strides = config.lengths("strides", self.axes, 1)
        self.dilation_rate = config.lengths("dilation_rate", self.axes, 1)
        self.use_bias = config.flag("use_bias", True)
        self.activation = activation(config)

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        (channels,) = known(self.channels_last(inputs[0])[-1:])
        shapes = self.kernels(channels)
        if self.use_bias:
            shapes["bias"] = (self.map_channels(channels),)
        return shapes

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.activation.output_shape(super().output_shape(*inputs))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return apply(tape, self.activation.rest, super().lower(tape, *inputs))

    def bias(self, channels: int) -> ops.Floats:
        """The bias of `channels` channels of the map."""
        return self.weights["bias"] if self.use_bias else np.zeros(channels, np.float32)

    def window_weights(self, name: str) -> ops.Floats:
        """Weights by name, those of a window along one axis as of one row."""
        weights = self.weights[name]
        return weights[None] if self.axes == 1 else weights

    @abstractmethod
    def kernels(self, channels: int) -> dict[str, tuple[int, ...]]:
        """The weights beside the bias, each with its shape, for an input of `channels` channels."""

    @abstractmethod
    def map_channels(self, channels: int) -> int:
        """The channels of the map, before the activation, for an input of `channels` channels."""


class MovingWindow(Convolution):
    """A convolution whose window moves over its input."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.padding = config.choice("padding", "valid", ("valid", "same") + ("causal",) * (self.axes == 1))

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        lengths = (
            window_length(n, k, s, d, self.padding)
            for n, k, s, d in zip(shape, self.kernel_size, self.strides, self.dilation_rate, strict=False)
        )
        (channels,) = known(shape[-1:])
        return vanished((*lengths, self.map_channels(channels)), self.kernel_size, shape)

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        sides = window_sides(x.shape, self.kernel_size, self.strides, self.dilation_rate, self.padding)
        if self.axes > 1:
            return self.convolve(tape, x, Windows(self.strides, sides, self.dilation_rate))
        row = tape.emit(ops.Reshape((1, *x.shape)), x)
        y = self.convolve(tape, row, Windows((1, *self.strides), ((0, 0), *sides), (1, *self.dilation_rate)))
        return tape.emit(ops.Reshape(y.shape[1:]), y)

    @abstractmethod
    def convolve(self, tape: Tape, x: Value, windows: Windows) -> Value:
        """Appends the operations on `x`, a map of two or three axes and its channels."""


@register("Conv1D", "Conv2D", "Conv3D")
class Conv(MovingWindow):
    """Cross-correlation with `filters` filters: weights HWIO, I = channels / groups."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.filters, self.groups = config.integer("filters"), config.integer("groups", 1)
        if self.filters % self.groups:
            raise config.fail("filters", f"a multiple of groups, {self.groups}")

    def kernels(self, channels: int) -> dict[str, tuple[int, ...]]:  # noqa: D102
        if channels % self.groups:
            raise self.config.fail("groups", f"a divisor of the {channels} channels of its input")
        return {"kernel": (*self.kernel_size, channels // self.groups, self.filters)}

    def map_channels(self, channels: int) -> int:  # noqa: D102
        return self.filters

    def convolve(self, tape: Tape, x: Value, windows: Windows) -> Value:  # noqa: D102
        weights, bias = self.window_weights("kernel"), self.bias(self.filters)
        low, high = self.activation.low, self.activation.high
        if self.axes == 3:
            if any(sum(side) for side in windows.sides):
                x = tape.emit(ops.Pad(windows.sides), x)
            op = ops.Conv3D(weights, bias, windows.strides, windows.dilation, self.groups, low, high)
            return tape.emit(op, x)
        return tape.emit(ops.Conv2D(weights, bias, *windows.flat(), self.groups, low, high), x)


@register("DepthwiseConv1D", "DepthwiseConv2D")
class DepthwiseConv(MovingWindow):
    """Cross-correlation of each channel with `depth_multiplier` filters of its own."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.depth_multiplier = config.integer("depth_multiplier", 1)
        self._kernel = "kernel" if config.keras3 else "depthwise_kernel"

    def kernels(self, channels: int) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return {self._kernel: (*self.kernel_size, channels, self.depth_multiplier)}

    def map_channels(self, channels: int) -> int:  # noqa: D102
        return channels * self.depth_multiplier

    def convolve(self, tape: Tape, x: Value, windows: Windows) -> Value:  # noqa: D102
        weights, bias = self.window_weights(self._kernel), self.bias(self.map_channels(x.shape[-1]))
        low, high = self.activation.low, self.activation.high
        return tape.emit(ops.DepthwiseConv2D(weights, bias, *windows.flat(), low, high), x)


@register("SeparableConv1D", "SeparableConv2D")
class SeparableConv(DepthwiseConv):
    """A depthwise convolution, and of its map a 1x1 convolution with `filters` filters."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.filters = config.integer("filters")
        self._kernel = "depthwise_kernel"

    def kernels(self, channels: int) -> dict[str, tuple[int, ...]]:  # noqa: D102
        inner = channels * self.depth_multiplier
        return {**super().kernels(channels), "pointwise_kernel": (*(1,) * self.axes, inner, self.filters)}

    def map_channels(self, channels: int) -> int:  # noqa: D102
        return self.filters

    def convolve(self, tape: Tape, x: Value, windows: Windows) -> Value:  # noqa: D102
        weights, bias = self.window_weights(self._kernel), np.zeros(x.shape[-1] * self.depth_multiplier, np.float32)
        x = tape.emit(ops.DepthwiseConv2D(weights, bias, *windows.flat()), x)
        weights, bias = self.window_weights("pointwise_kernel"), self.bias(self.filters)
        return tape.emit(ops.Conv2D(weights, bias, low=self.activation.low, high=self.activation.high), x)
