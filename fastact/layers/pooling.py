"""Pools."""

from __future__ import annotations

from typing import ClassVar

from fastact.kernels import ops
from fastact.layers.base import Shape, Tape, Value, register
from fastact.layers.config import Config
from fastact.layers.spatial import SpatialLayer, vanished, window_length, window_sides


class Pool(SpatialLayer):
    """The largest or mean value of each window; strides are the window's size unless given."""

    kind: ClassVar[ops.PoolKind]

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.pool_size = config.lengths("pool_size", self.axes, 2)
        given = config.entries.get("strides") is not None
        self.strides = config.lengths("strides", self.axes) if given else self.pool_size
        self.padding = config.choice("padding", "valid", ("valid", "same"))

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        lengths = (
            window_length(n, k, s, padding=self.padding)
            for n, k, s in zip(shape, self.pool_size, self.strides, strict=False)
        )
        return vanished((*lengths, shape[-1]), self.pool_size, shape)

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        sides = window_sides(x.shape, self.pool_size, self.strides, (1,) * self.axes, self.padding)
        return tape.emit(ops.Pool(self.kind, self.pool_size, self.strides, sides), x)


@register("MaxPooling1D", "MaxPool1D", "MaxPooling2D", "MaxPool2D", "MaxPooling3D", "MaxPool3D")
class MaxPooling(Pool):
    """The largest value of each window."""

    kind = ops.PoolKind.MAX


@register("AveragePooling1D", "AvgPool1D", "AveragePooling2D", "AvgPool2D", "AveragePooling3D", "AvgPool3D")
class AveragePooling(Pool):
    """The mean of each window's cells that lie inside the input."""

    kind = ops.PoolKind.AVERAGE


class GlobalPool(SpatialLayer):
    """One value a channel; with keepdims as a map of one cell."""

    kind: ClassVar[ops.PoolKind]

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.keepdims = config.flag("keepdims", False)

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return (1,) * self.axes * self.keepdims + shape[-1:]

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        y = tape.emit(ops.GlobalPool(self.kind), x)
        return tape.emit(ops.Reshape((1,) * self.axes + y.shape), y) if self.keepdims else y


@register(
    "GlobalMaxPooling1D", "GlobalMaxPool1D", "GlobalMaxPooling2D", "GlobalMaxPool2D", "GlobalMaxPooling3D",
    "GlobalMaxPool3D",
)  # fmt: skip
class GlobalMaxPooling(GlobalPool):
    """The largest value of each channel."""

    kind = ops.PoolKind.MAX


@register(
    "GlobalAveragePooling1D", "GlobalAvgPool1D", "GlobalAveragePooling2D", "GlobalAvgPool2D",
    "GlobalAveragePooling3D", "GlobalAvgPool3D",
)  # fmt: skip
class GlobalAveragePooling(GlobalPool):
    """The mean of each channel."""

    kind = ops.PoolKind.AVERAGE
