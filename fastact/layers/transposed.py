"""Convolutions turned around: every cell of the input gives a window of the map."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Shape, Tape, Value, register, show
from fastact.layers.config import Config
from fastact.layers.convolution import Convolution

MOST_PHASES = 4096
"""Convolutions that one layer is computed as, at most."""


@dataclass(frozen=True)
class Phase:
    """Every stride-th cell of a map along one axis: what a convolution with stride 1 over the input gives.

    Attributes:
        origin: the first of the cells.
        taps: the places in the window that reach them, in the order of the input cells they meet.
        dilation: how far apart those cells lie.
        before: cells of padding before the input, or, if negative, cells that no window sees.
        after: the same behind it.
    """

    origin: int
    taps: tuple[int, ...]
    dilation: int
    before: int
    after: int


def phases(length: int, kernel: int, stride: int, dilation: int, cut: int, output: int) -> Iterator[Phase]:
    """The phases of one axis.

    Input cell i and place k of the window meet at cell i * stride + k * dilation - cut of the map, which has `output`
    cells. The places that reach the cells of one phase are those with the same k * dilation modulo stride. Cells that
    see no cell of the input belong to no phase.
    """
    common = math.gcd(stride, dilation)
    apart, gap = stride // common, dilation // common
    for first in range(min(apart, kernel)):
        taps = tuple(range(first, kernel, apart))
        shift, remainder = divmod(first * dilation, stride)
        reach = (len(taps) - 1) * gap
        # Cell number t of the phase lies at t * stride + remainder - cut and sees t - shift - reach to t - shift.
        low = max(-((remainder - cut) // stride), shift)
        high = min((output - 1 + cut - remainder) // stride, length - 1 + shift + reach)
        if low <= high:
            before, after = shift + reach - low, high - shift - (length - 1)
            yield Phase(remainder + low * stride - cut, taps[::-1], gap, before, after)


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
        counts = (
            min(s // math.gcd(s, d), k)
            for s, d, k in zip(self.strides, self.dilation_rate, self.kernel_size, strict=True)
        )
        if math.prod(counts) > MOST_PHASES:
            raise UnsupportedError(f"its strides of {show(self.strides)} are larger than fastact computes")

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
        """The map: a convolution for each phase, and their results put in between each other."""
        missing = 2 - self.axes
        kernel, strides = (1,) * missing + self.kernel_size, (1,) * missing + self.strides
        dilation, extra = (1,) * missing + self.dilation_rate, (None,) * missing + self.output_padding
        size: list[int] = []
        along: list[list[Phase]] = []
        for n, k, s, d, e in zip(x.shape, kernel, strides, dilation, extra, strict=False):
            window = (k - 1) * d + 1
            length = transposed_length(n, window, s, self.padding, e)
            cut = max((n - 1) * s + window - length, 0) // 2 if self.padding == "same" else 0
            size.append(length)
            along.append(list(phases(n, k, s, d, cut, length)))
        pairs = list(itertools.product(*along))
        parts = [self._phase(tape, x, rows, columns) for rows, columns in pairs]
        if len(parts) == 1 and parts[0].shape[:2] == tuple(size):
            return parts[0]
        fill = np.clip(self.bias(self.filters), self.activation.low, self.activation.high)
        origins = tuple((rows.origin, columns.origin) for rows, columns in pairs)
        weave = ops.Interleave((size[0], size[1]), (strides[0], strides[1]), origins, np.asarray(fill, np.float32))
        return tape.emit(weave, *parts)

    def _phase(self, tape: Tape, x: Value, rows: Phase, columns: Phase) -> Value:
        taps = self.window_weights("kernel")[np.ix_(rows.taps, columns.taps)]
        sides = ((rows.before, rows.after), (columns.before, columns.after))
        if min(min(side) for side in sides) < 0:
            x = tape.emit(ops.Crop(tuple((max(-a, 0), max(-b, 0)) for a, b in sides)), x)
        (top, bottom), (left, right) = ((max(a, 0), max(b, 0)) for a, b in sides)
        weights = np.ascontiguousarray(np.swapaxes(taps, 2, 3))
        dilation, clip = (rows.dilation, columns.dilation), (self.activation.low, self.activation.high)
        op = ops.Conv2D(weights, self.bias(self.filters), (1, 1), (top, bottom, left, right), dilation, 1, *clip)
        return tape.emit(op, x)
