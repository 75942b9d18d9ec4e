"""Layers that join several inputs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, frame_axis, register, show
from fastact.layers.config import Config

MOST_AXES = 4
"""Axes the merging kernels walk."""


class Merge(Layer):
    """A function of two inputs applied from left to right; lengths of 1 are stretched as NumPy does."""

    inputs_taken: ClassVar[tuple[int, int | None]] = (2, None)
    function: ClassVar[ops.Merge]

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return stretched(*inputs)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        total = inputs[0]
        for other in inputs[1:]:
            total = merge(tape, self.function, total, other)
        return total


def stretched(*shapes: Shape) -> Shape:
    """The shape that all of `shapes` are stretched to, as NumPy does: from the right, lengths of 1 repeated.

    Raises UnsupportedError where they do not go together. None, an open length, goes with itself and 1.
    """
    whole: Shape = ()
    for shape in shapes:
        count = max(len(whole), len(shape))
        if count > MOST_AXES:
            raise UnsupportedError(f"its input has {count} axes, and merging knows {MOST_AXES}")
        a, b = ((1,) * (count - len(s)) + s for s in (whole, shape))
        if any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
            raise UnsupportedError(f"its inputs of {show(whole)} and {show(shape)} do not go together")
        whole = tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))
    return whole


def merge(tape: Tape, function: ops.Merge, a: Value, b: Value) -> Value:
    """`function` of two values, of which one may have fewer axes: it gets axes of length 1 in front."""
    count = max(len(a.shape), len(b.shape))
    full = ((1,) * (count - len(v.shape)) + v.shape for v in (a, b))
    ready = (v if v.shape == s else tape.emit(ops.Reshape(s), v) for v, s in zip((a, b), full, strict=True))
    return tape.emit(ops.Binary(function), *ready)


@register("Add")
class Add(Merge):
    """The sum of its inputs."""

    function = ops.Merge.ADD


@register("Subtract")
class Subtract(Merge):
    """The first input less the second."""

    inputs_taken = (2, 2)
    function = ops.Merge.SUBTRACT


@register("Multiply")
class Multiply(Merge):
    """The product of its inputs."""

    function = ops.Merge.MULTIPLY


@register("Average")
class Average(Merge):
    """The mean of its inputs."""

    function = ops.Merge.ADD

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        total, count = super().lower(tape, *inputs), np.array([len(inputs)], np.float32)
        return tape.emit(ops.BinaryConstant(ops.Merge.DIVIDE, count), total)


@register("Maximum")
class Maximum(Merge):
    """The largest of its inputs."""

    function = ops.Merge.MAXIMUM


@register("Minimum")
class Minimum(Merge):
    """The smallest of its inputs."""

    function = ops.Merge.MINIMUM


@register("Dot")
class Dot(Layer):
    """Sums of products along one axis of each of two inputs, which with `normalize` are brought to length 1 before."""

    inputs_taken = (2, 2)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        axes = config.entries.get("axes")
        both = axes if isinstance(axes, list) else [axes, axes]
        if len(both) != 2:
            raise config.fail("axes", "one or two axes")
        self.axes = tuple(frame_axis(a, "a dot product along axis") for a in both)
        self.normalize = config.flag("normalize", False)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rest: list[int | None] = []
        for axis, shape in zip(self.axes, inputs, strict=True):
            if not -len(shape) <= axis < len(shape):
                raise UnsupportedError(f"it multiplies along an axis its input of {show(shape)} does not have")
            rest += (n for a, n in enumerate(shape) if a != axis % len(shape))
        first, second = (shape[axis] for axis, shape in zip(self.axes, inputs, strict=True))
        if first != second:
            raise UnsupportedError(f"its inputs of {show(inputs[0])} and {show(inputs[1])} do not go together")
        return tuple(rest) or (1,)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        x, y = inputs
        if self.normalize:
            # Keras 3 bounds the factor by 1e7, Keras 2 the sum of squares by 1e-12.
            floor = 1e-14 if self.config.keras3 else 1e-12
            x, y = (
                tape.emit(ops.Standardize(ops.Scaling.NORM, (axis,), floor), v)
                for v, axis in zip(inputs, self.axes, strict=True)
            )
        return tape.emit(ops.Contract(*self.axes), x, y)


@register("Concatenate")
class Concatenate(Layer):
    """Its inputs one after the other along `axis`, which counts the batch axis as 0."""

    inputs_taken = (1, None)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.axis = frame_axis(config.entries.get("axis", -1), "joining along axis")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return joined(self.axis, *inputs)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Concat(self.axis), *inputs)


def joined(axis: int, *inputs: Shape) -> Shape:
    """The shape of inputs one after the other along `axis`; raises UnsupportedError where they do not go together."""
    first = inputs[0]
    if not -len(first) <= axis < len(first):
        raise UnsupportedError(f"it joins along an axis its input of {show(first)} does not have")
    at = axis % len(first)
    for other in inputs[1:]:
        if len(other) != len(first) or any(
            m != n and None not in (m, n) for i, (m, n) in enumerate(zip(first, other, strict=True)) if i != at
        ):
            raise UnsupportedError(f"its inputs of {show(first)} and {show(other)} do not go together")
    lengths = [i[at] for i in inputs]
    total = None if None in lengths else sum(n for n in lengths if n is not None)
    return (*first[:at], total, *first[at + 1 :])
