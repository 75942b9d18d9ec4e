"""Convolutions in pairs of pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...places import Buffer
from ..pairing import PairedConv2D
from ..steps import Row
from ..tiles import PAIRED, paired_name, whole
from .base import bits, encoder
from .convolution import runs


@encoder(PairedConv2D)
def _paired(op: PairedConv2D, inputs: Sequence[Buffer], y: Buffer, registers: str) -> list[Row]:
    (x, room), conv = inputs, op.conv
    (_, width, depth), (rows, columns, filters) = x.shape, y.shape
    pairs = rows * -(-columns // 2)
    down, across = (4 * stride * step for stride, step in zip(conv.strides, (width * depth, depth), strict=True))
    spread, offsets = _spread(op, width, depth)
    parts = [runs(own, depth) for own in offsets]
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

    For each row of the window and each chain the factors of all channels lie side by side, those of the first sum first.
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
