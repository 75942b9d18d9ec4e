"""Layers around other layers: once for each time step, or forwards and backwards in time."""

from __future__ import annotations

import dataclasses

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.activation import apply
from fastact.layers.base import Arguments, Layer, Shape, Tape, Value, Weights, create, known, register, show
from fastact.layers.cells import add, multiply
from fastact.layers.config import Config
from fastact.layers.recurrent import Recurrent, gathered


class Wrapper(Layer):
    """A layer that computes with others, whose weights are its own under their names with a prefix."""

    def __init__(self, config: Config, inner: dict[str, Layer]) -> None:
        self._inner = inner
        super().__init__(config)

    @property
    def weights(self) -> Weights:
        """The weights of all inner layers, by prefix and name."""
        return {prefix + name: w for prefix, layer in self._inner.items() for name, w in layer.weights.items()}

    @weights.setter
    def weights(self, given: Weights) -> None:
        for prefix, layer in self._inner.items():
            layer.weights = {n.removeprefix(prefix): w for n, w in given.items() if n.startswith(prefix)}


@register("TimeDistributed")
class TimeDistributed(Wrapper):
    """A layer applied to each of the steps along the first axis of its input, with the same weights.

    A model inside is laid open before this, each of its layers being distributed on its own; so an Add or a
    Concatenate comes here with several inputs, which have their steps in common.
    """

    def __init__(self, config: Config, layer: Layer | None = None) -> None:
        inner = config.inner("layer")
        self.layer = layer or create(inner.class_name, inner)
        super().__init__(config, {"": self.layer})
        self.is_convolution = self.layer.is_convolution

    def parts(self, arguments: Arguments, *inputs: Shape) -> tuple[Layer, ...]:  # noqa: D102
        parts = self.layer.parts(arguments, *(i[1:] for i in inputs))
        return tuple(self if part is self.layer else TimeDistributed(self.config, part) for part in parts)

    def steps(self, *inputs: Shape) -> int:  # noqa: D102
        return (inputs[0][0] or 1) * self.layer.steps(*(i[1:] for i in inputs))

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return self.layer.weight_shapes(*(i[1:] for i in inputs))

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        first = inputs[0]
        if len(first) < 2:
            raise UnsupportedError(f"it needs time steps and what they hold, and gets an input of shape {show(first)}")
        if any(i[0] != first[0] for i in inputs):
            raise UnsupportedError(f"its inputs have different numbers of time steps, {first[0]} and others")
        return (first[0], *self.layer.output_shape(*(i[1:] for i in inputs)))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        (steps,) = known(inputs[0].shape[:1])
        each = TimeTape(tape, steps)
        result = self.layer.lower(each, *(Value(i.number, i.shape[1:]) for i in inputs))
        return Value(result.number, (steps, *result.shape))


class TimeTape(Tape):
    """Takes operations meant for one step, and puts them on another tape for all `steps` of them.

    What can be done over an axis more is done at once; anything else runs step by step, on a copy of the step, and its
    outputs are joined.
    """

    def __init__(self, tape: Tape, steps: int) -> None:
        self._tape, self._steps = tape, steps

    def emit(self, op: ops.Op, *inputs: Value) -> Value:  # noqa: D102
        whole = [Value(i.number, (self._steps, *i.shape)) for i in inputs]
        chain = over_time(op, self._steps, whole)
        result = apply(self._tape, chain[1:], self._tape.emit(chain[0], *whole)) if chain else self._each(op, whole)
        return Value(result.number, result.shape[1:])

    def _each(self, op: ops.Op, whole: list[Value]) -> Value:
        outputs = []
        for t in range(self._steps):
            cut = (self._tape.emit(ops.Slice(0, t, 1), value) if self._steps > 1 else value for value in whole)
            step = self._tape.emit(op, *(self._tape.emit(ops.Reshape(x.shape[1:]), x) for x in cut))
            outputs.append(self._tape.emit(ops.Reshape((1, *step.shape)), step))
        return self._tape.emit(ops.Concat(0), *outputs) if self._steps > 1 else outputs[0]


_ALONG_AXIS = (ops.Affine, ops.RowWise, ops.GatedLinear, ops.Concat, ops.Slice)
_MOST_STRETCHED, _MOST_TRANSPOSED, _MOST_POOLED = 4, 5, 3
"""Axes over which a merge may stretch one of its inputs, that can change places, and that a pool's windows have."""


def over_time(op: ops.Op, steps: int, whole: list[Value]) -> tuple[ops.Op, ...]:
    """The operations that do for all steps in `whole` what `op` does for one; none where there are no such."""
    match op:
        case ops.Dense() | ops.Elementwise():
            return (op,)
        case ops.Reshape():
            return (ops.Reshape((steps, *op.target)),)
        case ops.Binary():
            same, rank = len({v.shape for v in whole}) == 1, max(len(v.shape) for v in whole)
            return (op,) if same or rank <= _MOST_STRETCHED else ()
        case ops.BinaryConstant():
            rank = len(whole[0].shape)
            return (op,) if op.constant.ndim < rank <= _MOST_STRETCHED else ()
        case ops.Reduce() | ops.Standardize():
            return (dataclasses.replace(op, axes=tuple(a if a < 0 else a + 1 for a in op.axes)),)
        case ops.Pad() | ops.Crop():
            return (dataclasses.replace(op, sides=((0, 0), *op.sides)),)
        case ops.Pool() if len(op.size) < _MOST_POOLED:
            return (ops.Pool(op.kind, (1, *op.size), (1, *op.strides), ((0, 0), *op.sides)),)
        case ops.Conv2D():  # one whose windows are one plane deep
            frame = (ops.Pad(((0, 0), op.pads[:2], op.pads[2:])),) if op.pads != ops.NO_PADS else ()
            strides, dilation = (1, *op.strides), (1, *op.dilation)
            return (*frame, ops.Conv3D(op.weights[None], op.bias, strides, dilation, op.groups, op.low, op.high))
        case ops.Transpose() if len(op.axes) < _MOST_TRANSPOSED:
            return (ops.Transpose((0, *(a + 1 for a in op.axes))),)
    if isinstance(op, _ALONG_AXIS):
        return (op if op.axis < 0 else dataclasses.replace(op, axis=op.axis + 1),)
    return ()


@register("Bidirectional")
class Bidirectional(Wrapper):
    """A recurrent layer run forwards and one run backwards in time, their outputs merged step by step.

    The weights are named "forward/kernel", ..., "backward/kernel", .... Where sequences are returned, the backward
    layer's are put back in the order of time first; else its output is that of its last step, the first in time.
    """

    def __init__(self, config: Config) -> None:
        self.forward = _recurrent(config.inner("layer"))
        described = "layer" if config.entries.get("backward_layer") is None else "backward_layer"
        self.backward = _recurrent(config.inner(described))
        if described == "layer":
            self.backward.go_backwards = not self.forward.go_backwards
        super().__init__(config, {"forward/": self.forward, "backward/": self.backward})
        if config.entries.get("merge_mode", "concat") is None:
            raise UnsupportedError("its merge_mode is null, which gives two outputs; fastact follows layers with one")
        self.merge_mode = config.choice("merge_mode", "concat", ("concat", "sum", "mul", "ave"))
        if self.forward.return_sequences != self.backward.return_sequences:
            raise config.fail("backward_layer", "one that returns sequences as the forward layer does")

    def steps(self, *inputs: Shape) -> int:  # noqa: D102
        return self.forward.steps(*inputs) + self.backward.steps(*inputs)

    def parts(self, arguments: Arguments, *inputs: Shape) -> tuple[Layer, ...]:  # noqa: D102
        self.forward.check_call(len(inputs), arguments)
        states = (*self.forward.final_states(), *self.backward.final_states())
        return (self, *states) if self.forward.return_state else (self,)

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return {
            prefix + name: shape
            for prefix, layer in self._inner.items()
            for name, shape in layer.weight_shapes(*inputs).items()
        }

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (*steps, units), (*_, others) = self.forward.output_shape(*inputs), self.backward.output_shape(*inputs)
        assert units is not None
        assert others is not None
        if self.merge_mode == "concat":
            return (*steps, units + others)
        if units != others:
            raise UnsupportedError(f"its layers have {units} and {others} units, which do not go together")
        return (*steps, units)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        ahead, back = (layer.unroll(tape, inputs[0]).outputs for layer in (self.forward, self.backward))
        if self.forward.return_sequences:
            back = back[::-1]
        a, b = (gathered(tape, outputs, self.forward.return_sequences) for outputs in (ahead, back))
        if self.merge_mode == "concat":
            return tape.emit(ops.Concat(-1), a, b)
        merged = multiply(tape, a, b) if self.merge_mode == "mul" else add(tape, a, b)
        if self.merge_mode != "ave":
            return merged
        zeros, half = np.zeros(a.shape[-1], np.float32), np.full(a.shape[-1], 0.5, np.float32)
        return tape.emit(ops.Affine(zeros, half, zeros), merged)


def _recurrent(config: Config) -> Recurrent:
    """The layer of a configuration; raises UnsupportedError for one that is not recurrent."""
    layer = create(config.class_name, config)
    if not isinstance(layer, Recurrent):
        raise UnsupportedError(
            f"it is around a layer of class {config.class_name[:60]!r}: LSTM, GRU and SimpleRNN are known"
        )
    return layer
