"""Pools."""

from __future__ import annotations

from typing import ClassVar

from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, rank, register
from fastact.layers.config import Config
from fastact.layers.convolution import refuse_channels_first, vanished, window_length, window_pads


class Pool2D(Layer):
    """The largest or mean value of each window; strides are the window's size unless given."""

    kind: ClassVar[ops.PoolKind]

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        refuse_channels_first(config)
        self.pool_size = config.pair("pool_size", 2)
        self.strides = self.pool_size if config.entries.get("strides") is None else config.pair("strides")
        self.padding = config.choice("padding", "valid", ("valid", "same"))

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 3, "rows, columns and channels")
        lengths = (
            window_length(n, k, s, padding=self.padding)
            for n, k, s in zip(inputs[0], self.pool_size, self.strides, strict=False)
        )
        return vanished((*lengths, inputs[0][-1]), self.pool_size, inputs[0])

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        pads = window_pads(inputs[0].shape, self.pool_size, self.strides, (1, 1), self.padding)
        return tape.emit(ops.Pool2D(self.kind, self.pool_size, self.strides, pads), inputs[0])


@register("MaxPooling2D", "MaxPool2D")
class MaxPooling2D(Pool2D):
    """The largest value of each window."""

    kind = ops.PoolKind.MAX


@register("AveragePooling2D", "AvgPool2D")
class AveragePooling2D(Pool2D):
    """The mean of each window's cells that lie inside the input."""

    kind = ops.PoolKind.AVERAGE


class GlobalPool2D(Layer):
    """One value a channel; with keepdims as a 1x1 map."""

    kind: ClassVar[ops.PoolKind]

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        refuse_channels_first(config)
        self.keepdims = config.flag("keepdims", False)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 3, "rows, columns and channels")
        return (1, 1, inputs[0][-1]) if self.keepdims else inputs[0][-1:]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        y = tape.emit(ops.GlobalPool(self.kind), inputs[0])
        return tape.emit(ops.Reshape((1, 1, *y.shape)), y) if self.keepdims else y


@register("GlobalMaxPooling2D", "GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalPool2D):
    """The largest value of each channel."""

    kind = ops.PoolKind.MAX


@register("GlobalAveragePooling2D", "GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalPool2D):
    """The mean of each channel."""

    kind = ops.PoolKind.AVERAGE
