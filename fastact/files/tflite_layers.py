"""From operators to steps: which Keras layers a network of TensorFlow Lite is made of.

An operator that no Keras layer stands for becomes a step of a class that bears the operator's name, which
the rest of fastact reports as a layer it does not know. Arithmetic on shapes is left out: shapes are in the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from . import tflite_arithmetic as arithmetic
from . import tflite_forms as forms
from . import tflite_frames as frames
from . import tflite_loops as loops
from . import tflite_matching as matching
from . import tflite_operations as operations
from . import tflite_patterns as patterns
from . import tflite_windows as windows
from .tflite_functions import ROOTS as FUNCTIONS
from .tflite_graph import FLOATS, Graph, Operator
from .tflite_names import Naming, Part
from .tflite_normalizations import ROOTS as NORMALIZATIONS
from .tflite_recurrent import recurrent
from .tflite_schema import ACTIVATIONS
from .tflite_steps import Step, View
from .tflite_use import Made, Piece, Unsayable, Use

__all__ = ["ACTIVATED", "steps"]

ACTIVATED = frozenset({"Conv2D", "Conv2DTranspose", "Conv3D", "Dense", "DepthwiseConv2D"})
"""Layers that have an activation of their own."""

_PLAIN = frozenset(
    {"Absolute", "Activation", "Add", "BatchNormalization", "Concatenate", "Dense", "LeakyReLU", "Maximum", "Minimum",
     "Multiply", "ReLU", "Rescaling", "Rsqrt", "Sqrt", "Square", "Subtract"}
)  # fmt: skip
"""Layers that do to a run of frames what they do to each of them."""

_CHAINS = (*NORMALIZATIONS, *FUNCTIONS)

_TRANSLATIONS: Mapping[str, Callable[[Use], Made]] = MappingProxyType(
    dict.fromkeys(arithmetic.FUNCTIONS, arithmetic.function)
    | dict.fromkeys(operations.ELEMENTWISE, operations.elementwise)
    | dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), operations.reduction)
    | dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"), arithmetic.binary)
    | dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), forms.reshape)
    | dict.fromkeys(("UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE"), recurrent)
    | {
        "ALL_FRAMES": forms.all_frames,
        "AVERAGE_POOL_2D": windows.average_pool,
        "CAST": forms.cast,
        "CLIPPED_RELU": arithmetic.clipped_relu,
        "CONCATENATION": forms.concatenation,
        "CONV_2D": windows.conv_2d,
        "CONV_3D": windows.conv_3d,
        "CUSTOM FlexAvgPool3D": windows.average_pool_3d,
        "CUSTOM FlexMaxPool3D": windows.max_pool_3d,
        "DEPTHWISE_CONV_2D": windows.depthwise_conv_2d,
        "EACH_FRAME": forms.each_frame,
        "FULLY_CONNECTED": windows.dense,
        "GELU": arithmetic.gelu,
        "GROUP_NORMALIZATION": operations.group_normalization,
        "L2_NORMALIZATION": operations.l2_normalization,
        "LAYER_NORMALIZATION": operations.layer_normalization,
        "LEAKY_RELU": arithmetic.leaky_relu,
        "MAX_POOL_2D": windows.max_pool,
        "NEG": arithmetic.negative,
        "PAD": forms.pad,
        "PADV2": forms.pad,
        "PRELU": arithmetic.prelu,
        "RELU_0_TO_1": arithmetic.relu_0_to_1,
        "REPEAT_VECTOR": forms.repeat_vector,
        "RESIZE_BILINEAR": forms.resize_bilinear,
        "RESIZE_NEAREST_NEIGHBOR": forms.resize_nearest,
        "SCALED_ELU": arithmetic.scaled_elu,
        "SLICE": forms.strided_slice,
        "SOFTMAX": arithmetic.softmax,
        "SQUARED_DIFFERENCE": operations.squared_difference,
        "STRIDED_SLICE": forms.strided_slice,
        "THRESHOLDED_RELU": arithmetic.thresholded_relu,
        "TILE": forms.tile,
        "TRANSPOSE": forms.transpose,
        "TRANSPOSE_CONV": windows.transpose_conv,
        "UNIT_NORMALIZATION": operations.unit_normalization,
        "UP_SAMPLE": forms.up_sample,
    }
)


def steps(graph: Graph, naming: Naming) -> tuple[list[Step], dict[int, View]]:
    """The network's layers in order, and how each of its tensors looks to Keras."""
    views = {number: View(number, graph.tensors[number].shape[1:]) for number in graph.inputs}
    made: list[Step] = []
    fresh = itertools.count(len(graph.tensors))
    makers = {number: operator for operator in graph.operators for number in operator.outputs}
    for operator in frames.fold(graph, loops.fold(graph, patterns.fold(graph, matching.fold(graph, _CHAINS)))):
        if _is_arithmetic_on_shapes(graph, operator):
            continue
        use = Use(graph, naming, operator, views, makers)
        try:
            made += _translated(use, views, fresh)
        except Unsayable:
            made.append(_unknown(use, views))
    return made, views


def _is_arithmetic_on_shapes(graph: Graph, operator: Operator) -> bool:
    computed = all(graph.tensors[n].kind in ("BOOL", "INT32", "INT64", "UINT32") for n in operator.outputs)
    return computed and not set(operator.outputs) & set(graph.outputs)


def _translated(use: Use, views: dict[int, View], fresh: Iterator[int]) -> list[Step]:
    operator = use.operator
    translate = _TRANSLATIONS.get(operator.kind)
    if translate is None or len(operator.outputs) != 1:
        raise Unsayable
    made = translate(use)
    output = operator.outputs[0]
    function = _fused(operator)
    if not made.pieces:
        if made.alias is None or function is not None:
            raise Unsayable
        views[output] = View(made.alias, made.shape, made.frames, made.frames_first)
        return []
    within = None if made.frames_first else made.frames  # a layer that puts frames first sees all of them
    pieces = [_in_frames(piece, within) for piece in made.pieces]
    if function is not None and made.pieces[-1].class_name not in ACTIVATED:
        pieces.append(Piece("Activation", {"activation": function}))
    elif function is not None:
        pieces[-1] = _activated(pieces[-1], function)
    part = use.naming.result(operator, weights=made.weights, bias=made.bias, activated=function is not None)
    if made.is_unfinished and part is not None:
        part = part.unfinished()
    views[output] = View(output, made.shape, made.frames, made.frames_first)
    if within is not None:
        part = _wrapper(part, use.naming.of(output))
    return list(_linked(use, pieces, part, fresh))


def _fused(operator: Operator) -> str | None:
    """The name of the function that an operator ends with."""
    number = int(operator.options.get("fused_activation_function", 0))
    if number == 0:
        return None
    kind = ACTIVATIONS[number] if 0 < number < len(ACTIVATIONS) else ""
    if kind not in arithmetic.FUNCTIONS:
        raise Unsayable
    return arithmetic.FUNCTIONS[kind]


def _in_frames(piece: Piece, frames: int | None) -> Piece:
    """A layer that sees one frame of a run at a time."""
    if frames is None or piece.class_name in _PLAIN:
        return piece
    if len(piece.takes) != 1:
        raise Unsayable
    inner = {"class_name": piece.class_name, "config": {"name": "layer", **piece.config}}
    return Piece("TimeDistributed", {"layer": inner}, piece.weights, piece.takes)


def _activated(piece: Piece, function: str) -> Piece:
    """A layer with an activation; inside TimeDistributed it is the inner one's."""
    config: dict[str, Any] = dict(piece.config)
    if piece.class_name == "TimeDistributed":
        inner = config["layer"]
        config["layer"] = inner | {"config": inner["config"] | {"activation": function}}
    else:
        config["activation"] = function
    return Piece(piece.class_name, config, piece.weights, piece.takes)


def _wrapper(part: Part | None, parts: list[Part]) -> Part | None:
    """A layer that sees single frames is inside a wrapper, whose name is Keras's for what comes out."""
    inner = next((p for p in parts if "/" in p.layer), None)
    return part if inner is None else Part(inner.layer.rpartition("/")[0], inner.operation)


def _linked(use: Use, pieces: list[Piece], part: Part | None, fresh: Iterator[int]) -> Iterator[Step]:
    """One step a piece, each taking what the one before it gives; the last gives the operator's output."""
    operator = use.operator
    inputs = tuple(use.value(place) for place in pieces[0].takes)
    parts = use.naming.of(operator.outputs[0])
    for piece in pieces[:-1]:
        value = next(fresh)
        own = None if piece.class_name in ("Flatten", "Reshape") else _before(part, parts)
        yield Step(piece.class_name, dict(piece.config), inputs, value, operator.kind, piece.weights, own)
        inputs = (value,)
    last = pieces[-1]
    yield Step(last.class_name, dict(last.config), inputs, operator.outputs[0], operator.kind, last.weights, part)


def _before(part: Part | None, parts: list[Part]) -> Part | None:
    """The layer that a sum or pool belongs to, before the function that the operator ends with."""
    return next((p for p in parts if part is None or p.layer != part.layer), part)


def _unknown(use: Use, views: dict[int, View]) -> Step:
    """A step that stands for an operator no layer stands for."""
    operator = use.operator
    inputs = tuple(view.value for _, view in use.views())
    for number in operator.outputs:
        tensor = use.graph.tensors[number]
        if tensor.kind in FLOATS or number == operator.outputs[0] or number in use.graph.outputs:
            views[number] = View(number, tensor.shape[1:])
    part = use.naming.result(operator) if operator.outputs and inputs else None
    first, *more = operator.outputs or (-1,)
    return Step(operator.kind, {}, inputs, first, operator.kind, part=part, more=tuple(more))
