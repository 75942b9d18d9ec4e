"""Functions that the converter writes several operators of, put together again.

softplus, softsign, selu, an ELU with an alpha of its own, and a ReLU with a threshold. Constants are checked, too;
where one differs, the operators stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .tflite_graph import Operator
from .tflite_matching import Grammar, Making, Match, Matcher, Root

__all__ = ["ROOTS"]


def _where(*takes: str) -> list[tuple[str, ...]]:
    """The two operators that take from one side where something holds and from another where not."""
    return [("SELECT", *takes), ("SELECT_V2", *takes)]


_SOFTPLUS: Grammar = {
    "y": [("LOG", "total")],
    "total": [("ADD", "power", "one")],
    "power": [("EXP", "x")],
}
_SOFTSIGN: Grammar = {
    "y": [("DIV", "x", "total")],
    "total": [("ADD", "size", "one")],
    "size": [("ABS", "x")],
}
_SELU: Grammar = {
    "y": _where("is above", "above", "below"),
    "is above": [("GREATER", "x", "zero")],
    "above": [("MUL", "x", "scale")],
    "below": [("MUL", "less", "lower scale")],
    "less": [("SUB", "power", "one")],
    "power": [("EXP", "x")],
}
_ELU: Grammar = {
    "y": _where("is above", "above", "below"),
    "is above": [("GREATER", "x", "zero")],
    "above": [("ELU", "x")],
    "below": [("MUL", "above", "alpha")],
}
_RELU: Grammar = {
    "y": [*_where("is above", "x", "zero"), ("MUL", "x", "mask")],
    "mask": [("CAST", "is above")],
    "is above": [("GREATER", "x", "threshold")],
}

_NUMBERS = {"zero": 0.0, "one": 1.0, "scale": 1.0507009873554805, "lower scale": 1.7580993408473766}
"""What constants are: the last two are selu's scale, and that times its alpha."""
_CLOSE = 1e-6
"""How far a constant in float32 may be from its number, in parts of it."""


def _is_right(matcher: Matcher, match: Match) -> bool:
    """Whether all constants of one number are the function's."""
    found = {name: matcher.number(match.bound[name]) for name in _NUMBERS if name in match.bound}
    return all(n is not None and math.isclose(n, _NUMBERS[name], rel_tol=_CLOSE) for name, n in found.items())


def _made(kind: str, grammar: Grammar) -> Making:
    """Makes an operator of this kind of a chain that the grammar says; its one argument is told, if there is one."""

    def making(matcher: Matcher, last: Operator) -> tuple[Operator, Match] | None:
        for match in matcher.matches(grammar, last):
            told: Mapping[str, float | None] = {
                name: matcher.number(match.bound[name]) for name in ("alpha", "threshold") if name in match.bound
            }
            if _is_right(matcher, match) and all(n is not None and 0 <= n < math.inf for n in told.values()):
                options = {"fused_activation_function": match.function}
                return Operator(kind, (match.bound["x"],), last.outputs, options, told), match
        return None

    return making


ROOTS = tuple(
    Root(kind, needs, _made(name, grammar))
    for name, needs, grammar in (
        ("SOFTPLUS", "EXP", _SOFTPLUS),
        ("SOFTSIGN", "ABS", _SOFTSIGN),
        ("SELU", "EXP", _SELU),
        ("SCALED_ELU", "ELU", _ELU),
        ("THRESHOLDED_RELU", "GREATER", _RELU),
    )
    for kind, *_ in grammar["y"]
)
"""What chains end with."""
