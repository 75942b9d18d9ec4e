"""Layers that join several inputs."""

from __future__ import annotations

from typing import ClassVar

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Arguments, Layer, Shape, Tape, Value, frame_axis, register, show
from fastact.layers.config import Config

MOST_AXES = 4
"""Axes the merging kernels walk."""

_JOINING = "joining along axis"


class Merge(Layer):
    """A function of two inputs applied from left to right; lengths of 1 are stretched as NumPy does."""

    inputs_taken = (2, None)
    function: ClassVar[ops.Merge]

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = inputs[0]
        for other in inputs[1:]:
            shape = _broadcast(shape, other)
        return shape

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        total = inputs[0]
        for other in inputs[1:]:
            total = tape.emit(ops.Binary(self.function), total, other)
        return total


def _broadcast(a: Shape, b: Shape) -> Shape:
    if len(a) != len(b) or len(a) > MOST_AXES or any(1 not in (m, n) and m != n for m, n in zip(a, b, strict=True)):
        raise UnsupportedError(f"its inputs of {show(a)} and {show(b)} do not go together")
    return tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))


@register("Add")
class Add(Merge):
    """The sum of its inputs."""

    function = ops.Merge.ADD


@register("Multiply")
class Multiply(Merge):
    """The product of its inputs."""

    function = ops.Merge.MULTIPLY


@register("Concatenate")
class Concatenate(Layer):
    """Its inputs one after the other along `axis`, which counts the batch axis as 0."""

    inputs_taken = (1, None)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.axis = frame_axis(config.entries.get("axis", -1), _JOINING)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return _joined(self.axis, *inputs)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Concat(self.axis), *inputs)


@register("TFOpLambda")
class FunctionCall(Layer):
    """A TensorFlow function Keras 2 wrapped as a layer: `function` names it. Only `concat` is known so far."""

    inputs_taken = (1, None)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.entries.get("function") != "concat":
            raise UnsupportedError(
                f"fastact does not know the TensorFlow function {str(config.entries.get('function'))[:60]!r}"
            )
        self.axis: int | None = None

    def check_call(self, count: int, arguments: Arguments) -> None:  # noqa: D102
        given = arguments.keywords.get("axis", *arguments.positional[:1] or (None,))
        axis = frame_axis(given, _JOINING)
        if self.axis not in (None, axis):
            raise UnsupportedError("it is called twice, along different axes")
        self.axis = axis
        others = {k: v for k, v in arguments.keywords.items() if k != "axis"}
        super().check_call(count, Arguments(arguments.positional[1:], others))

    @property
    def _joined_axis(self) -> int:
        assert self.axis is not None, "check_call comes first"
        return self.axis

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return _joined(self._joined_axis, *inputs)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Concat(self._joined_axis), *inputs)


def _joined(axis: int, *inputs: Shape) -> Shape:
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
