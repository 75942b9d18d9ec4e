"""Convolutions along three axes against their reference over generated shapes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    assert_sums,
    compiled,
    examples,
    normal,
    run,
    seeds,
    tables,
)

from fastact.kernels import ops


@st.composite
def volumes(draw: st.DrawFn) -> tuple[ops.Conv3D, np.ndarray]:
    groups, depth = draw(st.sampled_from([1, 1, 2])), draw(st.integers(1, 6))
    filters = groups * draw(st.one_of(st.integers(1, 20), st.sampled_from([24, 33, 64])))
    kernel, dilation, strides = (tuple(draw(st.integers(1, most)) for _ in range(3)) for most in (3, 2, 3))
    shape = [(k - 1) * d + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)]
    seed = draw(seeds)
    weights, bias = normal(seed, *kernel, depth, filters), normal(seed, filters)
    x = normal(seed, *shape, depth * groups)
    if draw(st.booleans()):
        x[tuple(n // 2 for n in shape)] = np.nan
    return ops.Conv3D(weights, bias, strides, dilation, groups, draw(st.sampled_from([-1.0, 0.0]))), x


@tables
@examples(50)
@given(case=volumes())
def test_conv3d(registers: str, case: tuple[ops.Conv3D, np.ndarray]):
    op, x = case
    assert_sums(op, run(compiled(registers), op, x), x)
