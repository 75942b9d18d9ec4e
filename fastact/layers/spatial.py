"""Layers over maps: one to three axes in space or time beside one of channels, and windows that move along them."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Layer, Shape, Tape, Value, rank, show
from fastact.layers.config import Config

_AXES = {1: ["steps"], 2: ["rows", "columns"], 3: ["planes", "rows", "columns"]}


def channels_first(config: Config) -> bool:
    """Whether a configuration puts channels before rows and columns."""
    return config.choice("data_format", "channels_last", ("channels_last", "channels_first")) == "channels_first"


class SpatialLayer(Layer):
    """A layer over maps of `axes` axes (of Conv2D: two) and channels, which `data_format` puts last or first.

    A subclass sees channels last only: maps that come channels first are turned around for it, and turned back.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        dimensions = re.search("([123])D", config.class_name)
        self.axes = int(dimensions[1]) if dimensions else 2
        self.channels_first = channels_first(config)

    def channels_last(self, shape: Shape) -> Shape:
        """An input's shape with channels last; raises UnsupportedError for one of another rank."""
        words = ["channels", *_AXES[self.axes]] if self.channels_first else [*_AXES[self.axes], "channels"]
        rank(shape, self.axes + 1, ", ".join(words[:-1]) + " and " + words[-1])
        return (*shape[1:], shape[0]) if self.channels_first else shape

    def as_given(self, shape: Shape) -> Shape:
        """A shape with channels last as Keras gives it."""
        return (*shape[-1:], *shape[:-1]) if self.channels_first else shape

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.as_given(self.map_shape(self.channels_last(inputs[0])))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        x = inputs[0]
        if not self.channels_first:
            return self.lower_map(tape, x)
        y = self.lower_map(tape, tape.emit(ops.Transpose((*range(1, self.axes + 1), 0)), x))
        return tape.emit(ops.Transpose((len(y.shape) - 1, *range(len(y.shape) - 1))), y)

    @abstractmethod
    def map_shape(self, shape: Shape) -> Shape:
        """:meth:`output_shape` with channels last."""

    @abstractmethod
    def lower_map(self, tape: Tape, x: Value) -> Value:
        """:meth:`lower` with channels last."""


def window_length(
    length: int | None, kernel: int, stride: int, dilation: int = 1, padding: str = "valid"
) -> int | None:
    """How many places a window takes along one axis (None for an open length).

    valid: floor((n - ((k - 1) d + 1)) / s) + 1; same and causal: ceil(n / s), as Keras documents them.
    """
    if length is None:
        return None
    if padding != "valid":
        return -(-length // stride)
    return ops.span(length, kernel, stride, dilation)


def same_padding(length: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Cells added before and after an axis for padding "same": half each, the odd one after, as TensorFlow does."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-length // stride) - 1) * stride + reach - length, 0)
    return total // 2, total - total // 2


def window_sides(
    lengths: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], padding: str
) -> ops.Sides:
    """The cells before and after each axis that a padding's name stands for at this input."""
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "causal":  # all of it before, so that no step sees a later one
        return (((kernel[0] - 1) * dilation[0], 0),)
    return tuple(same_padding(*each) for each in zip(lengths, kernel, strides, dilation, strict=False))


def vanished(shape: Shape, kernel: Sequence[int], given: Shape) -> Shape:
    """`shape`, unless a length in it is zero: then UnsupportedError says that the window does not fit."""
    if any(n == 0 for n in shape):
        window = "x".join(str(n) for n in kernel)
        raise UnsupportedError(f"its {window} window does not fit its input of {show(given)}: the map would vanish")
    return shape
