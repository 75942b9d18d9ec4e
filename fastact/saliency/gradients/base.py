"""The gradients by operation, and formulas written as formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.ops import Merge, Total, Unary
from fastact.kernels.program import Instruction
from fastact.layers import Tape, Value

Gradient = Callable[..., tuple[Value, ...]]
O = TypeVar("O", bound=ops.Op)  # noqa: E741
_GRADIENTS: dict[type[ops.Op], Gradient] = {}


def gradient(kind: type[O]) -> Callable[[Gradient], Gradient]:
    """Makes a function the gradient of `kind`."""

    def register(function: Gradient) -> Gradient:
        _GRADIENTS[kind] = function
        return function

    return register


def through(tape: Tape, instruction: Instruction, back: Value) -> tuple[Value, ...]:
    """The gradients of an instruction's inputs, from that of its output; UnsupportedError where there is none."""
    function = _GRADIENTS.get(type(instruction.op))
    if function is None:
        raise UnsupportedError(f"fastact has no gradient of its operation {type(instruction.op).__name__}")
    return function(tape, instruction.op, back, instruction.output, *instruction.inputs)


class Term:
    """A value in a formula: `y * (1 - y)` emits the operations that compute it."""

    def __init__(self, tape: Tape, value: Value) -> None:
        self.tape, self.value = tape, value

    def _merged(self, function: Merge, other: Term | float, *, first: bool = False) -> Term:
        if isinstance(other, Term):
            return Term(self.tape, self.tape.emit(ops.Binary(function), self.value, other.value))
        constant = np.array([other], np.float32)
        return Term(self.tape, self.tape.emit(ops.BinaryConstant(function, constant, first), self.value))

    def __add__(self, other: Term | float) -> Term:
        return self._merged(Merge.ADD, other)

    def __sub__(self, other: Term | float) -> Term:
        return self._merged(Merge.SUBTRACT, other)

    def __rsub__(self, other: float) -> Term:
        return self._merged(Merge.SUBTRACT, other, first=True)

    def __mul__(self, other: Term | float) -> Term:
        return self._merged(Merge.MULTIPLY, other)

    def __truediv__(self, other: Term | float) -> Term:
        return self._merged(Merge.DIVIDE, other)

    def __rtruediv__(self, other: float) -> Term:
        return self._merged(Merge.DIVIDE, other, first=True)

    def where(self, positive: Term) -> Term:
        """The value where `positive` is above 0, else 0."""
        return self._merged(Merge.GATE, positive)

    def step(self) -> Term:
        """1 where the value is above 0, else 0."""
        return self._merged(Merge.GATE, 1.0, first=True)

    def apply(self, function: Unary, a: float = 0.0, b: float = 0.0) -> Term:
        """An element-wise function of the value."""
        return Term(self.tape, self.tape.emit(ops.Elementwise(function, a, b), self.value))

    def reshaped(self, shape: ops.Shape) -> Term:
        """The same values under another shape."""
        return self if self.value.shape == shape else Term(self.tape, self.tape.emit(ops.Reshape(shape), self.value))

    def total(self, total: Total, axes: tuple[int, ...]) -> Term:
        """The sum (or other total) over axes, which stay with length 1."""
        shape = self.value.shape
        gone = {a % len(shape) for a in axes}
        if all(shape[a] == 1 for a in gone):
            return self
        whole = self.reshaped((1, *shape))  # so that an axis is left where all are summed up
        summed = Term(self.tape, self.tape.emit(ops.Reduce(total, tuple(a + 1 for a in sorted(gone))), whole.value))
        return summed.reshaped(tuple(1 if a in gone else n for a, n in enumerate(shape)))

    def stretched(self, shape: ops.Shape) -> Term:
        """The value repeated along axes where it has length 1 and `shape` has not."""
        times = tuple(m if n == 1 else 1 for n, m in zip(self.value.shape, shape, strict=True))
        if max(times, default=1) == 1:
            return self
        return Term(self.tape, self.tape.emit(ops.Repeat(times), self.value))


def gathered(term: Term, shape: ops.Shape) -> Value:
    """The gradient of an input of `shape` that was stretched as NumPy does: the sum over its copies."""
    missing = len(term.value.shape) - len(shape)
    full = (1,) * missing + shape
    axes = tuple(a for a, (n, m) in enumerate(zip(full, term.value.shape, strict=True)) if n == 1 and m > 1)
    return (term.total(Total.SUM, axes) if axes else term).reshaped(shape).value
