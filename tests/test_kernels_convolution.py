"""Convolutions and dense layers against their references over generated shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from convolution_cases import convolutions
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    assert_sums,
    compiled,
    examples,
    normal,
    run,
    seeds,
    small,
    tables,
)

from fastact.kernels import ops


@tables
@examples(80)
@given(case=convolutions())
def test_conv2d(registers: str, case: tuple[ops.Conv2D, np.ndarray]):
    op, x = case
    assert_sums(op, run(compiled(registers), op, x), x)


@tables
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 70])
@pytest.mark.parametrize("columns", [1, 2, 9, 15])
def test_depthwise_of_every_width(registers: str, channels: int, columns: int):
    for strides, dilation in (((1, 1), (1, 1)), ((2, 1), (1, 2)), ((2, 2), (2, 1))):
        op = ops.Conv2D(
            normal(1, 3, 2, 1, channels), normal(2, channels), strides, (1, 1, 0, 1), dilation, channels, -1.0, 2.0
        )
        x = normal(3, 5, columns + 2, channels)
        assert_sums(op, run(compiled(registers), op, x), x)


@tables
@pytest.mark.parametrize("filters", [1, 2, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 24, 31, 33, 47, 48, 64, 100, 128, 130])
@pytest.mark.parametrize("columns", [1, 2, 7, 13])
def test_conv2d_of_every_width(registers: str, filters: int, columns: int):
    op = ops.Conv2D(normal(1, 3, 3, 3, filters), normal(2, filters))
    x = normal(3, 4, columns + 2, 3)
    assert_sums(op, run(compiled(registers), op, x), x)


@tables
@examples(40)
@given(st.lists(small, max_size=2), st.integers(1, 70), st.integers(1, 140), seeds, st.booleans())
def test_dense(registers: str, outer: list[int], inputs: int, units: int, seed: int, relu: bool):
    op = ops.Dense(normal(seed, inputs, units), normal(seed, units), low=0.0 if relu else -math.inf)
    x = normal(seed, *outer, inputs)
    assert_sums(op, run(compiled(registers), op, x), x)
