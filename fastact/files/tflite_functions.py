"""Functions that the converter writes several operators of, put together again.

- EXP, ADD 1, LOG: softplus.
- ABS, ADD 1, DIV: softsign.
- GREATER 0, MUL, EXP, SUB 1, MUL, SELECT or SELECT_V2: selu.
- ELU, MUL, GREATER 0, SELECT: ELU with an alpha of its own.
- GREATER, SELECT with 0; GREATER, CAST, MUL: a ReLU with a threshold.

Every operator is checked, constants too, and nothing else may take what is inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .tflite_chain import Chain, Found
from .tflite_graph import Operator

__all__ = ["FUNCTIONS"]

_SELU = 1.0507009873554805, 1.7580993408473766
"""What selu multiplies values above zero by, and exp(x) - 1 below."""
_CLOSE = 1e-6
"""How far a constant in float32 may be from its number, in parts of it."""


def _softplus(chain: Chain, last: Operator) -> Found | None:
    total = _plain(chain, last, 0, "ADD")
    power = _plain(chain, total, 0, "EXP")
    if total is None or power is None or not _is(chain.scalar(total, 1), 1.0):
        return None
    return Operator("SOFTPLUS", power.inputs[:1], last.outputs, last.options), [power, total]


def _softsign(chain: Chain, last: Operator) -> Found | None:
    total = _plain(chain, last, 1, "ADD")
    size = _plain(chain, total, 0, "ABS")
    if total is None or size is None or size.inputs[0] != last.inputs[0] or not _is(chain.scalar(total, 1), 1.0):
        return None
    return Operator("SOFTSIGN", size.inputs[:1], last.outputs, last.options), [size, total]


def _selected(chain: Chain, last: Operator) -> Found | None:
    """What SELECT or SELECT_V2 takes from one side above a threshold, and from another below."""
    test = _plain(chain, last, 0, "GREATER")
    threshold = chain.scalar(test, 1)
    if test is None or threshold is None or len(last.inputs) != 3:
        return None
    x = test.inputs[0]
    if last.inputs[1] == x and _is(chain.scalar(last, 2), 0.0):
        return _thresholded(x, threshold, last, [test])
    return (_selu(chain, last, test) or _elu(chain, last, test)) if threshold == 0 else None


def _selu(chain: Chain, last: Operator, test: Operator) -> Found | None:
    above, below = _plain(chain, last, 1, "MUL"), _plain(chain, last, 2, "MUL")
    less = _plain(chain, below, 0, "SUB")
    power = _plain(chain, less, 0, "EXP")
    if above is None or below is None or less is None or power is None:
        return None
    constants = chain.scalar(above, 1), chain.scalar(below, 1), chain.scalar(less, 1)
    x = test.inputs[0]
    if power.inputs[0] != x or above.inputs[0] != x or not all(map(_is, constants, (*_SELU, 1.0))):
        return None
    return Operator("SELU", (x,), last.outputs, last.options), [test, above, power, less, below]


def _elu(chain: Chain, last: Operator, test: Operator) -> Found | None:
    elu, below = _plain(chain, last, 1, "ELU", uses=2), _plain(chain, last, 2, "MUL")
    alpha = chain.scalar(below, 1)
    if elu is None or below is None or alpha is None or below.inputs[0] != elu.outputs[0]:
        return None
    if elu.inputs[0] != test.inputs[0] or not math.isfinite(alpha):
        return None
    return Operator("SCALED_ELU", elu.inputs[:1], last.outputs, last.options, {"alpha": alpha}), [test, elu, below]


def _masked(chain: Chain, last: Operator) -> Found | None:
    mask = _plain(chain, last, 1, "CAST")
    test = _plain(chain, mask, 0, "GREATER")
    threshold = chain.scalar(test, 1)
    if mask is None or test is None or threshold is None or last.inputs[0] != test.inputs[0]:
        return None
    return _thresholded(last.inputs[0], threshold, last, [test, mask])


def _thresholded(x: int, threshold: float, last: Operator, within: list[Operator]) -> Found | None:
    if not 0 <= threshold < math.inf:
        return None
    return Operator("THRESHOLDED_RELU", (x,), last.outputs, last.options, {"threshold": threshold}), within


def _plain(chain: Chain, operator: Operator | None, place: int, kind: str, uses: int = 1) -> Operator | None:
    """What gives an operator an input, if it is of this kind and does not end with a function."""
    maker = chain.maker(operator, place, kind, uses)
    return None if maker is None or maker.options.get("fused_activation_function", 0) else maker


def _is(found: float | None, wanted: float) -> bool:
    return found is not None and math.isclose(found, wanted, rel_tol=_CLOSE)


FUNCTIONS: dict[str, Callable[[Chain, Operator], Found | None]] = {
    "DIV": _softsign, "LOG": _softplus, "MUL": _masked, "SELECT": _selected, "SELECT_V2": _selected,
}  # fmt: skip
"""By the last operator of each."""
