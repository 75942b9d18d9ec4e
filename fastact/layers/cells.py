"""The steps of recurrent layers: cells, unrolled over time, each step a handful of operations on vectors.

The input's share of all steps is one dense layer over (T, features).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers.activation import Activation, activation, apply
from fastact.layers.base import Tape, Value, Weights
from fastact.layers.config import Config


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
    depth = 1
    """How many cells lie one on top of the other."""

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


class StackedCells(Cell):
    """Cells one on top of the other; the weights of cell number 1 are "1/kernel" and so on."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells, self.units, self.depth = cells, cells[-1].units, len(cells)

    @property
    def bias_shape(self) -> tuple[int, ...]:  # noqa: D102
        return self.cells[-1].bias_shape

    def weight_shapes(self, width: int) -> dict[str, tuple[int, ...]]:  # noqa: D102
        shapes: dict[str, tuple[int, ...]] = {}
        for i, cell in enumerate(self.cells):
            shapes |= {f"{i}/{name}": shape for name, shape in cell.weight_shapes(width).items()}
            width = cell.units
        return shapes

    def unroll(self, tape: Tape, weights: Weights, x: Value, order: Sequence[int]) -> Run:  # noqa: D102
        run = Run((), ())
        for i, cell in enumerate(self.cells):
            own = {n.removeprefix(f"{i}/"): w for n, w in weights.items() if n.startswith(f"{i}/")}
            run = cell.unroll(tape, own, x, order)
            if cell is not self.cells[-1]:  # the next takes the steps in the order in which this one gives them
                x = tape.emit(ops.Concat(0), *run.outputs) if len(run.outputs) > 1 else run.outputs[0]
                order = range(len(run.outputs))
        return run


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
