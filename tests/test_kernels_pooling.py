"""Pools against their references over generated shapes."""

from __future__ import annotations

import math

import numpy as np
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

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@st.composite
def pools(draw: st.DrawFn) -> tuple[ops.Pool, np.ndarray]:
    axes = draw(st.sampled_from([1, 2, 2, 2, 3]))
    size, strides = (
        tuple(draw(st.integers(1, most)) for _ in range(axes)) for most in ((5, 4), (4, 3), (3, 3))[axes - 1]
    )
    # Narrower than the window, so that every window holds a cell: as "same" makes them.
    sides = tuple((draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))) for n in size)
    room = (9, 9, 4)[axes - 1]
    shape = [max(1, n - sum(side)) + draw(st.integers(0, room)) for n, side in zip(size, sides, strict=True)]
    op = ops.Pool(draw(st.sampled_from(list(ops.PoolKind))), size, strides, sides)
    return op, normal(draw(seeds), *shape, draw(st.integers(1, 20)))


@examples(150)
@given(pools())
def test_pool(case: tuple[ops.Pool, np.ndarray]):
    op, x = case
    actual = run(library.load(), op, x)
    if op.kind is ops.PoolKind.MAX:
        assert np.array_equal(actual, reference.run(op, x))
        return
    mean_of_sizes = reference.run(op, np.abs(x).astype(np.float64))
    bound = (math.prod(op.size) + 1) * EPSILON * mean_of_sizes
    assert np.all(np.abs(actual - reference.run(op, x.astype(np.float64))) <= bound)


@examples(150)
@given(pools(), seeds, st.booleans())
def test_pool_gradient(case: tuple[ops.Pool, np.ndarray], seed: int, ties: bool):
    pool, x = case
    x = np.rint(x) if ties else x  # of equal values the first takes the gradient
    op = ops.PoolGradient(pool.kind, pool.size, pool.strides, pool.sides)
    gradient = normal(seed, *pool.shape(x.shape))
    actual = run(library.load(), op, gradient, x)
    exact = reference.run(op, gradient.astype(np.float64), x.astype(np.float64))
    bound = (math.prod(op.size) + 1) * EPSILON * reference.run(op, np.abs(gradient).astype(np.float64), x)
    assert actual.shape == x.shape
    assert np.all(np.abs(actual - exact) <= bound)
    if op.kind is ops.PoolKind.MAX and all(s >= k for s, k in zip(op.strides, op.size, strict=True)):
        assert np.array_equal(actual, exact)  # windows that do not overlap: nothing is added up


@examples(40)
@given(st.sampled_from(list(ops.PoolKind)), st.lists(small, min_size=2, max_size=4), seeds)
def test_global_pool(kind: ops.PoolKind, shape: list[int], seed: int):
    op, x = ops.GlobalPool(kind), normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-15)
