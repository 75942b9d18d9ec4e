"""Operators that are operations of keras.ops rather than layers, and layers that scale by statistics of the frame."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from . import tflite_forms as forms
from .tflite_graph import Tensor
from .tflite_normalizations import group_axis, is_laid_out, merged
from .tflite_steps import Stored
from .tflite_use import Made, Piece, Unsayable, Use, lengths

__all__ = [
    "ELEMENTWISE", "OPERATIONS", "elementwise", "group_normalization", "l2_normalization", "layer_normalization",
    "reduction", "squared_difference", "unit_normalization",
]  # fmt: skip

ELEMENTWISE = {"ABS": "Absolute", "RSQRT": "Rsqrt", "SQRT": "Sqrt", "SQUARE": "Square"}
_REDUCTIONS = {"MEAN": "Mean", "REDUCE_MAX": "Max", "REDUCE_MIN": "Min", "SUM": "Sum"}

OPERATIONS = frozenset({*ELEMENTWISE.values(), *_REDUCTIONS.values(), "Normalize"})
"""Classes that are operations of keras.ops."""

_L2_FLOOR = 1e-12
_UNIT_FLOOR = 1e-24
"""What the sum of squares is at least in TensorFlow Lite's operator, and in Keras 3's layer."""


def elementwise(use: Use) -> Made:
    """A function of each value that is no activation of Keras's."""
    view = use.view()
    if use.count != 1:
        raise Unsayable
    return use.made(Piece(ELEMENTWISE[use.operator.kind]), implied=view.shape)


def squared_difference(use: Use) -> Made:
    """(x - y)^2."""
    if use.count != 2:
        raise Unsayable
    views = [use.view(0), use.view(1)]
    if len(views[0].shape) != len(views[1].shape):
        raise Unsayable
    implied = [n if m == 1 else m for m, n in zip(views[0].shape, views[1].shape, strict=True)]
    return use.made(Piece("Subtract", takes=(0, 1)), Piece("Square"), implied=implied)


def reduction(use: Use) -> Made:
    """A mean, a sum or the like over any axes but the batch's; over rows and columns, a global pool."""
    view, kind = use.view(), use.operator.kind
    rank, keepdims = len(view.shape), bool(use.option("keep_dims"))
    axes = _axes(use, rank)
    if kind in ("MEAN", "REDUCE_MAX") and rank in (2, 3, 4) and axes == list(range(1, rank)):
        return forms.global_average(use) if kind == "MEAN" else forms.global_maximum(use)
    shape = [1 if axis in axes else n for axis, n in enumerate(view.shape, 1) if keepdims or axis not in axes]
    if view.frames is not None or not shape or len(shape) != len(use.output) - 1:
        raise Unsayable
    return use.made(Piece(_REDUCTIONS[kind], {"axis": axes, "keepdims": keepdims}), implied=shape)


def _axes(use: Use, rank: int) -> list[int]:
    """The axes that are drawn together, counted from the batch's."""
    told = use.ints(1)
    axes = sorted({axis % (rank + 1) for axis in told})
    if not axes or len(axes) != len(told) or axes[0] == 0 or any(not -rank - 1 <= axis <= rank for axis in told):
        raise Unsayable
    return axes


def layer_normalization(use: Use) -> Made:
    """What `tflite_normalizations` folds such a chain into."""
    view, told = use.view(), use.operator.folded
    axes = told["axes"]
    assert isinstance(axes, tuple), "written by tflite_normalizations"
    if len(use.output) != len(view.shape) + 1 or max(axes) > len(view.shape):
        raise Unsayable
    whole = (1, *view.shape)
    along = tuple(view.shape[axis - 1] for axis in axes)
    weights = {name: _stored(tensor, along, whole, axes) for name, tensor in _weights(use).items()}
    return _normalization(use, "LayerNormalization", {"axis": list(axes)}, weights)


def group_normalization(use: Use) -> Made:
    """What `tflite_normalizations` folds such a chain into."""
    view, told = use.view(), use.operator.folded
    axis, axes, grouped = told["axis"], told["axes"], told["grouped"]
    assert isinstance(axis, int), "written by tflite_normalizations"
    assert isinstance(axes, tuple), "written by tflite_normalizations"
    assert isinstance(grouped, tuple), "written by tflite_normalizations"
    shape: tuple[int | None, ...] = (grouped[0], *view.shape)
    first: tuple[Piece, ...] = ()
    if shape == grouped:
        shape = merged(axes, grouped)
        first = (Piece("Reshape", {"target_shape": list(shape[1:])}),)
    if lengths(shape[1:]) is None or group_axis(axes, shape, grouped) != axis or (first and view.frames is not None):
        raise Unsayable
    weights = {
        name: _stored(tensor, shape[axis : axis + 1], (1, *grouped[1:]), (axis, axis + 1))
        for name, tensor in _weights(use).items()
    }
    made = _normalization(use, "GroupNormalization", {"axis": axis, "groups": grouped[axis]}, weights)
    last = (Piece("Activation", {"activation": told["function"]}),) if told["function"] else ()
    return replace(made, pieces=(*first, *made.pieces, *last), shape=shape[1:])


def _weights(use: Use) -> dict[str, Tensor]:
    return {name: use.constant(place) for place, name in ((1, "gamma"), (2, "beta")) if use.has(place)}


def _stored(
    tensor: Tensor, along: tuple[int | None, ...], whole: tuple[int | None, ...], axes: tuple[int, ...]
) -> Stored:
    """A constant as Keras has it: with the lengths that a layer has `along` its axes."""
    known = lengths(along)
    if known is None or not is_laid_out(tensor, whole, axes):
        raise Unsayable
    return Stored(known, tensor)


def _normalization(use: Use, class_name: str, config: dict[str, Any], weights: dict[str, Stored]) -> Made:
    more = {"epsilon": use.operator.folded["epsilon"], "scale": "gamma" in weights, "center": "beta" in weights}
    piece = Piece(class_name, config | more, weights)
    made = use.made(piece, implied=use.view().shape, weights=_taken_last(use), bias=_inside(use))
    return replace(made, is_unfinished=bool(use.operator.folded.get("may go on")))


def _taken_last(use: Use) -> int:
    """The weight that the last operator of what was folded takes, if it takes one."""
    maker = use.makers.get(use.operator.outputs[0])
    return next((n for n in use.operator.inputs[1:] if n >= 0 and maker is not None and n in maker.inputs), -1)


def _inside(use: Use) -> int:
    """A tensor inside what was folded, which has a name even where the output has lost its own."""
    maker = use.makers.get(use.operator.outputs[0])
    own = () if maker is None else (n for n in maker.inputs if n >= 0 and n != use.number(0))
    return next((n for n in own if use.graph.tensors[n].data is None), -1)


def unit_normalization(use: Use) -> Made:
    """What `tflite_normalizations` folds such a chain into."""
    axes, floor = use.operator.folded["axes"], use.operator.folded["floor"]
    assert isinstance(axes, tuple), "written by tflite_normalizations"
    assert isinstance(floor, float), "written by tflite_normalizations"
    return _over_its_length(use, list(axes), floor)


def l2_normalization(use: Use) -> Made:
    """x over its length along the last axis."""
    if use.count != 1:
        raise Unsayable
    return _over_its_length(use, [len(use.view().shape)], _L2_FLOOR)


def _over_its_length(use: Use, axes: list[int], floor: float) -> Made:
    """As Keras 3's layer, or where the sum of squares is bounded otherwise, as the operation that says how."""
    view = use.view()
    if not view.shape or max(axes) > len(view.shape) or len(use.output) != len(view.shape) + 1:
        raise Unsayable
    if math.isclose(floor, _UNIT_FLOOR, rel_tol=1e-6):
        piece = Piece("UnitNormalization", {"axis": axes})
    elif view.frames is None:
        piece = Piece("Normalize", {"axis": axes, "order": 2, "epsilon": math.sqrt(floor)})
    else:
        raise Unsayable
    return use.made(piece, implied=view.shape, bias=_inside(use))
