"""Operators with windows and weights: convolutions, dense layers, pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import tflite_lengths
from .tflite_graph import Tensor
from .tflite_schema import PADDINGS
from .tflite_steps import Floats, Stored, View
from .tflite_use import Made, Piece, Unsayable, Use, size

__all__ = [
    "average_pool", "average_pool_3d", "conv_2d", "conv_3d", "dense", "depthwise_conv_2d", "max_pool", "max_pool_3d",
    "transpose_conv",
]  # fmt: skip


def _kernel(tensor: Tensor, *, order: tuple[int, ...]) -> Stored:
    """Weights with their axes put in Keras's order."""
    stored = _lengths(tensor)
    shape = tuple(stored[axis] for axis in order)

    def arrange(numbers: Floats) -> Floats:
        return np.ascontiguousarray(numbers.reshape(stored).transpose(order))

    return Stored(shape, tensor, arrange)


def _lengths(tensor: Tensor) -> tuple[int, ...]:
    return tuple(1 if n is None else n for n in tensor.shape)


def _padding(use: Use) -> str:
    folded = use.operator.folded.get("padding")
    if isinstance(folded, str):
        return folded
    number = use.option("padding")
    if not 0 <= number < len(PADDINGS):
        raise Unsayable
    return PADDINGS[number]


def _steps(use: Use, what: str, axes: str) -> list[int]:
    """Strides or dilation along rows and columns (and frames)."""
    folded = use.operator.folded.get(what)
    if isinstance(folded, tuple):
        return list(folded)
    names = {"strides": "stride_{}", "dilation_rate": "dilation_{}_factor"}
    values = [use.option(names[what].format(axis)) for axis in axes]
    if min(values) < 1:
        raise Unsayable
    return values


def _window(use: Use, axes: str = "hw") -> dict[str, Any]:
    return {"strides": _steps(use, "strides", axes), "padding": _padding(use), "data_format": "channels_last"}


def _weights(kernel: Stored, bias: Tensor | None, name: str = "kernel") -> dict[str, Stored]:
    return {name: kernel} if bias is None else {name: kernel, "bias": Stored(_lengths(bias), bias)}


def _places(view: View, config: Mapping[str, Any], kernel: Sequence[int], filters: int | None) -> list[int | None]:
    """The shape that a window's places make."""
    found: list[int | None] = []
    rates = config.get("dilation_rate", [1] * len(kernel))
    for length, width, stride, rate in zip(view.shape, kernel, config["strides"], rates, strict=False):
        reach = 0 if config["padding"] == "same" else (width - 1) * rate
        found.append(None if length is None else -(-(length - reach) // stride))
    return [*found, filters]


def conv_2d(use: Use) -> Made:
    """OHWI weights; fewer input channels in them than in the input mean groups."""
    view, stored = use.spatial(3), use.constant(1, 4)
    filters, rows, columns, channels = _lengths(stored)
    given = view.shape[-1]
    groups = 1 if given is None or channels == 0 else given // channels
    if given is not None and (groups * channels != given or groups < 1 or filters % groups):
        raise Unsayable
    bias = use.bias(2, filters)
    config = _window(use) | {
        "filters": filters,
        "kernel_size": [rows, columns],
        "dilation_rate": _steps(use, "dilation_rate", "hw"),
        "groups": groups,
        "use_bias": bias is not None,
    }
    piece = Piece("Conv2D", config, _weights(_kernel(stored, order=(1, 2, 3, 0)), bias))
    implied = _places(view, config, (rows, columns), filters)
    return use.made(piece, implied=implied, weights=use.number(1), bias=-1 if bias is None else bias.number)


def depthwise_conv_2d(use: Use) -> Made:
    """Weights (1, rows, columns, channels x multiplier); from a single channel, a plain convolution."""
    view, stored = use.spatial(3), use.constant(1, 4)
    one, rows, columns, filters = _lengths(stored)
    channels = view.shape[-1]
    if channels is None or one != 1 or channels < 1 or filters % channels or filters < channels:
        raise Unsayable
    bias = use.bias(2, filters)
    config = _window(use) | {
        "kernel_size": [rows, columns],
        "dilation_rate": _steps(use, "dilation_rate", "hw"),
        "use_bias": bias is not None,
    }
    if channels == 1 and filters > 1:
        class_name, config = "Conv2D", config | {"filters": filters, "groups": 1}
        weights = _weights(Stored((rows, columns, 1, filters), stored), bias)
    else:
        class_name, config = "DepthwiseConv2D", config | {"depth_multiplier": filters // channels}
        weights = _weights(Stored((rows, columns, channels, filters // channels), stored), bias, "depthwise_kernel")
    piece = Piece(class_name, config, weights)
    implied = _places(view, config, (rows, columns), filters)
    return use.made(piece, implied=implied, weights=use.number(1), bias=-1 if bias is None else bias.number)


def transpose_conv(use: Use) -> Made:
    """Takes its output's shape, OHWI weights, and its input; Keras keeps weights HWOI."""
    view, stored = use.spatial(3, 2), use.constant(1, 4)
    filters, rows, columns, channels = _lengths(stored)
    if view.shape[-1] not in (None, channels) or len(use.output) != 4:
        raise Unsayable
    bias = use.bias(3, filters)
    config = _window(use) | {
        "filters": filters,
        "kernel_size": [rows, columns],
        "use_bias": bias is not None,
    }
    for axis, width, stride in zip((1, 2), (rows, columns), config["strides"], strict=True):
        more = max(width - stride, 0) if config["padding"] == "valid" else 0
        if not _is_enlarged(use, view.shape[axis - 1], axis, stride, more):
            raise Unsayable  # Keras's output_padding, of which the file keeps only the result
    piece = Piece("Conv2DTranspose", config, _weights(_kernel(stored, order=(1, 2, 0, 3)), bias), takes=(2,))
    return use.made(piece, weights=use.number(1), bias=-1 if bias is None else bias.number)


def _is_enlarged(use: Use, given: int | None, axis: int, stride: int, more: int) -> bool:
    """Whether what comes out along an axis is `stride` times as long as what is `given`, and `more`."""
    got = use.output[axis]
    if got is not None:
        return given is not None and got == given * stride + more
    line = tflite_lengths.line(use, axis)
    return line == (stride, more) or (line is not None and given is not None and line == (0, given * stride + more))


def conv_3d(use: Use) -> Made:
    """DHWIO weights, as Keras has them."""
    view, stored = use.spatial(4), use.constant(1, 5)
    *kernel_size, channels, filters = _lengths(stored)
    if view.shape[-1] not in (None, channels):
        raise Unsayable
    bias = use.bias(2, filters)
    config = _window(use, "dhw") | {
        "filters": filters,
        "kernel_size": kernel_size,
        "dilation_rate": _steps(use, "dilation_rate", "dhw"),
        "groups": 1,
        "use_bias": bias is not None,
    }
    piece = Piece("Conv3D", config, _weights(Stored(_lengths(stored), stored), bias))
    return use.made(piece, weights=use.number(1), bias=-1 if bias is None else bias.number)


def _pool(use: Use, class_name: str) -> Made:
    view = use.spatial(3)
    sizes = [use.option("filter_height"), use.option("filter_width")]
    if min(sizes) < 1:
        raise Unsayable
    config = _window(use) | {"pool_size": sizes}
    return use.made(Piece(class_name, config), implied=_places(view, config, sizes, view.shape[-1]))


def max_pool(use: Use) -> Made:
    """The largest value of each window."""
    return _pool(use, "MaxPooling2D")


def average_pool(use: Use) -> Made:
    """The mean of each window's cells inside the input, in TensorFlow Lite as in Keras."""
    return _pool(use, "AveragePooling2D")


def _pool_3d(use: Use, class_name: str) -> Made:
    """TensorFlow's own operator: TensorFlow Lite has none."""
    view, told = use.spatial(4), use.operator.folded
    sizes, strides, padding = told.get("ksize"), told.get("strides"), told.get("padding")
    if told.get("data_format", "NDHWC") != "NDHWC" or padding not in ("SAME", "VALID"):
        raise Unsayable
    if not isinstance(sizes, tuple) or not isinstance(strides, tuple) or {len(sizes), len(strides)} != {5}:
        raise Unsayable
    if {sizes[0], sizes[-1], strides[0], strides[-1]} != {1} or min(*sizes, *strides) < 1:
        raise Unsayable
    config: dict[str, Any] = {
        "pool_size": list(sizes[1:-1]),
        "strides": list(strides[1:-1]),
        "padding": str(padding).lower(),
        "data_format": "channels_last",
    }
    return use.made(Piece(class_name, config), implied=_places(view, config, sizes[1:-1], view.shape[-1]))


def max_pool_3d(use: Use) -> Made:
    """The largest value of each window over frames, rows and columns."""
    return _pool_3d(use, "MaxPooling3D")


def average_pool_3d(use: Use) -> Made:
    """The mean of each window over frames, rows and columns."""
    return _pool_3d(use, "AveragePooling3D")


def dense(use: Use) -> Made:
    """Weights (units, inputs); the operator flattens its input to rows of as many numbers as it takes."""
    view, stored = use.view(), use.constant(1, 2)
    units, width = _lengths(stored)
    bias = use.bias(2, units)
    if use.option("weights_format"):
        raise Unsayable
    config = {"units": units, "use_bias": bias is not None}
    piece = Piece("Dense", config, _weights(_kernel(stored, order=(1, 0)), bias))
    names = use.number(1), -1 if bias is None else bias.number
    pieces: tuple[Piece, ...] = (piece,)
    shape, frames = (*view.shape[:-1], units), view.frames
    rank, last = len(view.shape), view.shape[-1] if view.shape else None
    rows = use.operator.folded.get("rows")
    if isinstance(rows, tuple):
        rows = _completed(rows, view.shape[:-1])
        shape = (*rows, units)
        if rows != view.shape[:-1]:
            pieces = (_rows(view, (*rows, width)), piece)
    elif rank > 1 and not use.option("keep_num_dims"):
        if size(view.shape) in (None, width):
            pieces, shape = (Piece("Flatten"), piece), (units,)
        elif last == width and rank == 2 and frames is None:  # the rows have become a batch of their own
            shape, frames = (units,), view.shape[0]
        else:
            raise Unsayable
    elif last not in (None, width) or not rank:
        raise Unsayable
    return Made(pieces, shape, frames, weights=names[0], bias=names[1])


def _rows(view: View, shape: tuple[int | None, ...]) -> Piece:
    """The rows that a dense layer takes, regrouped."""
    if view.frames is not None or shape.count(None) > 1:
        raise Unsayable
    return Piece("Reshape", {"target_shape": [-1 if n is None else n for n in shape]})


def _completed(rows: tuple[int | None, ...], given: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The rows, one of which the file may leave open, as they were given if they can be the same."""
    same = len(rows) == len(given) and all(n in (None, m) for n, m in zip(rows, given, strict=True))
    return given if same and rows.count(None) <= 1 else rows
