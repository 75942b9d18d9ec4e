"""Recurrent layers, unrolled over their time steps when a plan is made.

A frame begins with a state of zeros, also where the layer is `stateful`: what a layer remembers from earlier frames is
in no file, and a run of frames gives the same maps whenever it is fed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Arguments, Layer, Shape, Tape, Value, known, rank, refuse, register
from fastact.layers.cells import Cell, GRUCell, LSTMCell, Run, SimpleRNNCell, StackedCells
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
refuse(
    "it is a loop of a TensorFlow Lite file, and not the steps of an LSTM, GRU or SimpleRNN as fastact knows them: "
    "give the Keras file that the model was converted from",
    "WHILE",
)


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

    def steps(self, *inputs: Shape) -> int:  # noqa: D102
        return super().steps(*inputs) * self.cell.depth

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
    """A recurrence of an LSTMCell, a GRUCell or a SimpleRNNCell, or of several, one on top of the other."""

    CELLS: ClassVar[Mapping[str, type[Cell]]] = {
        "LSTMCell": LSTMCell,
        "GRUCell": GRUCell,
        "SimpleRNNCell": SimpleRNNCell,
    }

    def __init__(self, config: Config) -> None:
        cell = config.inner("cell")
        if cell.class_name != "StackedRNNCells":
            super().__init__(config, self._cell(cell))
            return
        listed = cell.entries.get("cells")
        if not isinstance(listed, list) or not listed:
            raise config.fail("cell", "one that lists its cells")
        each = (Config(config.class_name, config.name, {"cell": item}, config.keras_version) for item in listed)
        super().__init__(config, StackedCells([self._cell(one.inner("cell")) for one in each]))
        if self.return_state:
            raise UnsupportedError("it returns the states of several cells, which fastact does not follow")

    def _cell(self, config: Config) -> Cell:
        if config.class_name not in self.CELLS:
            raise UnsupportedError(f"fastact does not know recurrent cells of class {config.class_name[:60]!r}")
        return self.CELLS[config.class_name](config)
