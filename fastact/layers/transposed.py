"""Convolutions turned around: every cell of the input gives a window of the map."""

from __future__ import annotations

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Shape, Tape, Value, register, show
from fastact.layers.config import Config
from fastact.layers.convolution import Convolution
from fastact.layers.weaving import Spread, Turned, check_phases, woven


def transposed_length(length: int, kernel: int, stride: int, padding: str, extra: int | None) -> int:
    """The cells of a map along one axis, `kernel` being what the window reaches and `extra` Keras's output_padding.

    Without output_padding as if a convolution of that map gave the input; with it, Keras has formulas of its own.
    """
    if extra is None:
        return length * stride + (max(kernel - stride, 0) if padding == "valid" else 0)
    return (length - 1) * stride + (kernel if padding == "valid" else kernel % 2) + extra


@register("Conv1DTranspose", "Conv2DTranspose")
class ConvTranspose(Convolution):
    """The gradient of a convolution: each cell of the input adds its multiple of the window to the map."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.filters = config.integer("filters")
        self.padding = config.choice("padding", "valid", ("valid", "same"))
        given = config.entries.get("output_padding") is not None
        self.output_padding = config.lengths("output_padding", self.axes, low=0) if given else (None,) * self.axes
        if config.integer("groups", 1) > 1:
            raise UnsupportedError("it has groups, which fastact does not compute in a transposed convolution")
        check_phases(self.kernel_size, self.strides, self.dilation_rate)

    def kernels(self, channels: int) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return {"kernel": (*self.kernel_size, self.filters, channels)}

    def map_channels(self, channels: int) -> int:  # noqa: D102
        return self.filters

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        lengths: list[int | None] = []
        for n, window, stride, extra in zip(shape, self._reach(), self.strides, self.output_padding, strict=False):
            length = None if n is None else transposed_length(n, window, stride, self.padding, extra)
            if n is not None and length is not None and not self._fits(n, window, stride, length):
                raise UnsupportedError(
                    f"its output_padding of {extra} gives a map of {length} cells, which no convolution with its "
                    f"window and strides makes into its input of {show(shape)}"
                )
            lengths.append(length)
        return (*lengths, self.filters)

    def _fits(self, length: int, window: int, stride: int, output: int) -> bool:
        """Whether a convolution of `output` cells gives `length`, which TensorFlow insists on."""
        places = output - window + 1 if self.padding == "valid" else output
        return output > 0 and -(-places // stride) == length

    def _reach(self) -> tuple[int, ...]:
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True))

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        if self.axes == 1:
            y = self._woven(tape, tape.emit(ops.Reshape((1, *x.shape)), x))
            return tape.emit(ops.Reshape(y.shape[1:]), y)
        return self._woven(tape, x)

    def _woven(self, tape: Tape, x: Value) -> Value:
        """The map of an input of two axes and its channels."""
        missing = 2 - self.axes
        kernel, strides = (1,) * missing + self.kernel_size, (1,) * missing + self.strides
        dilation, extra = (1,) * missing + self.dilation_rate, (None,) * missing + self.output_padding
        size: list[int] = []
        cuts: list[int] = []
        for n, k, s, d, e in zip(x.shape, kernel, strides, dilation, extra, strict=False):
            window = (k - 1) * d + 1
            length = transposed_length(n, window, s, self.padding, e)
            size.append(length)
            cuts.append(max((n - 1) * s + window - length, 0) // 2 if self.padding == "same" else 0)
        weights, bias = np.swapaxes(self.window_weights("kernel"), -1, -2), self.bias(self.filters)
        turned = Turned(weights, bias, low=self.activation.low, high=self.activation.high)
        return woven(tape, x, turned, Spread(tuple(size), strides, dilation, tuple(cuts)))
