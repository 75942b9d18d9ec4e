"""Operators that the converter writes several of for one layer, put together again.

- SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: a dilated convolution.
- EXPAND_DIMS, TILE, RESHAPE: rows or columns repeated, Keras 3's UpSampling2D by nearest neighbours and UpSampling1D;
  of the single one that a RESHAPE makes before, RepeatVector, of which tf-keras leaves what makes the row, and TILE.
- SPLIT, CONCATENATION: every row repeated, tf-keras's UpSampling1D.
- RESHAPE, FULLY_CONNECTED, RESHAPE: a dense layer along the last of several axes.
- MINIMUM with a constant, RELU: a clipped ReLU.

An operator is folded only where nothing else takes what it gives.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from .tflite_graph import FLOATS, Graph, Operator

__all__ = ["fold"]


class _Chain:
    """An operator, and those before it that only it takes from."""

    def __init__(self, graph: Graph, makers: dict[int, Operator], uses: Counter[int]) -> None:
        self.graph, self._makers, self._uses = graph, makers, uses

    def before(self, operator: Operator, kinds: tuple[str, ...]) -> Operator | None:
        """What gives the operator its first input, to nobody else, if it is of one of these kinds."""
        number = operator.inputs[0] if operator.inputs else -1
        maker = self._makers.get(number)
        if maker is None or maker.kind not in kinds or len(maker.outputs) != 1 or self._uses[number] != 1:
            return None
        return maker

    def parted(self, number: int) -> Operator | None:
        """The SPLIT that gives a tensor, if one operator alone takes each of its parts."""
        maker = self._makers.get(number)
        if maker is None or maker.kind != "SPLIT" or len(maker.inputs) != 2 or min(maker.inputs) < 0:
            return None
        return maker if all(self._uses[part] == 1 for part in maker.outputs) else None

    def shape(self, number: int) -> tuple[int | None, ...]:
        """A tensor's shape with the batch axis; of none, empty."""
        return self.graph.tensors[number].shape if number >= 0 else ()

    def ints(self, operator: Operator, place: int) -> tuple[int, ...] | None:
        """The values of a constant input."""
        return self.graph.ints(operator.inputs[place]) if place < len(operator.inputs) else None


def fold(graph: Graph, operators: Sequence[Operator]) -> list[Operator]:
    """The operators, some of them perhaps folded already, with those patterns folded.

    Their order still gives before it takes.
    """
    ends = set(graph.outputs)
    taking = [one for one in operators if one.kind != "SHAPE" or ends.intersection(one.outputs)]
    uses = Counter(number for operator in taking for number in set(operator.inputs))
    uses.update(graph.outputs)
    makers = {number: operator for operator in operators for number in operator.outputs}
    chain = _Chain(graph, makers, uses)
    gone: set[int] = set()
    folded: list[Operator] = []
    for operator in operators:
        found = _PATTERNS[operator.kind](chain, operator) if operator.kind in _PATTERNS else None
        if found is None or any(one.outputs[0] in gone for one in found[1]):
            folded.append(operator)
            continue
        folded.append(found[0])
        gone.update(one.outputs[0] for one in found[1])
    return [one for one in folded if not one.outputs or one.outputs[0] not in gone]


def _dilated(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    window = chain.before(last, ("CONV_2D", "DEPTHWISE_CONV_2D"))
    first = chain.before(window, ("SPACE_TO_BATCH_ND",)) if window else None
    if window is None or first is None:
        return None
    rates, again = chain.ints(first, 1), chain.ints(last, 1)
    pads, crops = chain.ints(first, 2), chain.ints(last, 2)
    kernel = chain.shape(window.inputs[1])[1:3] if len(window.inputs) > 1 else ()
    plain = all(window.options[f"{what}_{axis}"] == 1 for what in ("stride",) for axis in "hw")
    plain = plain and window.options["dilation_h_factor"] == window.options["dilation_w_factor"] == 1
    if rates is None or rates != again or len(rates) != 2 or min(rates) < 1 or len(kernel) != 2 or not plain:
        return None
    if (
        pads is None
        or crops is None
        or len(pads) != 4
        or len(crops) != 4
        or window.options["fused_activation_function"]
    ):
        return None
    reaches = [((k or 1) - 1) * rate for k, rate in zip(kernel, rates, strict=True)]
    padding = _padding_of(chain, first, last, pads, crops, reaches)
    if padding is None or (window.options["padding"] != 1 and any(reaches)):
        return None
    told = {"dilation_rate": rates, "strides": (1, 1), "padding": padding}
    inputs = (first.inputs[0], *window.inputs[1:])
    return replace(window, inputs=inputs, outputs=last.outputs, folded=told), [first, window]


def _padding_of(
    chain: _Chain, first: Operator, last: Operator, pads: tuple[int, ...], crops: tuple[int, ...], reaches: list[int]
) -> str | None:
    """The padding of a dilated convolution, from what is added before it and comes out of it."""
    before, after = chain.shape(first.inputs[0])[1:3], chain.shape(last.outputs[0])[1:3]
    if len(before) != 2 or len(after) != 2 or any(crops[::2]):
        return None
    if list(pads[::2]) == [0, 0] and _agree(before, after, [-reach for reach in reaches]):
        return "valid"
    if list(pads[::2]) == [reach // 2 for reach in reaches] and _agree(before, after, [0, 0]):
        return "same"
    return None


def _agree(before: tuple[int | None, ...], after: tuple[int | None, ...], more: list[int]) -> bool:
    return all(None in (b, a) or b + m == a for b, a, m in zip(before, after, more, strict=True) if b and a)


def _repeated(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    tile = chain.before(last, ("TILE",))
    first = chain.before(tile, ("EXPAND_DIMS",)) if tile else None
    if tile is None or first is None:
        return None
    axes, times, shape = chain.ints(first, 1), chain.ints(tile, 1), chain.shape(first.inputs[0])
    rank = len(shape)
    if axes is None or times is None or len(axes) != 1 or len(times) != rank + 1 or rank not in (3, 4):
        return None
    axis = axes[0] % (rank + 1)  # the new axis follows the one whose cells are repeated
    if not 2 <= axis < rank or times[axis] < 1 or any(n != 1 for i, n in enumerate(times) if i != axis):
        return None
    wanted = tuple(None if n is None else n * (times[axis] if i == axis - 1 else 1) for i, n in enumerate(shape))
    got = chain.shape(last.outputs[0])
    if len(got) != rank or any(None not in (w, g) and w != g for w, g in zip(wanted, got, strict=True)):
        return None
    if rank == 3:
        row = chain.before(first, ("RESHAPE",)) if shape[1] == 1 and shape[2] is not None else None
        if row is not None:
            return Operator("REPEAT_VECTOR", row.inputs[:1], last.outputs, {}, {"n": times[axis]}), [row, first, tile]
        return Operator("UP_SAMPLE", first.inputs[:1], last.outputs, {}, {"size": (times[axis],)}), [first, tile]
    size = (times[axis], 1) if axis == 2 else (1, times[axis])
    return Operator("UP_SAMPLE", first.inputs[:1], last.outputs, {}, {"size": size}), [first, tile]


def _rows(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    first = chain.before(last, ("EXPAND_DIMS", "RESHAPE"))
    given, row = (chain.shape(n) for n in (first.inputs[0], first.outputs[0])) if first else ((), ())
    if first is None or len(row) != 3 or row[1] != 1 or row[2] is None or given[:1] != row[:1]:
        return None
    times = chain.ints(last, 1)
    if times is None or len(times) != 3 or times[1] < 1 or {times[0], times[2]} != {1}:
        return None
    return Operator("REPEAT_VECTOR", first.inputs[:1], last.outputs, {}, {"n": times[1]}), [first]


def _copied(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    split = chain.parted(last.inputs[0]) if last.inputs else None
    if split is None or last.options["fused_activation_function"]:
        return None
    axes, shape, parts = chain.ints(split, 0), chain.shape(split.inputs[1]), split.outputs
    times, rest = divmod(len(last.inputs), len(parts))
    if axes not in ((1,), (-2,)) or len(shape) != 3 or shape[1] != len(parts) or last.options["axis"] not in (1, -2):
        return None
    if rest or last.inputs != tuple(number for number in parts for _ in range(times)):
        return None
    return Operator("UP_SAMPLE", split.inputs[1:2], last.outputs, {}, {"size": (times,)}), [split]


def _sequence(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    dense = chain.before(last, ("FULLY_CONNECTED",))
    first = chain.before(dense, ("RESHAPE",)) if dense else None
    if dense is None or first is None or len(dense.inputs) < 2:
        return None
    given, got, weights = (chain.shape(n) for n in (first.inputs[0], last.outputs[0], dense.inputs[1]))
    if len(given) < 2 or len(got) < 3 or len(weights) != 2 or got[-1] != weights[0]:
        return None
    if None not in given[1:] and math.prod(n for n in given[1:] if n) == weights[1]:
        return None  # one row an input: a dense layer after a Flatten
    inputs = (first.inputs[0], *dense.inputs[1:])
    return replace(dense, inputs=inputs, outputs=last.outputs, folded={"rows": got[1:-1]}), [first, dense]


def _clipped(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    first = chain.before(last, ("MINIMUM",))
    if first is None or len(first.inputs) != 2 or first.inputs[1] < 0:
        return None
    limit = chain.graph.tensors[first.inputs[1]]
    if limit.data is None or limit.size != 1 or limit.kind not in FLOATS:
        return None
    value = float(chain.graph.floats(limit)[0])
    if not 0 <= value < float("inf"):
        return None
    return Operator("CLIPPED_RELU", first.inputs[:1], last.outputs, {}, {"max_value": value}), [first]


def _reshaped(chain: _Chain, last: Operator) -> tuple[Operator, list[Operator]] | None:
    return _repeated(chain, last) or _sequence(chain, last)


_PATTERNS: dict[str, Callable[[_Chain, Operator], tuple[Operator, list[Operator]] | None]] = {
    "BATCH_TO_SPACE_ND": _dilated,
    "CONCATENATION": _copied,
    "RESHAPE": _reshaped,
    "RELU": _clipped,
    "TILE": _rows,
}
