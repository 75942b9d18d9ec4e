"""A model's convolutions as plain arrays and numbers, for engines that are given the same weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from fastact.kernels import ops

import fastact
from benchmarks.common import BenchmarkError
from fastact.layers import Tape, Value

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Conv:
    """One convolution.

    Attributes:
        weights: (kh, kw, C / groups, filters).
        pads: rows above and below, columns left and right.
        padding: the name Keras has for these pads, VALID or SAME.
        relu: whether relu follows; nothing does otherwise.
        shape: of its map, (rows, columns, filters).
    """

    name: str
    weights: Floats
    bias: Floats
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    padding: str
    dilation: tuple[int, int]
    groups: int
    relu: bool
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Chain:
    """Convolutions one after the other, from an input of (rows, columns, channels)."""

    input_shape: tuple[int, int, int]
    convs: tuple[Conv, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations of one frame, a multiply-add counted as two."""
        return sum(2 * math.prod(c.shape[:2]) * c.weights.size for c in self.convs)


class _Tape(Tape):
    """Collects the operations of one layer."""

    def __init__(self) -> None:
        self.ops: list[ops.Op] = []

    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        self.ops.append(op)
        return Value(inputs[0].number + 1, op.shape(*(i.shape for i in inputs)))


def chain_of(model: fastact.Model) -> Chain:
    """The convolutions of `model`, which must follow one another with nothing but dropout and its kin between.

    Raises:
        BenchmarkError: they do not.
    """
    places = [i for i, n in enumerate(model.nodes) if n.is_convolution]
    if not places:
        raise BenchmarkError(f"{model.source} has no convolutions")
    start = model.nodes[0]
    if not start.is_input or start.shape is None or len(start.shape) != 3 or None in start.shape:
        raise BenchmarkError(f"{model.source}: engines are compared on models whose one input is a picture of one size")
    shape = cast("tuple[int, int, int]", start.shape)
    value, convs = Value(0, shape), []
    for place, node in enumerate(model.nodes[1 : places[-1] + 1], 1):
        if node.reason is not None:
            raise BenchmarkError(f"{model.source}: {node.name!r} cannot be computed at this size: {node.reason}")
        if node.layer is None or node.inputs != (place - 1,):
            raise BenchmarkError(
                f"{model.source}: engines are compared on convolutions in a chain, and {node.name!r} is not in one"
            )
        tape = _Tape()
        value = node.layer.lower(tape, value)
        if node.is_convolution:
            convs.append(_conv(node.name, tape.ops, cast("tuple[int, int, int]", value.shape)))
        elif tape.ops:
            raise BenchmarkError(
                f"{model.source}: engines are compared on convolutions alone, and {node.name!r} ({node.class_name}) "
                "computes something else between them"
            )
    return Chain(shape, tuple(convs))


def _conv(name: str, recorded: list[ops.Op], shape: tuple[int, int, int]) -> Conv:
    op = recorded[0]
    if (
        len(recorded) != 1
        or not isinstance(op, ops.Conv2D)
        or (op.low, op.high)
        not in (
            (0.0, math.inf),
            (-math.inf, math.inf),
        )
    ):
        raise BenchmarkError(f"engines are compared with relu or no activation, and {name!r} has another")
    padding = "VALID" if op.pads == ops.NO_PADS else "SAME"
    return Conv(name, op.weights, op.bias, op.strides, op.pads, padding, op.dilation, op.groups, op.low == 0.0, shape)
