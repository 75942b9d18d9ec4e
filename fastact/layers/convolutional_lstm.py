"""Recurrent layers whose products are convolutions."""

from __future__ import annotations

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.activation import activation
from fastact.layers.base import Shape, Tape, Value, known, rank, refuse, register
from fastact.layers.cells import Run, add, gates_first, lstm_step, same_width
from fastact.layers.config import Config
from fastact.layers.recurrent import Unrolled
from fastact.layers.spatial import channels_first, same_padding, vanished, window_length, window_sides
from fastact.layers.wrappers import TimeTape

refuse("fastact knows convolutional recurrent layers over pictures, ConvLSTM2D, only", "ConvLSTM1D", "ConvLSTM3D")


@register("ConvLSTM2D")
class ConvLSTM2D(Unrolled):
    """An LSTM over (T, H, W, C) whose gates see windows of the picture and of the last output.

    As :class:`LSTMCell`, with x * W for x W, the convolution Conv2D computes, and h * U with padding "same" and
    strides of 1 for h U (Shi et al. 2015, without peepholes).
    """

    is_convolution = True
    states = 2

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.filters, self.kernel_size = config.integer("filters"), config.lengths("kernel_size", 2)
        self.strides, self.dilation_rate = config.lengths("strides", 2, 1), config.lengths("dilation_rate", 2, 1)
        self.padding = config.choice("padding", "valid", ("valid", "same"))
        self.use_bias = config.flag("use_bias", True)
        self.activation = same_width(activation(config), self.filters)
        self.recurrent = same_width(activation(config, "recurrent_activation"), self.filters)
        if channels_first(config):
            raise UnsupportedError("its data_format is channels_first: save the model with channels_last layers")

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        (channels,) = known(self._checked(inputs[0])[-1:])
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (*self.kernel_size, channels, 4 * self.filters),
            "recurrent_kernel": (*self.kernel_size, self.filters, 4 * self.filters),
        }
        return {**shapes, "bias": (4 * self.filters,)} if self.use_bias else shapes

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        steps, *picture = self._checked(inputs[0])
        lengths = (
            window_length(n, k, s, d, self.padding)
            for n, k, s, d in zip(picture, self.kernel_size, self.strides, self.dilation_rate, strict=False)
        )
        shape = vanished((*lengths, self.filters), self.kernel_size, inputs[0])
        return (steps, *shape) if self.return_sequences else shape

    def state_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.output_shape(*inputs)[-3:]

    @staticmethod
    def _checked(shape: Shape) -> Shape:
        rank(shape, 4, "time steps, rows, columns and channels")
        return shape

    def unroll(self, tape: Tape, x: Value) -> Run:  # noqa: D102
        given, again = self._given(tape, x), self._again()
        outputs: list[Value] = []
        memory: Value | None = None
        for t in self.order(x):
            z = tape.emit(ops.Slice(0, t, 1), given)
            z = tape.emit(ops.Reshape(z.shape[1:]), z)
            if outputs:
                z = add(tape, z, tape.emit(again, outputs[-1]))
            output, memory = lstm_step(tape, z, memory, self.recurrent, self.activation)
            outputs.append(output)
        assert memory is not None, "there is a step at least"
        *rows, memory = (tape.emit(ops.Reshape((1, *y.shape)), y) for y in (*outputs, memory))
        return Run(rows, (rows[-1], memory))

    def _given(self, tape: Tape, x: Value) -> Value:
        """The input's share of all steps: (T, H, W, 4 filters)."""
        sides = window_sides(x.shape[1:], self.kernel_size, self.strides, self.dilation_rate, self.padding)
        bias = self.weights["bias"] if self.use_bias else np.zeros(4 * self.filters, np.float32)
        kernel, (down, across), (dy, dx) = gates_first(self.weights["kernel"]), self.strides, self.dilation_rate
        op = ops.Conv2D(kernel, gates_first(bias), (down, across), (*sides[0], *sides[1]), (dy, dx))
        each = TimeTape(tape, x.shape[0]).emit(op, Value(x.number, x.shape[1:]))
        return Value(each.number, (x.shape[0], *each.shape))

    def _again(self) -> ops.Conv2D:
        """The last output's share of a step."""
        rows, columns = (same_padding(k, k, 1) for k in self.kernel_size)  # the same for any length
        bias = np.zeros(4 * self.filters, np.float32)
        return ops.Conv2D(gates_first(self.weights["recurrent_kernel"]), bias, pads=(*rows, *columns))
