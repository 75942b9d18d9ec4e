"""Convolutions and dense layers: which tiles compute which filters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ... import ops
from ..steps import Buffer, Row
from ..tiles import DEPTHWISE, TILES, depthwise_name, split
from .base import bits, count, encoder

SUM = 128
"""Products that a convolution adds up in one float32 sum, about: the rounding error of a sum grows with its length."""


@encoder(ops.Conv2D)
def _conv2d(op: ops.Conv2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    if op.groups == x.shape[-1] == y.shape[-1]:
        return _depthwise(op, x, y, registers)
    (_, width, channels), (rows, columns, filters) = x.shape, y.shape
    kh, kw, depth, _ = op.weights.shape
    (sy, sx), (dy, dx) = op.strides, op.dilation
    if depth == channels and dx == 1:  # a row of the receptive field is contiguous
        segments, together = _segments([ky * dy * width * channels for ky in range(kh)], kw * channels)
    else:
        offsets = [channels * (ky * dy * width + kx * dx) for ky in range(kh) for kx in range(kw)]
        segments, together = _segments(offsets, depth)
    per_group = filters // op.groups
    made: list[Row] = []
    for block in split(TILES[registers], rows * columns, per_group):
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
                rows * columns, columns, 4 * sy * width * channels, 4 * sx * channels,
                segments, len(segments), together, weight_step, filters, block.last, bits(op.low), bits(op.high),
                op.groups if over_groups else block.count,
                4 * depth if over_groups else 0,
                4 * (per_group if over_groups else block.stride), 1,
            ])  # fmt: skip
    return made


def _depthwise(op: ops.Conv2D, x: Buffer, y: Buffer, registers: str) -> list[Row]:
    """As many groups as channels and filters: vectors of channels take the place of vectors of filters."""
    (_, width, channels), (rows, columns, _) = x.shape, y.shape
    kh, kw, _, _ = op.weights.shape
    (sy, sx), (dy, dx) = op.strides, op.dilation
    starts = [channels * dy * width * ky for ky in range(kh)]
    segments = np.array([(start, start + channels * dx * kw) for start in starts], np.int64)
    made: list[Row] = []
    for block in split(DEPTHWISE[registers], rows * columns, channels):
        made.append([
            depthwise_name(DEPTHWISE[registers][block.tile]), x.place + 4 * block.first, y.place + 4 * block.first,
            op.weights.reshape(-1)[block.first:], op.bias[block.first:],
            rows * columns, columns, 4 * sy * width * channels, 4 * sx * channels,
            segments, kh, max(1, SUM // kw), channels, channels, block.last, bits(op.low), bits(op.high),
            block.count, 4 * block.stride, 4 * block.stride, channels * dx,
        ])  # fmt: skip
    return made


def _segments(offsets: Sequence[int], length: int) -> tuple[npt.NDArray[np.int64], int]:
    """The runs (from, to) that the micro-kernel adds up, none much longer than SUM, and how many make one sum."""
    parts = max(1, round(length / SUM))
    cuts = [length * i // parts for i in range(parts + 1)]
    runs = [(offset + a, offset + b) for offset in offsets for a, b in itertools.pairwise(cuts)]
    return np.array(runs, np.int64), max(1, SUM * parts // length)


@encoder(ops.Dense)
def _dense(op: ops.Dense, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x,) = inputs
    length, units = op.weights.shape
    pixels = count(x) // length
    conv = ops.Conv2D(op.weights.reshape(1, 1, length, units), op.bias, low=op.low, high=op.high)
    image, result = Buffer(x.place, (1, pixels, length)), Buffer(y.place, (1, pixels, units))
    return _conv2d(conv, [image], result, registers)
