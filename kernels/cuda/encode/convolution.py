"""Convolutions and dense layers: which tile, and where receptive fields lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import ops
from ...places import Buffer
from .. import tiles
from ..fusion import Conv2DFromBytes, inverse
from ..launch import Argument, Count, Launch
from .base import Target, each_value, encoder, stride

Ints = npt.NDArray[np.int32]

FEW = 4
"""Pixels of a batch up to which a dense layer reads its weights straight from memory: they are read once anyway."""


@dataclass(frozen=True)
class Fields:
    """Receptive fields: cell k of output pixel p lies at starts[p] + cells[k], in floats.

    Where the input is padded, the places in (rows, columns) of the padded input stand behind each.
    """

    starts: Ints
    cells: Ints
    padded: bool


def fields(op: ops.Conv2D | ops.Conv3D | ops.DepthwiseConv2D, x: ops.Shape, y: ops.Shape, depth: int) -> Fields:
    """The receptive fields of a convolution whose weights see `depth` channels of a cell."""
    kernel, axes = op.weights.shape[:-2], len(op.weights.shape) - 2
    steps = [math.prod(x[a + 1 :]) for a in range(axes)]
    starts = _sums([np.arange(n) * s * step for n, s, step in zip(y, op.strides, steps, strict=False)])
    cells = _sums([np.arange(k) * d * step for k, d, step in zip(kernel, op.dilation, steps, strict=True)])
    pads = op.pads if isinstance(op, ops.Conv2D | ops.DepthwiseConv2D) else ops.NO_PADS
    channels = np.arange(depth)
    padded = pads != ops.NO_PADS
    if padded and max(x[0] + sum(pads[:2]), x[1] + sum(pads[2:])) >= 1 << 16:
        raise ValueError(f"a convolution of {x[0]} x {x[1]} cells with zeros around them is too large: 65535 at most")
    if padded:
        top, _, left, _ = pads
        cells = cells - top * steps[0] - left * steps[1]
    found = cells[:, None] + channels
    if not padded:
        return Fields(starts.astype(np.int32), found.reshape(-1).astype(np.int32), padded)
    seen = _places(*(np.arange(n) * s for n, s in zip(y[:2], op.strides, strict=True)))
    within = _places(*(np.arange(k) * d for k, d in zip(kernel, op.dilation, strict=True)))
    return Fields(_paired(starts, seen), _paired(found, within[:, None]), padded)


def _sums(parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """All sums of one number of each part, the last part's fastest."""
    total = np.zeros(1, np.int64)
    for part in parts:
        total = (total[:, None] + part).reshape(-1)
    return total


def _places(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A number for each row and column, the row in its upper 16 bits."""
    return _sums([rows << 16, columns])


def _paired(offsets: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> Ints:
    both = np.stack(np.broadcast_arrays(offsets, places), axis=-1)
    return both.reshape(-1).astype(np.uint32).view(np.int32)


@encoder(ops.Conv2D)
def _conv2d(op: ops.Conv2D, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    if op.weights.shape[2] == 1 and op.groups == x.shape[-1]:
        weights = op.weights.reshape(*op.weights.shape[:2], x.shape[-1], -1)
        return depthwise(ops.DepthwiseConv2D(weights, op.bias, op.strides, op.pads, op.dilation, op.low, op.high), x, y)
    return multiplied(op, fields(op, x.shape, y.shape, op.weights.shape[2]), x, y, target)


@encoder(Conv2DFromBytes)
def _conv2d_from_bytes(op: Conv2DFromBytes, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    return multiplied(op.conv, fields(op.conv, x.shape, y.shape, op.conv.weights.shape[2]), x, y, target, op.divisor)


def multiplied(
    op: ops.Conv2D | ops.Conv3D, seen: Fields, x: Buffer, y: Buffer, target: Target, divisor: float | None = None
) -> list[Launch]:
    """The launch of a convolution: a matrix product of its receptive fields and its weights.

    The input is floats, or, where there is a `divisor`, bytes to be divided by it.
    """
    *kernel, depth, filters = op.weights.shape
    group_filters, products, pixels = filters // op.groups, math.prod(kernel) * depth, math.prod(y.shape[:-1])
    tile = tiles.choose(pixels * target.frames, group_filters, products, op.groups, target.board)
    _, down = tiles.blocks(tile, pixels, group_filters, op.groups)
    arguments: tuple[Argument, ...] = (
        x.place, seen.starts, seen.cells, op.weights, op.bias, y.place,
        Count(pixels), pixels, products, filters, group_filters, down // op.groups, depth,
        float(op.low), float(op.high), *_frame_of(op, x),
        divisor or 1.0, inverse(divisor or 1.0), stride(x, 4 if divisor is None else 1), stride(y),
    )  # fmt: skip
    name = tiles.kernel_name(tile, padded=seen.padded, in_bytes=divisor is not None)
    return [Launch(name, (pixels, down), arguments, tile.block_pixels)]


def _frame_of(op: ops.Conv2D | ops.Conv3D | ops.DepthwiseConv2D, x: Buffer) -> tuple[int, int, int, int]:
    """The input's rows and columns, and those of zeros above it and to its left."""
    if isinstance(op, ops.Conv3D):
        return 0, 0, 0, 0
    return x.shape[0], x.shape[1], op.pads[0], op.pads[2]


@encoder(ops.DepthwiseConv2D)
def _depthwise_conv2d(op: ops.DepthwiseConv2D, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    return depthwise(op, inputs[0], y)


def depthwise(op: ops.DepthwiseConv2D, x: Buffer, y: Buffer) -> list[Launch]:
    """The launch of a convolution of each channel by itself: a thread for each value."""
    seen = fields(op, x.shape, y.shape, 1)
    taps, filters = math.prod(op.weights.shape[:2]), y.shape[-1]
    arguments: tuple[Argument, ...] = (
        x.place, seen.starts, seen.cells, op.weights, op.bias, y.place,
        math.prod(y.shape), taps, filters, op.weights.shape[3], float(op.low), float(op.high), *_frame_of(op, x),
        stride(x), stride(y),
    )  # fmt: skip
    return [each_value(f"depthwise{'_padded' * seen.padded}", y, *arguments)]


@encoder(ops.Conv3D)
def _conv3d(op: ops.Conv3D, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    return multiplied(op, fields(op, x.shape, y.shape, op.weights.shape[3]), x, y, target)


@encoder(ops.Dense)
def _dense(op: ops.Dense, inputs: Sequence[Buffer], y: Buffer, target: Target) -> list[Launch]:
    (x,) = inputs
    length, units = op.weights.shape
    pixels = math.prod(y.shape) // units
    if pixels * target.frames > FEW:
        conv = ops.Conv2D(op.weights.reshape(1, 1, length, units), op.bias, low=op.low, high=op.high)
        image, result = Buffer(x.place, (1, pixels, length)), Buffer(y.place, (1, pixels, units))
        return multiplied(conv, fields(conv, image.shape, result.shape, length), image, result, target)
    parts = -(-length // tiles.PART)
    rest = np.zeros((target.frames, pixels, parts, units), np.float32)  # written by the first launch for the second
    return [
        Launch(
            "dense_parts", (-(-units // tiles.SUMS) * pixels, parts),
            (x.place, op.weights, rest, length, units, pixels, parts, stride(x)),
        ),
        each_value(
            "dense_sum", y, rest, op.bias, y.place, pixels * units, units, parts, float(op.low), float(op.high),
            stride(y),
        ),
    ]  # fmt: skip
