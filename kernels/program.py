"""A program: operations in order, and the arrays that flow between them."""

from __future__ import annotations

from . import ops
from .records import dataclass


@dataclass(frozen=True)
class Value:
    """An array that flows through a program: `number` tells it from the others."""

    number: int
    shape: ops.Shape


@dataclass(frozen=True)
class Instruction:
    """One operation with its inputs and its output."""

    op: ops.Op
    inputs: tuple[Value, ...]
    output: Value
