"""Convolutions to be tested, drawn by Hypothesis: one strategy for all back ends, which say how large they may be."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from hypothesis import strategies as st
from kernel_checks import normal, seeds

from fastact.kernels import ops

Pair: TypeAlias = tuple[int, int]
Sides: TypeAlias = tuple[int, int, int, int]
STRIDES = st.tuples(*[st.integers(1, 3)] * 2)
BOUNDS = st.sampled_from([(-math.inf, math.inf), (0.0, math.inf), (0.0, 6.0), (-1.0, 1.0)])
ANY_FILTERS = st.one_of(st.integers(1, 20), st.sampled_from([24, 31, 48, 64, 65, 100, 129]))


@st.composite
def planes(draw: st.DrawFn, pads: list[Sides], beyond: int) -> tuple[Pair, Pair, Sides, Pair]:
    """Kernel size, dilation, pads, and rows and columns: up to `beyond` more than one window needs."""
    kernel, dilation = draw(st.tuples(*[st.integers(1, 5)] * 2)), draw(st.tuples(*[st.integers(1, 3)] * 2))
    sides = draw(st.sampled_from(pads))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    needs = reach[0] - sides[0] - sides[1], reach[1] - sides[2] - sides[3]
    rows, columns = (max(1, n) + draw(st.integers(0, beyond)) for n in needs)
    return kernel, dilation, sides, (rows, columns)


@st.composite
def maps(draw: st.DrawFn, seed: int, rows: int, columns: int, channels: int) -> np.ndarray:
    """Some with a NaN."""
    x = normal(seed, rows, columns, channels)
    if draw(st.booleans()):
        x[draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))] = np.nan
    return x


@st.composite
def convolutions(
    draw: st.DrawFn, each: st.SearchStrategy[int] = ANY_FILTERS, beyond: int = 12
) -> tuple[ops.Conv2D, np.ndarray]:
    """`each` filters a group; up to `beyond` rows and columns more than one window needs."""
    groups, depth = draw(st.sampled_from([1, 1, 1, 2, 3])), draw(st.integers(1, 9))
    filters = groups * draw(each)
    kernel, dilation, pads, size = draw(planes([(0, 0, 0, 0)] * 2 + [(1, 1, 1, 1), (2, 0, 0, 3), (0, 1, 2, 0)], beyond))
    seed, (low, high) = draw(seeds), draw(BOUNDS)
    weights, bias = normal(seed, *kernel, depth, filters), normal(seed, filters)
    op = ops.Conv2D(weights, bias, draw(STRIDES), pads, dilation, groups, low, high)
    return op, draw(maps(seed, *size, depth * groups))


@st.composite
def depthwise(draw: st.DrawFn, most: int = 40, beyond: int = 9) -> tuple[ops.DepthwiseConv2D, np.ndarray]:
    """`most` channels; up to `beyond` rows and columns more than one window needs."""
    channels, multiplier = draw(st.integers(1, most)), draw(st.sampled_from([1, 1, 2, 3]))
    kernel, dilation, pads, size = draw(planes([(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 3), (6, 7, 8, 5)], beyond))
    seed, (low, high) = draw(seeds), draw(BOUNDS)
    weights, bias = normal(seed, *kernel, channels, multiplier), normal(seed, channels * multiplier)
    op = ops.DepthwiseConv2D(weights, bias, draw(STRIDES), pads, dilation, low, high)
    return op, draw(maps(seed, *size, channels))


@st.composite
def volumes(draw: st.DrawFn, each: st.SearchStrategy[int] = ANY_FILTERS) -> tuple[ops.Conv3D, np.ndarray]:
    """`each` filters a group."""
    groups, depth = draw(st.sampled_from([1, 1, 2])), draw(st.integers(1, 6))
    filters = groups * draw(each)
    kernel, dilation, strides = (tuple(draw(st.integers(1, most)) for _ in range(3)) for most in (3, 2, 3))
    shape = [(k - 1) * d + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)]
    seed = draw(seeds)
    weights, bias = normal(seed, *kernel, depth, filters), normal(seed, filters)
    x = normal(seed, *shape, depth * groups)
    if draw(st.booleans()):
        x[tuple(n // 2 for n in shape)] = np.nan
    return ops.Conv3D(weights, bias, strides, dilation, groups, draw(st.sampled_from([-1.0, 0.0]))), x
