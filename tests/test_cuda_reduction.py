"""Reductions on a GPU and what is scaled by them, in the simulator, against their references."""

from __future__ import annotations

import kernel_cases as cases
import numpy as np
import pytest
from cuda_bounds import assert_near
from cuda_simulation import batch, exact, run
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import EPSILON, examples

from fastact.kernels import ops

LONG = [((1500,), (0,)), ((600, 3), (0,)), ((2, 300, 20), (1,)), ((30, 2, 20, 2), (0, 2)), ((700, 2), (1,))]
"""Rows that several blocks or several rounds of a team sum up, side by side and in one piece."""


@pytest.mark.parametrize("total", list(ops.Total), ids=lambda t: t.name)
@examples(15)
@given(case=cases.arrays_with_axes(values=300))
def test_reduce(total: ops.Total, case: tuple[np.ndarray, tuple[int, ...]]):
    check_reduce(total, *case)


@pytest.mark.parametrize("total", list(ops.Total), ids=lambda t: t.name)
@pytest.mark.parametrize(("shape", "axes"), LONG)
def test_long_reductions(total: ops.Total, shape: tuple[int, ...], axes: tuple[int, ...]):
    check_reduce(total, np.random.default_rng(1).normal(1, 2, shape).astype(np.float32), axes)


def check_reduce(total: ops.Total, x: np.ndarray, axes: tuple[int, ...]) -> None:
    (x,) = batch(x)
    op = ops.Reduce(total, axes)
    units = 2 if total is ops.Total.MEAN else 1  # the sum is rounded, then the quotient
    assert_near(run(op, x), exact(op, x), units, 2.0**-44 * float(np.sum(np.abs(x))))


@pytest.mark.parametrize("total", list(ops.Total), ids=lambda t: t.name)
def test_nan_and_infinities_come_through(total: ops.Total):
    x = np.array([[1, np.nan, 2], [3, 4, np.inf], [5, 6, 7], [-np.inf, 0, np.inf], [0, -np.inf, 0]], np.float32)
    op, (x,) = ops.Reduce(total, (1,)), batch(x)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(run(op, x), exact(op, x, dtype=np.float32), equal_nan=True)


@pytest.mark.parametrize("scaling", list(ops.Scaling), ids=lambda s: s.name)
@examples(12)
@given(case=cases.arrays_with_axes(values=200), epsilon=st.sampled_from([1e-12, 1e-3, 0.5]))
def test_standardize(scaling: ops.Scaling, case: tuple[np.ndarray, tuple[int, ...]], epsilon: float):
    check_standardize(scaling, *case, epsilon)


@pytest.mark.parametrize("scaling", list(ops.Scaling), ids=lambda s: s.name)
@pytest.mark.parametrize(("shape", "axes"), LONG)
def test_long_standardizations(scaling: ops.Scaling, shape: tuple[int, ...], axes: tuple[int, ...]):
    check_standardize(scaling, np.random.default_rng(1).normal(1, 2, shape).astype(np.float32), axes, 1e-3)


def test_the_variance_of_equal_values_is_none():
    """Also where their mean is rounded."""
    x = np.random.default_rng(1).uniform(1e4, 2e4, (2, 20, 1)).astype(np.float32).repeat(3, 2)
    op = ops.Standardize(ops.Scaling.VARIANCE, (1,), 1e-10)
    assert_near(run(op, x), exact(op, x), 6)


def check_standardize(scaling: ops.Scaling, x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> None:
    op = ops.Standardize(scaling, axes, epsilon)
    (x,) = batch(x)
    # A value beside its mean is as far off as the sum of both is rounded.
    size = float(np.max(np.abs(x)))
    slack = EPSILON**2 * 16 * max(1.0, size) / np.sqrt(epsilon)
    assert_near(run(op, x), exact(op, x), 6, slack)


@examples(20)
@given(cases.contracts(most_axes=2, longest=3))
def test_contract(case: cases.Case):
    op, inputs = case
    x, y = batch(*inputs)
    bound = 2 * EPSILON * exact(op, np.abs(x), np.abs(y))  # products are rounded, their sum keeps what it loses
    assert_near(run(op, x, y), exact(op, x, y), 1, bound)


def test_a_contraction_to_many_values_has_a_thread_for_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fastact.kernels.cuda.encode.reduction.ENOUGH", 20)
    random = np.random.default_rng(1)
    x, y = (random.normal(size=shape).astype(np.float32) for shape in ((2, 3, 40, 2), (2, 40, 7)))
    op = ops.Contract(1, 0)
    assert_near(run(op, x, y), exact(op, x, y), 1, 2 * EPSILON * exact(op, np.abs(x), np.abs(y)))
