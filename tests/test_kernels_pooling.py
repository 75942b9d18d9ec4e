"""Pools against their references over generated shapes."""

from __future__ import annotations

import math

import kernel_cases as cases
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import EPSILON, assert_rounded, examples, run, seeds

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@examples(150)
@given(cases.pools())
def test_pool(case: cases.Case):
    op, (x,) = case
    actual = run(library.load(), op, x)
    if op.kind is ops.PoolKind.MAX:
        assert np.array_equal(actual, reference.run(op, x))
        return
    mean_of_sizes = reference.run(op, np.abs(x).astype(np.float64))
    bound = (math.prod(op.size) + 1) * EPSILON * mean_of_sizes
    assert np.all(np.abs(actual - reference.run(op, x.astype(np.float64))) <= bound)


@examples(100)
@given(st.one_of(cases.pools(), cases.global_pools()), seeds)
def test_nan_in_a_pool(case: cases.Case, seed: int):
    """A largest value is found beside it, a mean is lost, and over a whole map either is, as in TensorFlow."""
    op, (x,) = case
    for value in (np.nan, -np.inf):
        seed += 1
        x = np.where(np.random.default_rng(seed).random(x.shape) < 0.3, np.float32(value), x)
    actual, wanted = run(library.load(), op, x), reference.run(op, x.astype(np.float64))
    assert np.array_equal(np.isnan(actual), np.isnan(wanted))
    if op.kind is ops.PoolKind.MAX:
        assert np.array_equal(actual, wanted, equal_nan=True)


@examples(150)
@given(cases.pool_gradients())
def test_pool_gradient(case: cases.Case):
    op, (gradient, x) = case
    actual = run(library.load(), op, gradient, x)
    exact = reference.run(op, gradient.astype(np.float64), x.astype(np.float64))
    bound = (math.prod(op.size) + 1) * EPSILON * reference.run(op, np.abs(gradient).astype(np.float64), x)
    assert actual.shape == x.shape
    assert np.all(np.abs(actual - exact) <= bound)
    if op.kind is ops.PoolKind.MAX and all(s >= k for s, k in zip(op.strides, op.size, strict=True)):
        assert np.array_equal(actual, exact)  # windows that do not overlap: nothing is added up


@examples(40)
@given(cases.global_pools())
def test_global_pool(case: cases.Case):
    op, (x,) = case
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-15)
