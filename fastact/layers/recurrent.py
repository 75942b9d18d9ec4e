"""Recurrent layers, unrolled over their time steps when a plan is made.

The input's share of all steps is one dense layer over (T, features); after it each step is a handful of operations on
vectors. A frame begins with a state of zeros, also where the layer is `stateful`: what a layer remembers from earlier
frames is in no file, and a run of frames gives the same maps whenever it is fed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.activation import Activation, activation, apply
from fastact.layers.base import (
    Arguments,
    Layer,
    Shape,
    Tape,
    Value,
    Weights,
    known,
    rank,
    refuse,
    register,
)
from fastact.layers.config import Config

refuse(
    "it is written for NVIDIA's cuDNN and keeps its weights in that library's order; rebuild the model with the layer "
    "LSTM or GRU, which takes such weights over, and save it again",
    "CuDNNLSTM",
    "CuDNNGRU",
)
refuse(
    "it makes the layers after it leave out time steps, which fastact does not follow; save the model without it",
    "Masking",
)


@dataclass(frozen=True)
class Run:
    """What came of all steps: the output of each, (1, ...), in the order in which they were taken, and the last states.

    The first state is the last output, (1, ...), too.
    """

    outputs: Sequence[Value]
    states: tuple[Value, ...]


class Cell(ABC):
    """One step of a recurrence, as Keras's cells compute it."""

    states: ClassVar[int] = 1
    """How many vectors of `units` values go from one step to the next."""

    def __init__(self, config: Config) -> None:
        self.units, self.use_bias = config.integer("units"), config.flag("use_bias", True)
        self.activation = same_width(activation(config), self.units)
        self.recurrent = same_width(activation(config, "recurrent_activation"), self.units)

    @property
    @abstractmethod
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the weight `bias`, whose last length is that of all gates side by side."""

    def weight_shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        """The weights for inputs of `width` values, in Keras's order."""
        columns = self.bias_shape[-1]
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (width, columns),
            "recurrent_kernel": (self.units, columns),
        }
        return {**shapes, "bias": self.bias_shape} if self.use_bias else shapes

    def bias(self, weights: Weights) -> ops.Floats:
        """The bias, zeros where there is none."""
        return weights["bias"] if self.use_bias else np.zeros(self.bias_shape, np.float32)

    @abstractmethod
    def unroll(self, tape: Tape, weights: Weights, x: Value, order: Sequence[int]) -> Run:
        """The outputs of the steps of `x`, (T, features), taken in `order`."""


def same_width(function: Activation, units: int) -> tuple[ops.Op, ...]:
    """The function's operations; raises UnsupportedError for one that gives other than `units` values."""
    if function.output_shape((2 * units,)) != (2 * units,):
        raise UnsupportedError("its activation changes the number of values, which a recurrence cannot take")
    return function.chain


class SimpleRNNCell(Cell):
    """h' = activation(x W + h U + b)."""

    @property
    def bias_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.units,)

    def unroll(self, tape: Tape, weights: Weights, x: Value, order: Sequence[int]) -> Run:  # noqa: D102
        given = tape.emit(ops.Dense(weights["kernel"], self.bias(weights)), x)
        again = bare_dense(weights["recurrent_kernel"])
        outputs: list[Value] = []
        for t in order:
            z = tape.emit(ops.Slice(0, t, 1), given)
            if outputs:
                z = add(tape, z, tape.emit(again, outputs[-1]))
            outputs.append(apply(tape, self.activation, z))
        return Run(outputs, (outputs[-1],))


class LSTMCell(Cell):
    """i, f, o = recurrent_activation(...), g = activation(...) of x W + h U + b; c' = f c + i g, h' = o activation(c').

    Keras stores the four side by side as i, f, g, o; here o comes before g, so that one operation computes three gates.
    """

    states = 2

    @property
    def bias_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (4 * self.units,)

    def unroll(self, tape: Tape, weights: Weights, x: Value, order: Sequence[int]) -> Run:  # noqa: D102
        kernel, recurrent, bias = (
            gates_first(w) for w in (weights["kernel"], weights["recurrent_kernel"], self.bias(weights))
        )
        given, again = tape.emit(ops.Dense(kernel, bias), x), bare_dense(recurrent)
        outputs: list[Value] = []
        memory: Value | None = None
        for t in order:
            z = tape.emit(ops.Slice(0, t, 1), given)
            if outputs:
                z = add(tape, z, tape.emit(again, outputs[-1]))
            output, memory = lstm_step(tape, z, memory, self.recurrent, self.activation)
            outputs.append(output)
        assert memory is not None, "there is a step at least"
        return Run(outputs, (outputs[-1], memory))


def gates_first(weight: ops.Floats) -> ops.Floats:
    """LSTM weights from Keras's order along the last axis, i, f, g, o, to i, f, o, g."""
    i, f, g, o = np.split(weight, 4, axis=-1)
    return np.ascontiguousarray(np.concatenate([i, f, o, g], axis=-1))


def lstm_step(
    tape: Tape, z: Value, memory: Value | None, recurrent: tuple[ops.Op, ...], function: tuple[ops.Op, ...]
) -> tuple[Value, Value]:
    """Output and memory after one step; `z` has i, f, o, g along its last axis, and a `memory` of None is zeros."""
    units = z.shape[-1] // 4
    i, f, o = gates(tape, z, 3, recurrent)
    fresh = multiply(tape, i, apply(tape, function, part(tape, z, 3 * units, units)))
    memory = fresh if memory is None else add(tape, multiply(tape, f, memory), fresh)
    return multiply(tape, o, apply(tape, function, memory)), memory


class GRUCell(Cell):
    """z, r = recurrent_activation(x W + h U + b); h' = z h + (1 - z) g with the candidate g.

    reset_after (cuDNN's form, the default since TensorFlow 2): g = activation(x Wg + b + r (h Ug + b')), and the bias
    is (2, 3 units), b and b'. Before: g = activation(x Wg + b + (r h) Ug).
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.reset_after = config.flag("reset_after", config.keras3)

    @property
    def bias_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def unroll(self, tape: Tape, weights: Weights, x: Value, order: Sequence[int]) -> Run:  # noqa: D102
        outputs = _UnrolledGRU(self, tape, weights, x).outputs(order)
        return Run(outputs, (outputs[-1],))


class _UnrolledGRU:
    """The steps of one GRU: the weights of its two gates and of its candidate apart."""

    def __init__(self, cell: GRUCell, tape: Tape, weights: Weights, x: Value) -> None:
        self._cell, self._tape, self._units = cell, tape, cell.units
        both = 2 * cell.units
        bias, recurrent = cell.bias(weights), weights["recurrent_kernel"]
        inner = np.zeros(3 * cell.units, np.float32)
        if cell.reset_after:  # the gates' second bias joins the first; the candidate's is scaled by r
            inner[both:] = bias[1, both:]
            bias = bias[0] + np.append(bias[1, :both], np.zeros(cell.units, np.float32))
        self._given = tape.emit(ops.Dense(weights["kernel"], bias), x)
        self._all = ops.Dense(recurrent, inner)
        self._gates, self._candidate = (bare_dense(np.ascontiguousarray(w)) for w in np.split(recurrent, [both], 1))
        self._inner_bias = inner[both:]

    def outputs(self, order: Sequence[int]) -> list[Value]:
        outputs: list[Value] = []
        for t in order:
            given = self._tape.emit(ops.Slice(0, t, 1), self._given)
            step = self._after if self._cell.reset_after else self._before
            outputs.append(step(given, outputs[-1] if outputs else None))
        return outputs

    def _after(self, given: Value, h: Value | None) -> Value:
        tape, units = self._tape, self._units
        own = part(tape, given, 0, 2 * units)
        if h is None:
            z, r = gates(tape, own, 2, self._cell.recurrent)
            zeros = np.zeros(units, np.float32)
            again = tape.emit(ops.Affine(zeros, self._inner_bias, zeros), r)
        else:
            state = tape.emit(self._all, h)
            z, r = gates(tape, add(tape, own, part(tape, state, 0, 2 * units)), 2, self._cell.recurrent)
            again = multiply(tape, r, part(tape, state, 2 * units, units))
        return self._mixed(z, add(tape, again, part(tape, given, 2 * units, units)), h)

    def _before(self, given: Value, h: Value | None) -> Value:
        tape, units = self._tape, self._units
        own, candidate = part(tape, given, 0, 2 * units), part(tape, given, 2 * units, units)
        if h is None:
            (z,) = gates(tape, part(tape, own, 0, units), 1, self._cell.recurrent)
            return self._mixed(z, candidate, None)
        z, r = gates(tape, add(tape, own, tape.emit(self._gates, h)), 2, self._cell.recurrent)
        return self._mixed(z, add(tape, candidate, tape.emit(self._candidate, multiply(tape, r, h))), h)

    def _mixed(self, z: Value, candidate: Value, h: Value | None) -> Value:
        """z h + (1 - z) activation(candidate)."""
        tape, ones, zeros = self._tape, np.ones(self._units, np.float32), np.zeros(self._units, np.float32)
        rest = tape.emit(ops.Affine(zeros, -ones, ones), z)
        fresh = multiply(tape, rest, apply(tape, self._cell.activation, candidate))
        return fresh if h is None else add(tape, multiply(tape, z, h), fresh)


def gates(tape: Tape, z: Value, count: int, function: tuple[ops.Op, ...]) -> list[Value]:
    """The first `count` gates of `z`, which lie side by side along its last axis: `function` of each."""
    units = z.shape[-1] // (4 if count == 3 else count)
    if count == 1:
        return [apply(tape, function, z)]
    if all(isinstance(op, ops.Elementwise) for op in function):
        together = apply(tape, function, part(tape, z, 0, count * units) if z.shape[-1] > count * units else z)
        return [part(tape, together, k * units, units) for k in range(count)]
    return [apply(tape, function, part(tape, z, k * units, units)) for k in range(count)]


def part(tape: Tape, x: Value, start: int, count: int) -> Value:
    """`count` values of the last axis of `x`, from `start` on."""
    return tape.emit(ops.Slice(-1, start, count), x)


def add(tape: Tape, a: Value, b: Value) -> Value:
    """a + b."""
    return tape.emit(ops.Binary(ops.Merge.ADD), a, b)


def multiply(tape: Tape, a: Value, b: Value) -> Value:
    """a * b."""
    return tape.emit(ops.Binary(ops.Merge.MULTIPLY), a, b)


def bare_dense(weights: ops.Floats) -> ops.Dense:
    """A dense layer without bias."""
    return ops.Dense(weights, np.zeros(weights.shape[1], np.float32))


class Unrolled(Layer):
    """A layer whose operations are emitted once for each step along the first axis of its input."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.return_sequences = config.flag("return_sequences", False)
        self.return_state = config.flag("return_state", False)
        self.go_backwards = config.flag("go_backwards", False)
        if config.flag("time_major", False):
            raise UnsupportedError("it is time_major, which puts the steps before the batch; save it with batch first")

    def steps(self, *inputs: Shape) -> int:  # noqa: D102
        return inputs[0][0] or 1

    def check_call(self, count: int, arguments: Arguments) -> None:  # noqa: D102
        if count > 1:
            raise UnsupportedError("it is called with an initial state or a mask, which fastact does not follow")
        super().check_call(count, arguments)

    def parts(self, arguments: Arguments, *inputs: Shape) -> tuple[Layer, ...]:  # noqa: D102
        self.check_call(len(inputs), arguments)
        return (self, *self.final_states()) if self.return_state else (self,)

    def final_states(self) -> tuple[Layer, ...]:
        """The states after the last step, which Keras gives as outputs after the first."""
        return tuple(FinalState(self, k) for k in range(self.states))

    @property
    @abstractmethod
    def states(self) -> int:
        """How many arrays go from one step to the next."""

    @abstractmethod
    def state_shape(self, *inputs: Shape) -> Shape:
        """The shape of each of them."""

    @abstractmethod
    def unroll(self, tape: Tape, x: Value) -> Run:
        """The outputs of all steps."""

    def order(self, x: Value) -> Sequence[int]:
        """The steps of `x` in the order in which the layer takes them."""
        return range(x.shape[0])[::-1] if self.go_backwards else range(x.shape[0])

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return gathered(tape, self.unroll(tape, inputs[0]).outputs, self.return_sequences)


class FinalState(Layer):
    """A state of a recurrent layer after its last step, computed anew."""

    def __init__(self, layer: Unrolled, number: int) -> None:
        super().__init__(layer.config)
        self._layer, self._number = layer, number

    def steps(self, *inputs: Shape) -> int:  # noqa: D102
        return self._layer.steps(*inputs)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self._layer.state_shape(*inputs)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        state = self._layer.unroll(tape, inputs[0]).states[self._number]
        return tape.emit(ops.Reshape(state.shape[1:]), state)


def gathered(tape: Tape, outputs: Sequence[Value], return_sequences: bool) -> Value:
    """What a recurrent layer gives: all its steps one after the other, or its last."""
    if not return_sequences:
        return tape.emit(ops.Reshape(outputs[-1].shape[1:]), outputs[-1])
    return tape.emit(ops.Concat(0), *outputs) if len(outputs) > 1 else outputs[0]


class Recurrent(Unrolled):
    """A recurrence of a cell over (T, features): (T, units), or (units,) where only the last output is returned."""

    def __init__(self, config: Config, cell: Cell) -> None:
        super().__init__(config)
        self.cell = cell

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        rank(inputs[0], 2, "time steps and features")
        (width,) = known(inputs[0][-1:])
        return self.cell.weight_shapes(width)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        rank(inputs[0], 2, "time steps and features")
        return (inputs[0][0], self.cell.units) if self.return_sequences else (self.cell.units,)

    @property
    def states(self) -> int:  # noqa: D102
        return self.cell.states

    def state_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (self.cell.units,)

    def unroll(self, tape: Tape, x: Value) -> Run:  # noqa: D102
        return self.cell.unroll(tape, self.weights, x, self.order(x))


@register("SimpleRNN")
class SimpleRNN(Recurrent):
    """h' = activation(x W + h U + b) for each time step, h being the output of the step before."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, SimpleRNNCell(config))


@register("LSTM")
class LSTM(Recurrent):
    """Long short-term memory, c' = f c + i g and h' = o activation(c'); a frame begins with a state of zeros."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, LSTMCell(config))


@register("GRU")
class GRU(Recurrent):
    """Gated recurrent units, h' = z h + (1 - z) g, with reset_after or without."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, GRUCell(config))


@register("RNN")
class RNN(Recurrent):
    """A recurrence of an LSTMCell, a GRUCell or a SimpleRNNCell."""

    CELLS: ClassVar[Mapping[str, type[Cell]]] = {
        "LSTMCell": LSTMCell,
        "GRUCell": GRUCell,
        "SimpleRNNCell": SimpleRNNCell,
    }

    def __init__(self, config: Config) -> None:
        cell = config.inner("cell")
        if cell.class_name not in self.CELLS:
            raise UnsupportedError(f"fastact does not know recurrent cells of class {cell.class_name[:60]!r}")
        super().__init__(config, self.CELLS[cell.class_name](cell))
