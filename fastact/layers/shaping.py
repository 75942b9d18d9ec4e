"""Layers that move or regroup values."""

from __future__ import annotations

import math

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, known, rank, register, show
from fastact.layers.config import Config, is_integer
from fastact.layers.convolution import refuse_channels_first


@register("Flatten")
class Flatten(Layer):
    """All values in one row."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        refuse_channels_first(config)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (None,) if None in inputs[0] else (math.prod(known(inputs[0])),)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Reshape((math.prod(inputs[0].shape),)), inputs[0])


@register("Reshape")
class Reshape(Layer):
    """The same values under `target_shape`, of which one length may be -1."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        target = config.entries.get("target_shape")
        if not isinstance(target, list) or not target or not all(n == -1 or is_integer(n, 1) for n in target):
            raise config.fail("target_shape", "a list of lengths, one of which may be -1")
        if target.count(-1) > 1:
            raise config.fail("target_shape", "a list with at most one -1")
        self.target_shape: tuple[int, ...] = tuple(target)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        if None in inputs[0]:
            return tuple(None if n == -1 else n for n in self.target_shape)
        total, fixed = math.prod(known(inputs[0])), math.prod(n for n in self.target_shape if n != -1)
        if total % fixed or (-1 not in self.target_shape and total != fixed):
            raise UnsupportedError(
                f"its target_shape {show(self.target_shape)} does not hold its input of {show(inputs[0])}"
            )
        return tuple(total // fixed if n == -1 else n for n in self.target_shape)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Reshape(known(self.output_shape(inputs[0].shape))), inputs[0])


@register("ZeroPadding2D")
class ZeroPadding2D(Layer):
    """Rows and columns of zeros around the input."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        refuse_channels_first(config)
        self.padding = config.sides("padding")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 3, "rows, columns and channels")
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.padding
        return (
            None if height is None else height + top + bottom,
            None if width is None else width + left + right,
            channels,
        )

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Pad2D(self.padding), inputs[0])


@register("Cropping2D")
class Cropping2D(Layer):
    """The input less rows and columns at its sides."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        refuse_channels_first(config)
        self.cropping = config.sides("cropping")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 3, "rows, columns and channels")
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.cropping
        left_over = (
            None if height is None else height - top - bottom,
            None if width is None else width - left - right,
            channels,
        )
        if any(n is not None and n <= 0 for n in left_over):
            raise UnsupportedError(f"it crops away all of its input of {show(inputs[0])}")
        return left_over

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Crop2D(self.cropping), inputs[0])
