"""Keras 3's TimeDistributed, which the converter writes once for every frame, folded into one.

TRANSPOSE puts the frames before the batch, STRIDED_SLICE takes one of them, the wrapped layer's operators follow, and
PACK puts the frames together again: all of it once a frame, with the same weights. Here only the first frame's
operators stay, between EACH_FRAME and ALL_FRAMES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..kernels.records import dataclass
from .tflite_graph import Graph, Operator

__all__ = ["fold", "taken"]

_MOST_FRAMES = 1024
_LONGEST = 32
_MOST_STEPS = 2**17
"""Operators looked at in all: a file may name the same ones any number of times."""

_MOST_PASSES = 8
"""Runs that share frames with one that is not folded are none either, and so on: beyond this no file is followed."""

_BY_SHAPE = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


@dataclass(frozen=True)
class _Frame:
    """The operators that lead from one frame of a run to one input of PACK."""

    source: int
    slice: Operator
    operators: tuple[Operator, ...]


_Run = tuple[Operator, list[_Frame]]


def fold(graph: Graph, operators: Sequence[Operator]) -> list[Operator]:
    """The operators with every such pattern folded, of which nothing outside it takes a frame."""
    replaced: dict[int, Operator] = {}
    gone: set[int] = set()
    for last, frames in _without_taken(graph, operators, _found(graph, operators)):
        first = frames[0]
        for frame in frames[1:]:
            gone.update(one.outputs[0] for one in (frame.slice, *frame.operators))
        told: dict[str, object] = {"frames": len(frames)}
        each = Operator("EACH_FRAME", (first.source,), first.slice.outputs, {}, told)
        replaced[first.slice.outputs[0]] = each
        replaced[last.outputs[0]] = Operator("ALL_FRAMES", last.inputs[:1], last.outputs, {}, told)
    kept = (one for one in operators if not one.outputs or one.outputs[0] not in gone)
    return [replaced.get(one.outputs[0], one) if one.outputs else one for one in kept]


def _found(graph: Graph, operators: Sequence[Operator]) -> list[_Run]:
    """Every PACK of frames to which the same is done."""
    makers = {number: operator for operator in operators for number in operator.outputs}
    runs: list[_Run] = []
    left = _MOST_STEPS
    for last in operators:
        left -= len(last.inputs) * _LONGEST if last.kind == "PACK" else 0
        if last.kind != "PACK" or last.options["axis"] or not 1 <= len(last.inputs) <= _MOST_FRAMES or left < 0:
            continue
        found = [_frame(graph, makers, number, place) for place, number in enumerate(last.inputs)]
        frames = [frame for frame in found if frame is not None]
        if frames and len(frames) == len(found) and all(_alike(graph, frames[0], frame) for frame in frames):
            runs.append((last, frames))
    return runs


def _without_taken(graph: Graph, operators: Sequence[Operator], runs: list[_Run]) -> list[_Run]:
    """The runs of whose frames the network gives none, and other operators take none: they would take all of them."""
    values = (operator for operator in operators if operator.kind != "SHAPE")  # which takes no values
    takers = Counter(number for operator in values for number in set(operator.inputs))
    takers.update(graph.outputs)
    for _ in range(_MOST_PASSES):
        inside = {(one.outputs[0], one.inputs) for last, frames in runs for one in (last, *_steps(frames))}
        taken_inside = Counter(number for _, inputs in inside for number in set(inputs))
        given = [{one.outputs[0] for frame in frames for one in (frame.slice, *frame.operators)} for _, frames in runs]
        kept = [run for run, own in zip(runs, given, strict=True) if all(takers[n] == taken_inside[n] for n in own)]
        if len(kept) == len(runs):
            return kept
        runs = kept
    return []


def _steps(frames: Sequence[_Frame]) -> Iterator[Operator]:
    return (operator for frame in frames for operator in frame.operators)


def _frame(graph: Graph, makers: dict[int, Operator], number: int, place: int) -> _Frame | None:
    """What leads to `number` from frame number `place`."""
    found: list[Operator] = []
    while len(found) < _LONGEST:
        operator = makers.get(number)
        if operator is None or not operator.inputs or len(operator.outputs) != 1:
            return None
        if operator.kind == "STRIDED_SLICE" and taken(graph, operator) == place:
            return _Frame(operator.inputs[0], operator, tuple(reversed(found)))
        found.append(operator)
        number = operator.inputs[0]
    return None


def taken(graph: Graph, operator: Operator, axis: int = 0) -> int | None:
    """Which place along an axis a STRIDED_SLICE takes, if that is what it does."""
    options, rank = operator.options, len(graph.tensors[operator.inputs[0]].shape)
    others = ((1 << rank) - 1) & ~(1 << axis)
    if options["shrink_axis_mask"] != 1 << axis or any(
        options[n] for n in ("ellipsis_mask", "new_axis_mask", "offset")
    ):
        return None
    begins, strides = (graph.ints(operator.inputs[i]) if len(operator.inputs) == 4 else None for i in (1, 3))
    if begins is None or strides is None or len(begins) != rank or set(strides) != {1}:
        return None
    masks = int(options["begin_mask"]), int(options["end_mask"])
    whole = all(mask & others == others for mask in masks)
    return begins[axis] if whole and not masks[0] & (1 << axis) else None


def _alike(graph: Graph, first: _Frame, other: _Frame) -> bool:
    """Whether the same is done to two frames, with the same weights."""
    if first.source != other.source or len(first.operators) != len(other.operators):
        return False
    for one, two in zip(first.operators, other.operators, strict=True):
        if (one.kind, one.options, one.folded) != (two.kind, two.options, two.folded):
            return False
        shapes = [graph.tensors[operator.outputs[0]].shape for operator in (one, two)]
        if shapes[0] != shapes[1] or (one.kind not in _BY_SHAPE and one.inputs[1:] != two.inputs[1:]):
            return False
    return True
