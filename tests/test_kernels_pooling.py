"""Pools against their references over generated shapes."""

from __future__ import annotations

import math

import kernel_cases as cases
import numpy as np
from hypothesis import given
from kernel_checks import EPSILON, assert_rounded, examples, run

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
