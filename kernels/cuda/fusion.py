"""Operations that one launch does together: a picture in bytes goes into its convolution as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from .. import ops
from ..program import Instruction, Value


@dataclass(frozen=True, eq=False)
class Conv2DFromBytes(ops.Op):
    """A convolution of uint8 (H, W, C), each value divided by `divisor` before."""

    conv: ops.Conv2D
    divisor: float

    def shape(self, *inputs: ops.Shape) -> ops.Shape:  # noqa: D102
        return self.conv.shape(*inputs)


def fuse(program: Sequence[Instruction], kept: AbstractSet[int], root: Callable[[Value], int]) -> list[Instruction]:
    """The program with each convolution that alone reads a picture turned to floats reading the bytes instead.

    Args:
        program: instructions in an order in which they can run.
        kept: the roots of values wanted in memory.
        root: the number of the buffer that a value lies in.
    """
    readers = Counter(root(value) for instruction in program for value in instruction.inputs)
    from_bytes = {root(i.output): i for i in program if isinstance(i.op, ops.FromBytes)}
    fused: list[Instruction] = []
    gone: set[int] = set()
    for instruction in program:
        source = from_bytes.get(root(instruction.inputs[0]))
        if source is not None and readers[root(source.output)] == 1 and root(source.output) not in kept:
            joined = _joined(source.op, instruction.op)
            if joined is not None:
                gone.add(root(source.output))
                instruction = Instruction(joined, source.inputs, instruction.output)
        fused.append(instruction)
    return [i for i in fused if not (isinstance(i.op, ops.FromBytes) and root(i.output) in gone)]


def _joined(first: ops.Op, second: ops.Op) -> Conv2DFromBytes | None:
    if not isinstance(first, ops.FromBytes) or not isinstance(second, ops.Conv2D) or not divides(first.divisor):
        return None
    alone = second.groups > 1 and second.weights.shape[2] == 1  # a kernel of its own, which reads floats
    return None if alone else Conv2DFromBytes(second, first.divisor)


def inverse(divisor: float) -> float:
    """1 / divisor as a float32."""
    return float(np.float32(1) / np.float32(divisor))


def divides(divisor: float) -> bool:
    """Whether a byte / divisor comes out right by multiplications (see `divided` in the convolution's code)."""
    value, by, inverted = np.arange(256, dtype=np.float64), float(np.float32(divisor)), inverse(divisor)
    quotient = (value * inverted).astype(np.float32).astype(np.float64)  # products of two float32 are exact in float64
    rest = (value - quotient * by).astype(np.float32).astype(np.float64)
    found = (rest * inverted + quotient).astype(np.float32)
    return bool(np.array_equal(found, value.astype(np.float32) / np.float32(divisor)))
