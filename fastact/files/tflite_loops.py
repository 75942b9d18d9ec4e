"""Loops and fused operators that are recurrent layers: an LSTM, a GRU or a SimpleRNN.

A converter writes such a layer in one of two ways, and `fold` puts an operator of the same kind, to which it adds the
`Recurrence`, in the place of either:

- WHILE, whose body computes one step, with what brings the steps before the batch and back. The steps' outputs are
  kept in a list of TensorFlow's own (``FlexTensorListReserve``, …) or, where the batch is one frame, in a tensor.
- UNIDIRECTIONAL_SEQUENCE_LSTM, of an LSTM whose batch has a length.

The body has to compute what `tflite_cells` describes and nothing else; it begins with zeros, at the first step, and
ends after the last. Any other loop is left as it is, which the rest of fastact reports.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ..kernels.records import dataclass
from .tflite_cells import Body, Cell, Found, cell
from .tflite_frames import taken
from .tflite_graph import FLOATS, Graph, Operator
from .tflite_schema import ACTIVATIONS

__all__ = ["Recurrence", "fold"]

_LARGEST_ZEROS = 2**16
_FEEDING = ("CUSTOM FlexTensorListReserve", "DEQUANTIZE", "FILL", "RESHAPE", "REVERSE_V2", "TRANSPOSE")
"""What there is only for a loop's sake."""


@dataclass(frozen=True)
class Recurrence:
    """A recurrent layer in the network."""

    cell: Cell
    sequence: int
    """The tensor that it takes."""
    output: int
    """The one that it gives."""
    steps: int | None
    """How many it takes, where the file says."""
    takes_steps_first: bool
    """Whether its sequence has the steps before the batch."""
    gives_steps_first: bool
    return_sequences: bool
    go_backwards: bool = False
    memory_limit: float = 0.0
    """Where the memory of an LSTM is clipped, or 0."""


def fold(graph: Graph, operators: Sequence[Operator]) -> list[Operator]:
    """The operators with every such layer folded."""
    main = _Main(graph, operators)
    replaced: dict[int, Operator] = {}
    gone: set[int] = set()
    for operator in operators:
        if operator.kind not in _KINDS:
            continue
        found = _KINDS[operator.kind](main, operator)
        if found is None:
            continue
        layer = found.cell
        inputs = (found.sequence, *layer.kernels, *layer.recurrent_kernels, *layer.biases)
        replaced[found.output] = Operator(operator.kind, inputs, (found.output,), {}, {"layer": found})
        gone.update(operator.outputs)
        gone.update(one.outputs[0] for one in main.between(operator, found.output))
    if not replaced:
        return list(operators)
    folded = [next((replaced[n] for n in one.outputs if n in replaced), one) for one in operators]
    gone -= replaced.keys()
    return _without_feeders(graph, [one for one in folded if not gone.intersection(one.outputs[:1])])


def _without_feeders(graph: Graph, operators: Sequence[Operator]) -> list[Operator]:
    """The operators without those that only fed what is folded."""
    needed = set(graph.outputs)
    kept = []
    for operator in reversed(operators):
        if operator.kind in _FEEDING and not needed.intersection(operator.outputs):
            continue
        needed.update(operator.inputs)
        kept.append(operator)
    return kept[::-1]


class _Main:
    """The network around a loop."""

    def __init__(self, graph: Graph, operators: Sequence[Operator]) -> None:
        self.graph = graph
        self.makers = {number: operator for operator in operators for number in operator.outputs}
        self._takers: dict[int, list[Operator]] = {}
        for operator in operators:
            for number in set(operator.inputs):
                self._takers.setdefault(number, []).append(operator)

    def takers(self, number: int) -> list[Operator]:
        """What takes a tensor's values: neither its shape alone, nor for nothing."""
        takers = self._takers.get(number, ())
        return [one for one in takers if one.kind != "SHAPE" and (one.kind != "TRANSPOSE" or self._is_needed(one))]

    def _is_needed(self, transpose: Operator) -> bool:
        number = transpose.outputs[0]
        return number in self.graph.outputs or any(o.kind != "SHAPE" for o in self._takers.get(number, ()))

    def is_used(self, number: int) -> bool:
        """Whether anything needs a tensor's values."""
        return number in self.graph.outputs or bool(self.takers(number))

    def only_taker(self, number: int, kinds: Iterable[str]) -> Operator | None:
        """The one operator that needs a tensor's values, if it is of one of these kinds."""
        takers = self.takers(number)
        if number in self.graph.outputs or len(takers) != 1:
            return None
        return takers[0] if takers[0].kind in kinds and len(takers[0].outputs) == 1 else None

    def between(self, loop: Operator, output: int) -> list[Operator]:
        """The operators that lead from a loop to what its layer gives, that one left out."""
        found, maker = [], self.makers[output]
        while maker.inputs and maker is not loop:
            maker = self.makers[maker.inputs[0]]
            found.append(maker)
        return found

    def shape(self, number: int) -> tuple[int | None, ...]:
        """A tensor's shape, the batch among its axes."""
        return self.graph.tensors[number].shape

    def is_zeros(self, number: int) -> bool:
        """Whether a tensor of floats is nothing but zeros when it is taken."""
        maker = self.makers.get(number)
        if maker is not None and maker.kind == "DEQUANTIZE":  # of a float16 model
            number, maker = maker.inputs[0], None
        if maker is not None and (maker.kind != "FILL" or len(maker.inputs) != 2):
            return False
        tensor = self.graph.tensors[number if maker is None else maker.inputs[1]]
        if tensor.kind not in FLOATS or tensor.size > _LARGEST_ZEROS:
            return False
        if tensor.is_variable:  # zeros at first; converters let layers share one, to which each then writes
            return len(self._takers.get(number, ())) == 1
        return tensor.data is not None and not np.any(self.graph.floats(tensor))

    def is_length_of(self, number: int, sequence: int) -> bool:
        """Whether a number is computed as the length of a tensor's first axis."""
        cut = self.makers.get(number)
        if cut is None or cut.kind != "STRIDED_SLICE" or taken(self.graph, cut) != 0:
            return False
        asked, turned = self.makers.get(cut.inputs[0]), self.makers.get(sequence)
        same = {sequence, turned.inputs[0]} if turned and turned.kind == "REVERSE_V2" else {sequence}
        return asked is not None and asked.kind == "SHAPE" and same.issuperset(asked.inputs)


def _of_loop(main: _Main, loop: Operator) -> Recurrence | None:
    graph = main.graph
    condition, step = (graph.loops[int(loop.options[f"{what}_subgraph_index"])] for what in ("cond", "body"))
    ends = (loop.outputs, condition.inputs, step.inputs, step.outputs)
    if any(len(numbers) != len(loop.inputs) for numbers in ends) or len(condition.outputs) != 1:
        return None
    if min(loop.inputs, default=-1) < 0:
        return None
    same = [i for i, number in enumerate(step.inputs) if step.outputs[i] == number]
    body = Body(graph, step, {step.inputs[i]: loop.inputs[i] for i in same})
    test = Body(graph, condition, {condition.inputs[i]: loop.inputs[i] for i in same})
    starts = [i for i, number in enumerate(loop.inputs) if graph.ints(number) == (0,)]
    counters = [i for i in starts if body.counts(step.inputs[i], step.outputs[i])]
    rest = [i for i in range(len(step.inputs)) if i not in same and i not in counters]
    states = [i for i in rest if len(main.shape(step.inputs[i])) == 2 and main.is_zeros(loop.inputs[i])]
    results = [i for i in rest if i not in states]
    if len(results) != 1 or any(main.is_used(loop.outputs[i]) for i in range(len(loop.outputs)) if i not in results):
        return None
    found, (result,) = cell(body, [(step.inputs[i], step.outputs[i]) for i in states]), results
    times = {step.inputs[i] for i in counters}
    sequence = None if found is None else _sequence(body, found, times)
    if found is None or sequence is None:
        return None
    limits = test.limits(condition.outputs[0], {condition.inputs[i] for i in counters})
    kept = body.keeps(step.inputs[result], step.outputs[result], found.output, times)
    if len(limits) != 1 or kept is None:
        return None
    (limit,) = limits
    counted = graph.ints(limit)
    if counted is None and not main.is_length_of(limit, sequence):
        return None
    layer = Recurrence(found.cell, sequence, loop.outputs[result], counted[0] if counted else None, True, True, True)
    return _after(main, _before(main, layer), only_last=kept == "last")


def _sequence(body: Body, found: Found, times: set[int]) -> int | None:
    """The tensor of which the body takes one step after the other."""
    maker = body.maker(found.step)
    if maker is None or maker.kind != "GATHER" or len(maker.inputs) != 2 or maker.inputs[1] not in times:
        return None
    sequence = body.outside(maker.inputs[0])
    whole = not maker.options["axis"] and not maker.options["batch_dims"]
    return sequence if whole and sequence != maker.inputs[0] else None


def _before(main: _Main, layer: Recurrence) -> Recurrence:
    """The layer, taking what was turned round for it, and whose steps were brought before a batch of one."""
    maker = main.makers.get(layer.sequence)
    if maker is not None and maker.kind == "REVERSE_V2" and main.graph.ints(maker.inputs[1]) == (0,):
        layer = replace(layer, sequence=maker.inputs[0], go_backwards=True)
        maker = main.makers.get(layer.sequence)
    if maker is not None and maker.kind == "RESHAPE":
        before, after = main.shape(maker.inputs[0]), main.shape(layer.sequence)
        if len(before) == 3 and before[0] == 1 and after == (before[1], 1, before[2]):
            layer = replace(layer, sequence=maker.inputs[0], takes_steps_first=False)
    return layer


def _after(main: _Main, layer: Recurrence, *, only_last: bool) -> Recurrence | None:
    """The layer, giving what was made of its steps: the last, or all behind a batch of one."""
    stack = main.only_taker(layer.output, ("CUSTOM FlexTensorListStack",))
    if stack is not None:
        layer = replace(layer, output=stack.outputs[0])
    cut = main.only_taker(layer.output, ("STRIDED_SLICE",))
    if cut is not None and taken(main.graph, cut) in ((-1, 0) if only_last else (-1,)):
        return replace(layer, output=cut.outputs[0], return_sequences=False, gives_steps_first=False)
    if only_last:
        return None
    again = main.only_taker(layer.output, ("RESHAPE",))
    if again is not None:
        before, after = main.shape(layer.output), main.shape(again.outputs[0])
        if len(before) == 3 and before[1] == 1 and after == (1, before[0], before[2]):
            return replace(layer, output=again.outputs[0], gives_steps_first=False)
    return layer


_KERNELS, _RECURRENT, _PEEPHOLES, _BIASES, _PROJECTION, _STATES, _NORMALIZED = (
    slice(1, 5), slice(5, 9), slice(9, 12), slice(12, 16), slice(16, 18), slice(18, 20), slice(20, 24),
)  # fmt: skip
"""Inputs of UNIDIRECTIONAL_SEQUENCE_LSTM; its gates have Keras's order."""


def _of_fused(main: _Main, fused: Operator) -> Recurrence | None:
    inputs, options = (*fused.inputs, *itertools.repeat(-1, 24 - len(fused.inputs))), fused.options
    odd = (*inputs[_PEEPHOLES], *inputs[_PROJECTION], *inputs[_NORMALIZED])
    if len(inputs) != 24 or len(fused.outputs) != 1 or set(odd) != {-1} or min(inputs[:9]) < 0:
        return None
    if options["proj_clip"] or options["time_major"] or options["diagonal_recurrent_tensors"]:
        return None
    if ACTIVATIONS[int(options["fused_activation_function"]) % len(ACTIVATIONS)] != "TANH":
        return None
    states, biases = inputs[_STATES], inputs[_BIASES]
    if min(states) < 0 or not all(map(main.is_zeros, states)) or min(biases) < 0 <= max(biases):
        return None
    found = Cell("LSTM", "tanh", "sigmoid", inputs[_KERNELS], inputs[_RECURRENT], tuple(n for n in biases if n >= 0))
    layer = Recurrence(found, inputs[0], fused.outputs[0], None, False, False, True, memory_limit=options["cell_clip"])
    cut = main.only_taker(layer.output, ("STRIDED_SLICE",))
    if cut is not None and taken(main.graph, cut, axis=1) == -1:
        layer = replace(layer, output=cut.outputs[0], return_sequences=False)
    return layer


_KINDS: Mapping[str, Callable[[_Main, Operator], Recurrence | None]] = MappingProxyType(
    {"WHILE": _of_loop, "UNIDIRECTIONAL_SEQUENCE_LSTM": _of_fused}
)
