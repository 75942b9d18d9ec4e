"""Layers that scale values by statistics of the frame, put together again from the operators that compute them.

LayerNormalization and GroupNormalization of Keras 3 and tf-keras, whose chains differ, and UnitNormalization. Every
operator of a chain is checked, with its axes and the shapes of its constants; where one differs, all of them stay.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .tflite_arithmetic import FUNCTIONS
from .tflite_graph import Graph, Operator, Tensor
from .tflite_matching import Grammar, Match, Matcher, Root

__all__ = ["ROOTS", "group_axis", "is_laid_out", "merged"]

_MEAN: Grammar = {
    "mean": [("MEAN", "x", "axes")],
    "variance": [("MEAN", "squares", "axes")],
    "squares": [("SQUARED_DIFFERENCE", "x", "mean"), ("SQUARE", "apart")],
    "apart": [("SUB", "x", "mean")],
}
"""Mean and variance."""

_WEIGHTED: Grammar = {
    **_MEAN,
    "mean": [("SELECT_V2", "none", "zero", "quotient")],
    "variance": [("SELECT_V2", "none", "zero", "quotient of squares")],
    "none": [("EQUAL", "count", "zero")],
    "quotient": [("DIV", "total", "count")],
    "quotient of squares": [("DIV", "total of squares", "count")],
    "total": [("SUM", "weighted", "axes")],
    "total of squares": [("SUM", "weighted squares", "axes")],
    "count": [("SUM", "weights", "axes")],
    "weighted": [("MUL", "ones", "x")],
    "weighted squares": [("MUL", "ones", "squares")],
    "weights": [("ADD", "ones", "zeros")],
    "zeros": [("ZEROS_LIKE", "x")],
    "ones": [("RESHAPE", "one", "_")],
}
"""The same as tf-keras's weighted moments, all weights being one."""

_SCALED: Grammar = {
    "y": [("ADD", "scaled", "shift")],
    "scaled": [("MUL", "x", "factor")],
    "shift": [("ADD", "less", "beta"), ("MUL", "negative", "factor"), ("SUB", "beta", "moved")],
    "less": [("MUL", "negative", "factor")],
    "moved": [("MUL", "mean", "factor")],
    "negative": [("NEG", "mean")],
    "factor": [("MUL", "inverse", "gamma"), ("RSQRT", "sum")],
    "inverse": [("RSQRT", "sum")],
    "sum": [("ADD", "variance", "epsilon")],
}
"""(x - mean) / sqrt(variance + epsilon), times gamma, plus beta."""

_LAYER: Grammar = {**_SCALED, **_MEAN}
_OF_ONE_VALUE: Grammar = {
    **_SCALED,
    "moved": [("MUL", "x", "factor")],
    "negative": [("NEG", "x")],
    "sum": [("ADD", "squares", "epsilon")],
    "squares": [("SQUARED_DIFFERENCE", "x", "x")],
}
"""Over an axis of one value, which is its own mean."""

_AS_ROWS: Grammar = {
    "y": [("ADD", "scaled by gamma", "beta"), ("MUL", "as it was", "gamma"), ("RESHAPE", "in columns", "_")],
    "scaled by gamma": [("MUL", "as it was", "gamma"), ("RESHAPE", "in columns", "_")],
    "as it was": [("RESHAPE", "in columns", "_")],
    "in columns": [("TRANSPOSE", "normal", "back")],
    "normal": [("ADD", "scaled", "shift")],
    "scaled": [("MUL", "rows", "factor")],
    "shift": [("SUB", "zeros", "moved")],
    "moved": [("MUL", "mean", "factor")],
    "factor": [("MUL", "ones", "inverse")],
    "inverse": [("RSQRT", "sum")],
    "sum": [("ADD", "variance", "epsilon")],
    "variance": [("MEAN", "squares", "axes")],
    "squares": [("SQUARED_DIFFERENCE", "rows", "mean")],
    "mean": [("MEAN", "rows", "axes")],
    "rows": [("TRANSPOSE", "columns", "there")],
    "columns": [("RESHAPE", "x", "_")],
    "ones": [("FILL", "_", "one")],
    "zeros": [("FILL", "_", "zero")],
}
"""tf-keras's, over the last axes: a batch normalization of one image, whose channels are the rows to be normalized."""


def _grouped(moments: Grammar) -> Grammar:
    """A normalization of the channels split into groups."""
    return {
        **_SCALED,
        **moments,
        "y": [("RESHAPE", "normal", "_"), ("RESHAPE", "function", "_")],
        "normal": _SCALED["y"],
        "function": [(kind, "normal") for kind in FUNCTIONS],
        "x": [("RESHAPE", "source", "_")],
    }


_GROUPS = _grouped(_MEAN), _grouped(_WEIGHTED)

_UNIT: Grammar = {
    "y": [("MUL", "x", "factor")],
    "factor": [("MINIMUM", "inverse", "limit"), ("RSQRT", "bounded")],
    "inverse": [("RSQRT", "total")],
    "bounded": [("MAXIMUM", "total", "limit")],
    "total": [("SUM", "squares", "axes"), ("SQUARE", "x")],
    "squares": [("SQUARE", "x")],
}
"""x over its length: in Keras 3 the factor is bounded, in tf-keras the sum."""


def _group(matcher: Matcher, last: Operator) -> tuple[Operator, Match] | None:
    graph = matcher.graph
    for match in itertools.chain.from_iterable(matcher.matches(one, last, ("y", "normal")) for one in _GROUPS):
        bound, axes, epsilon = match.bound, _axes(matcher, match), matcher.number(match.bound["epsilon"])
        x, grouped = "source", graph.tensors[bound["x"]].shape
        shape = graph.tensors[bound["source"]].shape
        axis = None if axes is None else group_axis(axes, shape, grouped)
        if axis is None and axes is not None:  # the converter gave its groups to what was of another shape still
            x, shape = "x", merged(axes, grouped)
            axis = group_axis(axes, shape, grouped)
        if axis is None or not _is_epsilon(epsilon) or not _agree(shape, graph.tensors[last.outputs[0]].shape):
            continue
        if not _are_laid_out(matcher, bound, grouped, (axis, axis + 1)) or not _are_weights_one(matcher, bound):
            continue
        function = FUNCTIONS[matcher.makers[bound["function"]].kind] if "function" in bound else None
        told = {"axis": axis, "axes": axes, "grouped": grouped, "epsilon": epsilon, "function": function}
        return _operator("GROUP_NORMALIZATION", bound[x], match, last, told), match
    return None


def _layer(matcher: Matcher, last: Operator) -> tuple[Operator, Match] | None:
    for match in itertools.chain.from_iterable(matcher.matches(one, last) for one in (_LAYER, _OF_ONE_VALUE)):
        x, epsilon = matcher.graph.tensors[match.bound["x"]], matcher.number(match.bound["epsilon"])
        axes = _axes(matcher, match)
        if axes is not None and _is_epsilon(epsilon) and _are_laid_out(matcher, match.bound, x.shape, axes):
            return _layer_operator(match, last, axes, epsilon), match
    return None


def _layer_operator(match: Match, last: Operator, axes: tuple[int, ...], epsilon: float | None) -> Operator:
    told = {"axes": axes, "epsilon": epsilon}
    return _operator("LAYER_NORMALIZATION", match.bound["x"], match, last, told)


def _as_rows(matcher: Matcher, last: Operator) -> tuple[Operator, Match] | None:
    graph = matcher.graph
    for match in matcher.matches(_AS_ROWS, last):
        bound = match.bound
        x, columns = graph.tensors[bound["x"]].shape, graph.tensors[bound["columns"]].shape
        orders = graph.ints(bound["there"]), graph.ints(bound["back"]), graph.ints(bound["axes"])
        if orders != ((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 2)) or len(columns) != 4 or not _is_of_its_own(graph, match):
            continue
        if (columns[0], columns[3]) != (1, 1) or not _agree(x, graph.tensors[last.outputs[0]].shape):
            continue
        if matcher.number(bound["one"]) != 1 or matcher.number(bound["zero"]) != 0:
            continue
        plain = all(len(graph.tensors[bound[name]].shape) == 1 for name in ("ones", "zeros", "mean", "variance"))
        axes, epsilon = _last_axes(x, columns[2]), matcher.number(bound["epsilon"])
        if axes is not None and plain and _is_epsilon(epsilon) and _are_laid_out(matcher, bound, x, axes):
            made = _layer_operator(match, last, axes, epsilon)
            return replace(made, folded={**made.folded, "may go on": _may_go_on(matcher, match, last)}), match
    return None


def _may_go_on(matcher: Matcher, match: Match, last: Operator) -> bool:
    """Whether the converter may have put gamma and beta into the weights of a dense layer that follows."""
    dense = any(one.kind == "FULLY_CONNECTED" for one in matcher.takers(last.outputs[0]))
    return dense and not {"gamma", "beta"}.issubset(match.bound) and not match.function


def _is_of_its_own(graph: Graph, match: Match) -> bool:
    """Whether gamma and beta have their names from the layer, and not from another one after it."""
    names = [graph.tensors[match.bound[name]].name for name in ("gamma", "beta") if name in match.bound]
    scope = graph.tensors[match.bound["columns"]].name.partition(";")[0].rpartition("/")[0]
    return not names or (bool(scope) and all(name.startswith(f"{scope}/") for name in names))


def _last_axes(shape: Sequence[int | None], count: int | None) -> tuple[int, ...] | None:
    """The last axes, as few as are `count` values together."""
    product = 1
    for axis in range(len(shape) - 1, 0, -1):
        length = shape[axis]
        if length is None:
            return None
        product *= length
        if product == count:
            return tuple(range(axis, len(shape)))
    return None


_SMALLEST_FLOOR = 1e-12


def _unit(matcher: Matcher, last: Operator) -> tuple[Operator, Match] | None:
    for match in matcher.matches(_UNIT, last):
        axes, limit = _axes(matcher, match), matcher.number(match.bound["limit"])
        if axes is None or limit is None:
            continue
        floor = limit
        if limit == 0 and matcher.graph.tensors[match.bound["limit"]].kind == "FLOAT16":
            floor = _SMALLEST_FLOOR  # Keras's 1e-12 is 0 there
        if "bounded" not in match.bound:
            floor = limit**-2 if 0 < limit < math.inf else 0.0
        if 0 < floor < 1:
            return _operator("UNIT_NORMALIZATION", match.bound["x"], match, last, {"axes": axes, "floor": floor}), match
    return None


def _operator(kind: str, x: int, match: Match, last: Operator, told: Mapping[str, object]) -> Operator:
    """What stands for a chain: takes x, gamma and beta."""
    inputs = (x, match.bound.get("gamma", -1), match.bound.get("beta", -1))
    return Operator(kind, inputs, last.outputs, {"fused_activation_function": match.function}, told)


def _axes(matcher: Matcher, match: Match) -> tuple[int, ...] | None:
    """The axes that all of a chain's sums and means are over, which keep them; without such, the last of one cell."""
    shape = matcher.graph.tensors[match.bound["x"]].shape
    rank = len(shape)
    axes = matcher.graph.ints(match.bound["axes"]) if "axes" in match.bound else (-1,) if shape[-1:] == (1,) else None
    kept = all(one.options.get("keep_dims") for one in match.inside if one.kind in ("MEAN", "SUM"))
    if not axes or not kept or any(not -rank <= axis < rank for axis in axes):
        return None
    found = tuple(sorted({axis % rank for axis in axes}))
    return found if len(found) == len(axes) and found[0] > 0 else None


def _is_epsilon(epsilon: float | None) -> bool:
    return epsilon is not None and 0 <= epsilon < math.inf


def _are_weights_one(matcher: Matcher, bound: Mapping[str, int]) -> bool:
    """Whether the weights of weighted moments, if they are such, are one for every value."""
    if "ones" not in bound:
        return True
    shapes = [matcher.graph.tensors[bound[name]].shape for name in ("ones", "zeros", "x")]
    return matcher.number(bound["one"]) == 1 and matcher.number(bound["zero"]) == 0 and shapes.count(shapes[0]) == 3


def _are_laid_out(matcher: Matcher, bound: Mapping[str, int], shape: Sequence[int | None], axes: Sequence[int]) -> bool:
    """Whether gamma and beta, those of them there are, have a value for each place along the axes."""
    found = (matcher.graph.tensors[bound[name]] for name in ("gamma", "beta") if name in bound)
    return all(is_laid_out(tensor, shape, axes) for tensor in found)


def is_laid_out(tensor: Tensor, shape: Sequence[int | None], axes: Sequence[int]) -> bool:
    """Whether a constant has a value for each place along some axes of a shape, and one for all along the others."""
    missing = len(shape) - len(tensor.shape)
    wanted = tuple(n if axis in axes else 1 for axis, n in enumerate(shape))
    return missing >= 0 and _agree((1,) * missing + tuple(tensor.shape), wanted)


def _agree(first: Sequence[int | None], second: Sequence[int | None]) -> bool:
    """Whether two shapes are the same as far as the file knows them."""
    return len(first) == len(second) and all(n == m or None in (n, m) for n, m in zip(first, second, strict=True))


def merged(axes: Sequence[int], grouped: Sequence[int | None]) -> tuple[int | None, ...]:
    """The shape of what was split into groups along the one axis that the means are not over."""
    left = [axis for axis in range(1, len(grouped) - 1) if axis not in axes]
    if len(left) != 1 or None in grouped[1:]:
        return ()
    groups, each = (n or 0 for n in grouped[left[0] : left[0] + 2])
    return (*grouped[: left[0]], groups * each, *grouped[left[0] + 2 :])


def group_axis(axes: Sequence[int], source: Sequence[int | None], grouped: Sequence[int | None]) -> int | None:
    """The axis of `source` that `grouped` has as two, groups and what is in them, if the means are over all others.

    The groups' axis is the one beside the batch's that `axes` leave out.
    """
    left = [axis for axis in range(1, len(grouped)) if axis not in axes]
    if len(left) != 1 or len(grouped) != len(source) + 1 or left[0] + 1 >= len(grouped):
        return None
    axis = left[0]
    groups, each = grouped[axis], grouped[axis + 1]
    if groups is None or each is None or groups < 1 or groups * each != source[axis]:
        return None
    return axis if _agree(source, (*grouped[:axis], groups * each, *grouped[axis + 2 :])) else None


ROOTS = tuple(
    Root(kind, "RSQRT", making)
    for kind, making in (
        ("RESHAPE", _group),
        ("ADD", _layer),
        ("ADD", _as_rows),
        ("MUL", _as_rows),
        ("MUL", _unit),
        ("RESHAPE", _as_rows),
    )
)
"""What chains end with, the longer ones first."""
