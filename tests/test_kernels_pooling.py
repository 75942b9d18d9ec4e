"""Pools against their references over generated shapes."""

from __future__ import annotations

import math

import numpy as np
from fastact.kernels import ops, reference
from fastact.kernels.cpu import library
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    EPSILON,
    assert_rounded,
    examples,
    normal,
    run,
    seeds,
    small,
)


@st.composite
def pools(draw: st.DrawFn) -> tuple[ops.Pool2D, np.ndarray]:
    size, strides = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(st.tuples(*[st.integers(1, 4)] * 2))
    # Narrower than the window, so that every window holds a cell: as "same" makes them.
    pads = tuple(draw(st.integers(0, size[i // 2] - 1)) for i in range(4))
    rows = max(1, size[0] - pads[0] - pads[1]) + draw(st.integers(0, 9))
    columns = max(1, size[1] - pads[2] - pads[3]) + draw(st.integers(0, 9))
    op = ops.Pool2D(draw(st.sampled_from(list(ops.PoolKind))), size, strides, pads)
    return op, normal(draw(seeds), rows, columns, draw(st.integers(1, 20)))


@examples(100)
@given(pools())
def test_pool2d(case: tuple[ops.Pool2D, np.ndarray]):
    op, x = case
    actual = run(library.load(), op, x)
    if op.kind is ops.PoolKind.MAX:
        assert np.array_equal(actual, reference.run(op, x))
        return
    mean_of_sizes = reference.run(op, np.abs(x).astype(np.float64))
    bound = (math.prod(op.size) + 1) * EPSILON * mean_of_sizes
    assert np.all(np.abs(actual - reference.run(op, x.astype(np.float64))) <= bound)


@examples(40)
@given(st.sampled_from(list(ops.PoolKind)), st.lists(small, min_size=2, max_size=4), seeds)
def test_global_pool(kind: ops.PoolKind, shape: list[int], seed: int):
    op, x = ops.GlobalPool(kind), normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-15)
