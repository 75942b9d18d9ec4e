"""Layers that move or regroup values."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, known, rank, register, show
from fastact.layers.config import Config, is_integer
from fastact.layers.spatial import SpatialLayer, channels_first

MOST_AXES = 6
"""Axes that are put into another order at most: beyond five, a copy takes several steps."""


@register("Flatten")
class Flatten(Layer):
    """All values in one row, channels last."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.channels_first = channels_first(config)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (None,) if None in inputs[0] else (math.prod(known(inputs[0])),)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        x = inputs[0]
        if self.channels_first and len(x.shape) > 1:
            x = tape.emit(ops.Transpose((*range(1, len(x.shape)), 0)), x)
        return tape.emit(ops.Reshape((math.prod(x.shape),)), x)


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


@register("Permute")
class Permute(Layer):
    """Its input's axes in the order `dims`, which counts from 1."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        dims = config.shape("dims")
        if sorted(dims, key=lambda n: n or 0) != list(range(1, len(dims) + 1)):
            raise config.fail("dims", "the numbers of all axes from 1, each once")
        self.axes = tuple(n - 1 for n in dims if n is not None)
        if len(self.axes) > MOST_AXES:
            raise UnsupportedError(f"it puts {len(self.axes)} axes into another order, fastact {MOST_AXES} at most")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], len(self.axes), f"{len(self.axes)} axes")
        return tuple(inputs[0][a] for a in self.axes)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Transpose(self.axes), inputs[0])


@register("RepeatVector")
class RepeatVector(Layer):
    """Its input `n` times, one under the other."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.n = config.integer("n")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 1, "one row of values")
        return (self.n, *inputs[0])

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Repeat((self.n,)), tape.emit(ops.Reshape((1, *inputs[0].shape)), inputs[0]))


class Sided(SpatialLayer):
    """A layer that adds or takes away cells before and after the axes of a map, wherever its channels are."""

    entry: ClassVar[str]

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sides = config.sides(self.entry, self.axes)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        if self.channels_first:  # no need to turn the map around
            return tape.emit(self.operation(((0, 0), *self.sides)), inputs[0])
        return self.lower_map(tape, inputs[0])

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        return tape.emit(self.operation(self.sides), x)

    @abstractmethod
    def operation(self, sides: ops.Sides) -> ops.Op:
        """The operation that changes an array's sides."""


@register("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
class ZeroPadding(Sided):
    """Its input in a frame of zeros."""

    entry = "padding"

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        lengths = (None if n is None else n + sum(side) for n, side in zip(shape, self.sides, strict=False))
        return (*lengths, shape[-1])

    def operation(self, sides: ops.Sides) -> ops.Op:  # noqa: D102
        return ops.Pad(sides)


@register("Cropping1D", "Cropping2D", "Cropping3D")
class Cropping(Sided):
    """Its input less cells at its sides."""

    entry = "cropping"

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        lengths = tuple(None if n is None else n - sum(side) for n, side in zip(shape, self.sides, strict=False))
        if any(n is not None and n <= 0 for n in lengths):
            raise UnsupportedError(f"it crops away all of its input of {show(shape)}")
        return (*lengths, shape[-1])

    def operation(self, sides: ops.Sides) -> ops.Op:  # noqa: D102
        return ops.Crop(sides)
