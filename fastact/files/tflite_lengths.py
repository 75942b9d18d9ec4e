"""Lengths that a network computes from the length of its input: what it adds to and multiplies it by.

Where rows and columns are open, the shape that an operator gives is not in the file but computed beside the maps: SHAPE
of a tensor, STRIDED_SLICE that takes one length of it, sums and products with constants, and PACK.
"""

from __future__ import annotations

from .tflite_frames import taken
from .tflite_graph import Operator
from .tflite_use import Use

__all__ = ["line"]

_MOST_STEPS = 8

Line = tuple[int, int]
"""(a, b): a times the input's length, and b more."""


def line(use: Use, axis: int, shape: int = 0, of: int = 2) -> Line | None:
    """How the length along `axis` in the shape that an operator takes follows from that of its input number `of`.

    None where it does in no such way.
    """
    made, source = use.makers.get(use.number(shape)), use.number(of)
    if made is None:
        return None
    if made.kind == "SHAPE":
        return (1, 0) if made.inputs[0] == source else None
    if made.kind != "PACK" or made.options["axis"] or len(made.inputs) <= axis:
        return None
    return _line(use, made.inputs[axis], axis, source, _MOST_STEPS)


def _line(use: Use, number: int, axis: int, source: int, steps: int) -> Line | None:
    constant, made = use.graph.ints(number), use.makers.get(number)
    if constant is not None:
        return (0, constant[0]) if len(constant) == 1 else None
    if made is None or not steps:
        return None
    if made.kind == "STRIDED_SLICE":
        asked = use.makers.get(made.inputs[0])
        of_source = asked is not None and asked.kind == "SHAPE" and asked.inputs[0] == source
        return (1, 0) if of_source and taken(use.graph, made) == axis else None
    if made.kind not in ("ADD", "SUB", "MUL") or len(made.inputs) != 2 or made.options["fused_activation_function"]:
        return None
    first, second = (_line(use, n, axis, source, steps - 1) for n in made.inputs)
    return None if first is None or second is None else _of_both(made, first, second)


def _of_both(made: Operator, first: Line, second: Line) -> Line | None:
    (a, b), (c, d) = first, second
    if made.kind == "MUL":
        return None if a and c else (a * d + c * b, b * d)
    sign = 1 if made.kind == "ADD" else -1
    return a + sign * c, b + sign * d
