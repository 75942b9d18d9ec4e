"""Depthwise convolutions against their reference over generated shapes."""

from __future__ import annotations

import numpy as np
from convolution_cases import depthwise
from hypothesis import given
from kernel_checks import (
    assert_sums,
    examples,
    run,
)

from fastact.kernels import ops
from fastact.kernels.cpu import library


@examples(150)
@given(depthwise())
def test_depthwise_conv2d(case: tuple[ops.DepthwiseConv2D, np.ndarray]):
    op, x = case
    assert_sums(op, run(library.load(), op, x), x)
