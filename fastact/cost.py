"""What each layer costs and sees, from the operations it lowers itself to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers import Tape, Value
from fastact.node import Node

if TYPE_CHECKING:
    from fractions import Fraction

PICTURE_RANKS = (3, 4)
"""Axes of a picture, (rows, columns, channels), and of a sequence of pictures or a volume, which has one more."""


@dataclass(frozen=True)
class Sight:
    """The receptive field: `size` input pixels (rows, columns), neighbouring cells `jump` pixels apart.

    Of a sequence of pictures it is what is seen of each one; how many of them are seen is not followed.

    Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks": r' = r + (k - 1) j, j' = j s.
    Where a map is larger than what it is made from, neighbours are a fraction of a pixel apart, and not all cells see
    the same number of pixels: `size` is the largest.
    """

    size: tuple[int | Fraction, int | Fraction]
    jump: tuple[int | Fraction, int | Fraction]


@dataclass(frozen=True)
class Cost:
    """A layer's multiply-adds, and its receptive field: None for all of the input, or no picture."""

    multiply_adds: int
    sight: Sight | None


@dataclass
class _Tracer(Tape):
    """Runs nothing: follows shapes, counts multiply-adds and widens receptive fields."""

    sights: list[Sight | None] = field(default_factory=list)
    multiply_adds: int = 0

    def add(self, shape: ops.Shape, sight: Sight | None) -> Value:
        self.sights.append(sight)
        return Value(len(self.sights) - 1, shape)

    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        shapes = [i.shape for i in inputs]
        self.multiply_adds += op.multiply_adds(*shapes)
        sights = [self.sights[i.number] for i in inputs]
        keeps = isinstance(op, ops.Reshape) and len(shapes[0]) >= 3 and op.target[-3:] == shapes[0][-3:]
        return self.add(op.shape(*shapes), _widened(ops.Op.window if keeps else op.window, sights))


def _widened(window: ops.Window | None, sights: Sequence[Sight | None]) -> Sight | None:
    """What an output value sees whose inputs see `sights`: the widest of them, through the operation's window."""
    known = [s for s in sights if s is not None]
    if window is None or len(known) < len(sights):
        return None
    size, jump = zip(*((max(s.size[a] for s in known), max(s.jump[a] for s in known)) for a in (0, 1)), strict=True)
    (kernel, strides) = window.size, window.strides
    return Sight(
        (size[0] + (kernel[0] - 1) * jump[0], size[1] + (kernel[1] - 1) * jump[1]),
        (jump[0] * strides[0], jump[1] * strides[1]),
    )


def _whole(sight: Sight | None) -> Sight | None:
    """A receptive field in whole pixels."""
    return sight and Sight((math.ceil(sight.size[0]), math.ceil(sight.size[1])), sight.jump)


def trace(nodes: Sequence[Node]) -> dict[str, Cost]:
    """The cost of every node whose shape is fully known."""
    tracer, values, costs = _Tracer(), dict[int, Value](), dict[str, Cost]()
    for place, node in enumerate(nodes):
        if node.reason is not None or node.shape is None or None in node.shape:
            continue
        if any(i not in values for i in node.inputs):
            continue
        before = tracer.multiply_adds
        shape = tuple(n for n in node.shape if n is not None)
        if node.is_input:
            values[place] = tracer.add(shape, Sight((1, 1), (1, 1)) if len(shape) in PICTURE_RANKS else None)
        elif node.layer is None:
            values[place] = values[node.inputs[0]]
        else:
            values[place] = node.layer.lower(tracer, *(values[i] for i in node.inputs))
        costs[node.name] = Cost(tracer.multiply_adds - before, _whole(tracer.sights[values[place].number]))
    return costs
