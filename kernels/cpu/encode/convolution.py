"""Convolutions and dense layers: which tiles compute which filters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ... import ops
from ...places import Buffer
from ..pairing import PairedConv2D
from ..steps import Row
from ..tiles import DEPTHWISE, PAIRED, TILES, depthwise_name, paired_name, split, whole
from .base import bits, count, encoder

SUM = 128
"""Products that a convolution adds up in one float32 sum, about: the rounding error of a sum grows with its length."""


@encoder(ops.Conv2D)
def _conv2d(op: ops.Conv2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    return (
        depthwise(op, x, y, registers) if op.groups == x.shape[-1] == y.shape[-1] else multiplied(op, x, y, registers)
    )


def multiplied(op: ops.Conv2D | ops.Conv3D, x: Buffer, y: Buffer, registers: str) -> list[Row]:
    """The rows of a convolution that makes a map of rows, columns and filters; x may have planes before its rows."""
    (rows, columns, filters), channels = y.shape, x.shape[-1]
    depth, kernel = op.weights.shape[-2], op.weights.shape[:-2]
    steps = [math.prod(x.shape[a + 1 :]) for a in range(len(kernel))]
    row_step, column_step = (4 * stride * step for stride, step in zip(op.strides[-2:], steps[-2:], strict=True))
    jumps = [d * step for d, step in zip(op.dilation, steps, strict=True)]
    if depth == channels and op.dilation[-1] == 1:  # a row of the receptive field is contiguous
        kernel, length = kernel[:-1], kernel[-1] * channels
    else:
        length = depth
    offsets = [sum(k * jump for k, jump in zip(place, jumps, strict=False)) for place in np.ndindex(*kernel)]
    segments, together = _runs(offsets, length)
    per_group = filters // op.groups
    products = math.prod(op.weights.shape[:-1])
    made: list[Row] = []
    for block in split(TILES[registers], rows * columns, per_group, products, filters):
        tile = TILES[registers][block.tile]
        # One row takes all blocks of a group, or the one block of all groups, whichever there are more of; a row for
        # each where pixels share vectors, since their weights are repeated.
        over_groups = block.count == 1 and tile.cluster == 1
        for group in [0] if over_groups else range(op.groups):
            first = group * per_group + block.first
            weights, bias, weight_step = op.weights.reshape(-1)[first:], op.bias[first:], filters
            if tile.cluster > 1:
                own = slice(first, first + tile.filters)
                weights, bias = np.tile(op.weights[..., own], tile.cluster), np.tile(op.bias[own], tile.cluster)
                weight_step = tile.cluster * tile.filters
            made.append([
                tile.name, x.place + 4 * group * depth, y.place + 4 * first, weights, bias,
                rows * columns, columns, row_step, column_step,
                segments, len(segments), together, weight_step, filters, block.last, bits(op.low), bits(op.high),
                op.groups if over_groups else block.count,
                4 * depth if over_groups else 0,
                4 * (per_group if over_groups else block.stride), 1,
            ])  # fmt: skip
    return made


def depthwise(op: ops.Conv2D | ops.DepthwiseConv2D, x: Buffer, y: Buffer, registers: str) -> list[Row]:
    """The rows of a convolution of each channel by itself: vectors of channels take the place of those of filters."""
    (_, width, channels), (rows, columns, _) = x.shape, y.shape
    kh, kw = op.weights.shape[:2]
    (sy, sx), (dy, dx) = op.strides, op.dilation
    starts = [channels * dy * width * ky for ky in range(kh)]
    segments = np.array([(start, start + channels * dx * kw) for start in starts], np.int64)
    made: list[Row] = []
    for block in split(DEPTHWISE[registers], rows * columns, channels, kh * kw):
        made.append([
            depthwise_name(DEPTHWISE[registers][block.tile]), x.place + 4 * block.first, y.place + 4 * block.first,
            op.weights.reshape(-1)[block.first:], op.bias[block.first:],
            rows * columns, columns, 4 * sy * width * channels, 4 * sx * channels,
            segments, kh, max(1, SUM // kw), channels, channels, block.last, bits(op.low), bits(op.high),
            block.count, 4 * block.stride, 4 * block.stride, channels * dx,
        ])  # fmt: skip
    return made


@encoder(ops.DepthwiseConv2D)
def _depthwise_conv2d(op: ops.DepthwiseConv2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    return depthwise(op, inputs[0], y, registers)


def _runs(offsets: Sequence[int], length: int) -> tuple[npt.NDArray[np.int64], int]:
    """The runs (from, to) that the micro-kernel adds up, none much longer than SUM, and how many make one sum."""
    parts = max(1, round(length / SUM))
    cuts = [length * i // parts for i in range(parts + 1)]
    runs = [(offset + a, offset + b) for offset in offsets for a, b in itertools.pairwise(cuts)]
    return np.array(runs, np.int64), max(1, SUM * parts // length)


@encoder(PairedConv2D)
def _paired(op: PairedConv2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x, room), conv = inputs, op.conv
    (_, width, depth), (rows, columns, filters) = x.shape, y.shape
    pairs = rows * -(-columns // 2)
    down, across = (4 * stride * step for stride, step in zip(conv.strides, (width * depth, depth), strict=True))
    spread, offsets = _spread(op, width, depth)
    parts = [_runs(own, depth) for own in offsets]
    segments = np.concatenate([part for part, _ in parts])
    first_segments = itertools.accumulate((len(part) for part, _ in parts), initial=0)
    first_weights = itertools.accumulate(op.sums, initial=0)
    sums = np.array([
        (first, len(part), together, row)
        for first, (part, together), row in zip(first_segments, parts, first_weights, strict=False)
    ])  # fmt: skip
    bias = np.zeros((4, filters), np.float32)
    bias[1] = conv.bias  # the second sum is part of both pixels
    tile = whole(PAIRED[registers], pairs, filters, max(op.sums))
    size = tile.vectors * tile.width
    return [[
        paired_name(tile), x.place, y.place, op.weights, bias, pairs, columns, down, across,
        segments, spread, len(spread), filters, sum(op.sums), min(size, filters) - tile.width,
        bits(conv.low), bits(conv.high), -(-filters // size), across, max(0, filters - size), depth, sums,
        room.place, 4 * room.shape[1], room.shape[0],
    ]]  # fmt: skip


def _spread(op: PairedConv2D, width: int, depth: int) -> tuple[npt.NDArray[np.int64], list[list[int]]]:
    """The entries of the kernel's table, and where each sum's factors begin in a pair's room, in floats.

    For each row of the window and each chain those of all channels lie side by side, the first sum's first.
    """
    entries: list[tuple[int, int, int]] = []
    offsets: list[list[int]] = [[], [], [], []]
    end = 0
    for row in range(op.conv.weights.shape[0]):
        for chain in op.chains:
            start = row * op.conv.dilation[0] * width + chain.first
            entries.append((chain.taps, 4 * depth * start, 4 * end))
            for number in chain.sums:
                offsets[number].append(end)
                end += depth
    return np.array(entries, np.int64), offsets


@encoder(ops.Dense)
def _dense(op: ops.Dense, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    length, units = op.weights.shape
    pixels = count(x) // length
    conv = ops.Conv2D(op.weights.reshape(1, 1, length, units), op.bias, low=op.low, high=op.high)
    image, result = Buffer(x.place, (1, pixels, length)), Buffer(y.place, (1, pixels, units))
    return multiplied(conv, image, result, registers)
