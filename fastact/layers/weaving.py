"""Transposed convolutions as ordinary ones: what a window spreads over, cell by cell, is gathered in phases.

They are layers of their own, and what comes back through a convolution when a gradient is computed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers.base import Tape, Value, show

MOST_PHASES = 4096
"""Convolutions that one layer is computed as, at most."""


@dataclass(frozen=True)
class Phase:
    """Every stride-th cell of a map along one axis: what a convolution with stride 1 over the input gives.

    Attributes:
        origin: the first of the cells.
        taps: the places in the window that reach them, in the order of the input cells they meet.
        dilation: how far apart those cells lie.
        before: cells of padding before the input, or, if negative, cells that no window sees.
        after: the same behind it.
    """

    origin: int
    taps: tuple[int, ...]
    dilation: int
    before: int
    after: int


def phases(length: int, kernel: int, stride: int, dilation: int, cut: int, output: int) -> Iterator[Phase]:
    """The phases of one axis.

    Input cell i and place k of the window meet at cell i * stride + k * dilation - cut of the map, which has `output`
    cells. The places that reach the cells of one phase are those with the same k * dilation modulo stride. Cells that
    see no cell of the input belong to no phase.
    """
    common = math.gcd(stride, dilation)
    apart, gap = stride // common, dilation // common
    for first in range(min(apart, kernel)):
        taps = tuple(range(first, kernel, apart))
        shift, remainder = divmod(first * dilation, stride)
        reach = (len(taps) - 1) * gap
        # Cell number t of the phase lies at t * stride + remainder - cut and sees t - shift - reach to t - shift.
        low = max(-((remainder - cut) // stride), shift)
        high = min((output - 1 + cut - remainder) // stride, length - 1 + shift + reach)
        if low <= high:
            before, after = shift + reach - low, high - shift - (length - 1)
            yield Phase(remainder + low * stride - cut, taps[::-1], gap, before, after)


def check_phases(kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    """Raises UnsupportedError for windows that would come to more than `MOST_PHASES` convolutions."""
    counts = (min(s // math.gcd(s, d), k) for s, d, k in zip(strides, dilation, kernel, strict=True))
    if math.prod(counts) > MOST_PHASES:
        raise UnsupportedError(f"its strides of {show(strides)} are larger than fastact computes")


@dataclass(frozen=True)
class Spread:
    """How windows lie over the map that they are spread over, along each of its two or three axes before the channels.

    Attributes:
        size: the map's lengths.
        strides: how far the windows of neighbouring input cells lie apart.
        dilation: how far a window's cells lie apart.
        cut: cells that windows reach before the map's first.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    cut: tuple[int, ...]


@dataclass(frozen=True)
class Turned:
    """A transposed convolution's weights, (*window, input channels / groups, filters), bias, groups, and clipping."""

    weights: ops.Floats
    bias: ops.Floats
    groups: int = 1
    low: float = -math.inf
    high: float = math.inf


def woven(tape: Tape, x: Value, turned: Turned, spread: Spread) -> Value:
    """The map: a convolution for each phase, and their results put in between each other."""
    kernel = turned.weights.shape[:-2]
    each = zip(x.shape, kernel, spread.strides, spread.dilation, spread.cut, spread.size, strict=False)
    combined = list(itertools.product(*(list(phases(*axis)) for axis in each)))
    if not combined:
        return _bias_alone(tape, x, turned, spread.size)
    parts = [_phase(tape, x, turned, axes) for axes in combined]
    if len(parts) == 1 and parts[0].shape[:-1] == spread.size:
        return parts[0]
    fill = np.asarray(np.clip(turned.bias, turned.low, turned.high), np.float32)
    origins = tuple(tuple(phase.origin for phase in axes) for axes in combined)
    return tape.emit(ops.Interleave(spread.size, spread.strides, origins, fill), *parts)


def _phase(tape: Tape, x: Value, turned: Turned, axes: tuple[Phase, ...]) -> Value:
    weights = np.ascontiguousarray(turned.weights[np.ix_(*(phase.taps for phase in axes))])
    if min(min(phase.before, phase.after) for phase in axes) < 0:
        x = tape.emit(ops.Crop(tuple((max(-phase.before, 0), max(-phase.after, 0)) for phase in axes)), x)
    sides = tuple((max(phase.before, 0), max(phase.after, 0)) for phase in axes)
    dilation = tuple(phase.dilation for phase in axes)
    clip = turned.groups, turned.low, turned.high
    if len(axes) == 3:
        x = tape.emit(ops.Pad(sides), x) if any(map(any, sides)) else x
        return tape.emit(ops.Conv3D(weights, turned.bias, (1, 1, 1), dilation, *clip), x)
    (top, bottom), (left, right) = sides
    (down, across) = dilation
    return tape.emit(ops.Conv2D(weights, turned.bias, (1, 1), (top, bottom, left, right), (down, across), *clip), x)


def _bias_alone(tape: Tape, x: Value, turned: Turned, size: tuple[int, ...]) -> Value:
    """The map of windows so wide that they reach over all of it: no cell of the input comes to it."""
    first = tape.emit(ops.Crop(tuple((0, n - 1) for n in x.shape[:-1])), x)
    nothing = tape.emit(ops.BinaryConstant(ops.Merge.GATE, np.array([-1], np.float32)), first)  # also of a NaN
    weights = np.zeros((x.shape[-1], len(turned.bias)), np.float32)
    return tape.emit(ops.Repeat(size), tape.emit(ops.Dense(weights, turned.bias, turned.low, turned.high), nothing))
