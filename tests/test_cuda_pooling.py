"""Pools on a GPU, in the simulator, against their references."""

from __future__ import annotations

import math

import kernel_cases as cases
import numpy as np
from cuda_bounds import assert_near
from cuda_simulation import batch, exact, run
from hypothesis import given
from kernel_checks import EPSILON, examples

from fastact.kernels import ops

ROOMS = (6, 4, 2)


@examples(40)
@given(cases.pools(ROOMS, channels=3))
def test_pool(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    actual = run(op, x)
    if op.kind is ops.PoolKind.MAX:
        assert np.array_equal(actual, exact(op, x, dtype=np.float32))
        return
    bound = (math.prod(op.size) + 1) * EPSILON * exact(op, np.abs(x))
    assert np.all(np.abs(actual - exact(op, x)) <= bound)


def test_a_largest_value_beside_nan():
    x = np.array([[[1.0], [np.nan], [2.0], [-np.inf], [np.nan], [3.0]]] * 2, np.float32)
    op = ops.Pool(ops.PoolKind.MAX, (2,), (2,), ((0, 0),))
    assert np.array_equal(run(op, x), exact(op, x, dtype=np.float32))


@examples(40)
@given(cases.pool_gradients(ROOMS, channels=3))
def test_pool_gradient(case: cases.Case):
    op, inputs = case
    gradient, x = batch(*inputs)
    actual, wanted = run(op, gradient, x), exact(op, gradient, x)
    bound = (math.prod(op.size) + 1) * EPSILON * exact(op, np.abs(gradient), x)
    assert actual.shape == x.shape
    assert np.all(np.abs(actual - wanted) <= bound)
    if op.kind is ops.PoolKind.MAX and all(s >= k for s, k in zip(op.strides, op.size, strict=True)):
        assert np.array_equal(actual, wanted)  # windows that do not overlap: nothing is added up


@examples(25)
@given(cases.global_pools(values=400))
def test_global_pool(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    assert_near(run(op, x), exact(op, x), 2, 0 if op.kind is ops.PoolKind.MAX else 2**-40)
