"""Reductions and what is scaled by them against their references over generated shapes."""

from __future__ import annotations

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import assert_rounded, examples, run

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@pytest.mark.parametrize("total", list(ops.Total), ids=lambda t: t.name)
@examples(60)
@given(case=cases.arrays_with_axes())
def test_reduce(total: ops.Total, case: tuple[np.ndarray, tuple[int, ...]]):
    x, axes = case
    op = ops.Reduce(total, axes)
    exact = reference.run(op, x.astype(np.float64))
    assert op.shape(x.shape) == exact.shape
    assert_rounded(run(library.load(), op, x), exact, 1e-13 * float(np.sum(np.abs(x))))


@pytest.mark.parametrize("total", list(ops.Total), ids=lambda t: t.name)
def test_nan_comes_through(total: ops.Total):
    x = np.array([[1.0, np.nan, 2.0], [3.0, 4.0, np.inf], [5.0, 6.0, 7.0]], np.float32)
    result = run(library.load(), ops.Reduce(total, (1,)), x)
    assert np.array_equal(np.isnan(result), [True, False, False])
    assert np.array_equal(result, reference.run(ops.Reduce(total, (1,)), x), equal_nan=True)


@pytest.mark.parametrize("scaling", list(ops.Scaling), ids=lambda s: s.name)
@examples(60)
@given(case=cases.arrays_with_axes(), epsilon=st.sampled_from([1e-12, 1e-3, 0.5]))
def test_standardize(scaling: ops.Scaling, case: tuple[np.ndarray, tuple[int, ...]], epsilon: float):
    x, axes = case
    op = ops.Standardize(scaling, axes, epsilon)
    exact = reference.run(op, x.astype(np.float64))
    # Where all values are equal, their mean is rounded, and so is what it is divided by.
    slack = 1e-15 * max(1.0, float(np.max(np.abs(x)))) / np.sqrt(epsilon)
    assert_rounded(run(library.load(), op, x), exact, slack)


@examples(60)
@given(cases.contracts())
def test_contract(case: cases.Case):
    op, (x, y) = case
    shared = x.shape[op.axis]
    exact = reference.run(op, x.astype(np.float64), y.astype(np.float64))
    assert op.shape(x.shape, y.shape) == exact.shape
    assert op.multiply_adds(x.shape, y.shape) == exact.size * shared
    assert_rounded(run(library.load(), op, x, y), exact, 1e-13 * shared)


def test_axes_that_alternate_too_often_are_refused():
    with pytest.raises(ValueError, match="alternate"):
        ops.kept_and_reduced((2,) * 6, (0, 2, 4))
    assert ops.kept_and_reduced((2, 1, 3, 1, 4), (0, 2)) == (1, 6, 4, 1, 1)
