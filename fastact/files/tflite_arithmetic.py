"""Operators that compute each value from its own place: sums, products, functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .tflite_graph import Tensor
from .tflite_steps import Floats, Stored
from .tflite_use import Made, Piece, Unsayable, Use

__all__ = [
    "FUNCTIONS",
    "binary",
    "clipped_relu",
    "function",
    "gelu",
    "leaky_relu",
    "negative",
    "prelu",
    "relu_0_to_1",
    "scaled_elu",
    "softmax",
    "thresholded_relu",
]

FUNCTIONS = {
    "LOGISTIC": "sigmoid", "TANH": "tanh", "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "hard_tanh", "ELU": "elu",
    "HARD_SWISH": "hard_silu", "LOG_SOFTMAX": "log_softmax", "EXP": "exponential", "SELU": "selu",
    "SOFTPLUS": "softplus", "SOFTSIGN": "softsign",
}  # fmt: skip
"""Operators that are functions Keras has a name for."""

_MERGING = {"ADD": "Add", "MUL": "Multiply", "SUB": "Subtract", "MAXIMUM": "Maximum", "MINIMUM": "Minimum"}


def function(use: Use) -> Made:
    """A function by name."""
    view = use.view()
    return use.made(Piece("Activation", {"activation": FUNCTIONS[use.operator.kind]}), implied=view.shape)


def softmax(use: Use) -> Made:
    """exp(beta x) over its sum along the last axis; Keras has beta 1."""
    view = use.view()
    if use.operator.options["beta"] != 1:
        raise Unsayable
    return use.made(Piece("Activation", {"activation": "softmax"}), implied=view.shape)


def gelu(use: Use) -> Made:
    """The exact one; Keras has no name for the approximate one."""
    view = use.view()
    if use.option("approximate"):
        raise Unsayable
    return use.made(Piece("Activation", {"activation": "gelu"}), implied=view.shape)


def relu_0_to_1(use: Use) -> Made:
    """Clipped to 0..1."""
    view = use.view()
    return use.made(Piece("ReLU", {"max_value": 1.0, "negative_slope": 0.0, "threshold": 0.0}), implied=view.shape)


def clipped_relu(use: Use) -> Made:
    """What `tflite_patterns` folds a minimum and a relu into."""
    view = use.view()
    limit = use.operator.folded["max_value"]
    return use.made(Piece("ReLU", {"max_value": limit, "negative_slope": 0.0, "threshold": 0.0}), implied=view.shape)


def leaky_relu(use: Use) -> Made:
    """A slope below zero."""
    view = use.view()
    slope = use.operator.options["alpha"]
    if not math.isfinite(slope):
        raise Unsayable
    return use.made(Piece("LeakyReLU", {"negative_slope": slope}), implied=view.shape)


def prelu(use: Use) -> Made:
    """A slope below zero for each channel, or for each place."""
    view, alpha = use.view(), use.constant(1)
    stored, rank = tuple(1 if n is None else n for n in alpha.shape), len(view.shape)
    stored = stored[1:] if len(stored) == rank + 1 and stored[0] == 1 else stored
    shape = (1,) * (rank - len(stored)) + stored
    if len(shape) != rank or any(n not in (1, m) for n, m in zip(shape, view.shape, strict=True)):
        raise Unsayable
    shared = [axis for axis, (n, m) in enumerate(zip(shape, view.shape, strict=True), 1) if n == 1 != m]
    return use.made(
        Piece("PReLU", {"shared_axes": shared or None}, {"alpha": Stored(shape, alpha)}), implied=view.shape
    )


def scaled_elu(use: Use) -> Made:
    """x above zero, else alpha * (exp(x) - 1)."""
    view = use.view()
    return use.made(Piece("ELU", {"alpha": use.operator.folded["alpha"]}), implied=view.shape)


def thresholded_relu(use: Use) -> Made:
    """x above a threshold, else 0."""
    view = use.view()
    config = {"threshold": use.operator.folded["threshold"], "max_value": None, "negative_slope": 0.0}
    return use.made(Piece("ReLU", config), implied=view.shape)


def negative(use: Use) -> Made:
    """The sign turned round."""
    view = use.view()
    return use.made(Piece("Rescaling", {"scale": -1.0, "offset": 0.0}), implied=view.shape)


def binary(use: Use) -> Made:
    """Two inputs that layers give, or one and a constant."""
    kind = use.operator.kind
    if use.count != 2:
        raise Unsayable
    if use.is_constant(0) or use.is_constant(1):
        place = 1 if use.is_constant(0) else 0
        constant = use.constant(1 - place)
        piece = _with_constant(use, kind, place, constant)
        return use.made(piece, implied=use.view(place).shape, weights=constant.number)
    views = [use.view(0), use.view(1)]
    if kind not in _MERGING or len(views[0].shape) != len(views[1].shape):
        raise Unsayable
    implied = [n if m == 1 else m for m, n in zip(views[0].shape, views[1].shape, strict=True)]
    return use.made(Piece(_MERGING[kind], takes=(0, 1)), implied=implied)


def _with_constant(use: Use, kind: str, place: int, constant: Tensor) -> Piece:
    """x op c, or c op x where `place` is 1: an affine function of x."""
    if kind == "MAXIMUM" and constant.size == 1 and use.graph.floats(constant)[0] == 0:
        return Piece("Activation", {"activation": "relu"}, takes=(place,))
    if kind == "DIV" and place == 0:
        return _affine(use, place, constant, scale=np.reciprocal)
    if kind == "MUL":
        return _affine(use, place, constant, scale=_same)
    if kind == "ADD":
        return _affine(use, place, constant, offset=_same)
    if kind == "SUB":
        return _affine(use, place, constant, offset=_same, sign=-1) if place else _affine(
            use, place, constant, offset=np.negative
        )  # fmt: skip
    raise Unsayable


def _same(numbers: Floats) -> Floats:
    return numbers


def _affine(
    use: Use,
    place: int,
    constant: Tensor,
    *,
    scale: Callable[[Floats], Any] | None = None,
    offset: Callable[[Floats], Any] | None = None,
    sign: int = 1,
) -> Piece:
    """x times or plus what `scale` or `offset` makes of a constant: of one number, or of one for each channel."""
    if constant.size == 1:
        read = use.graph.floats(constant)
        factor, term = (float(f(read)[0]) if f else default for f, default in ((scale, float(sign)), (offset, 0.0)))
        if not (math.isfinite(factor) and math.isfinite(term)):
            raise Unsayable
        return Piece("Rescaling", {"scale": factor, "offset": term}, takes=(place,))
    whole = use.view(place).whole
    channels = whole[-1] if whole else None
    if (
        channels is None
        or constant.size != channels
        or constant.shape[-1] != channels
        or len(constant.shape) > 1 + len(whole)
    ):
        raise Unsayable
    weights = {"moving_mean": Stored((channels,)), "moving_variance": Stored((channels,), number=1.0)}
    if scale is not None:
        weights["gamma"] = Stored((channels,), constant, scale)
    if sign < 0:
        weights["gamma"] = Stored((channels,), number=-1.0)
    if offset is not None:
        weights["beta"] = Stored((channels,), constant, offset)
    config = {"axis": -1, "epsilon": 0.0, "scale": "gamma" in weights, "center": "beta" in weights}
    return Piece("BatchNormalization", config, weights, takes=(place,))
