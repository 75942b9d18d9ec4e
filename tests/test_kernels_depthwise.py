"""Depthwise convolutions against their reference over generated shapes."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    assert_sums,
    examples,
    normal,
    run,
    seeds,
)

from fastact.kernels import ops
from fastact.kernels.cpu import library


@st.composite
def depthwise(draw: st.DrawFn) -> tuple[ops.DepthwiseConv2D, np.ndarray]:
    channels, multiplier = draw(st.integers(1, 40)), draw(st.sampled_from([1, 1, 2, 3]))
    kernel, dilation = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(st.tuples(*[st.integers(1, 3)] * 2))
    pads = draw(st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 3), (6, 7, 8, 5)]))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    rows = max(1, reach[0] - pads[0] - pads[1]) + draw(st.integers(0, 9))
    columns = max(1, reach[1] - pads[2] - pads[3]) + draw(st.integers(0, 9))
    seed = draw(seeds)
    low, high = draw(st.sampled_from([(-math.inf, math.inf), (0.0, math.inf), (0.0, 6.0), (-1.0, 1.0)]))
    op = ops.DepthwiseConv2D(
        normal(seed, *kernel, channels, multiplier), normal(seed, channels * multiplier),
        draw(st.tuples(*[st.integers(1, 3)] * 2)), pads, dilation, low, high,
    )  # fmt: skip
    x = normal(seed, rows, columns, channels)
    if draw(st.booleans()):
        x[draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))] = np.nan
    return op, x


@examples(150)
@given(depthwise())
def test_depthwise_conv2d(case: tuple[ops.DepthwiseConv2D, np.ndarray]):
    op, x = case
    assert_sums(op, run(library.load(), op, x), x)
