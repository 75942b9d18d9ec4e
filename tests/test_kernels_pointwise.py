"""Element-wise and row-wise kernels against their references over generated shapes."""

from __future__ import annotations

import dataclasses

import kernel_cases as cases
import numpy as np
import pytest
from aarch64.parameters import PARAMETERS
from hypothesis import given
from kernel_checks import EPSILON, assert_rounded, examples, run

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@pytest.fixture(scope="module")
def best() -> library.Library:
    return library.load()


@pytest.mark.parametrize("function", list(ops.Unary), ids=lambda f: f.name)
def test_elementwise(best: library.Library, function: ops.Unary):
    random = np.random.default_rng(function)
    sizes = 10.0 ** random.uniform(-30, 38, 500) * random.choice((-1, 1), 500)
    x = np.concatenate([cases.EXTREMES, sizes, random.normal(0, 3, 2000)]).astype(np.float32)
    for a, b in PARAMETERS.get(function, [(0.0, 0.0)]):
        op = ops.Elementwise(function, a, b)
        with np.errstate(all="ignore"):
            exact = reference.run(op, x.astype(np.float64))
        # The reference's own formulas lose what is small beside 1 or beside x; the kernel's keep it.
        with np.errstate(invalid="ignore"):
            slack = 2.0**-50 * np.maximum(np.abs(x).astype(np.float64), 1.0)
        assert_rounded(run(best, op, x), exact, np.where(np.isfinite(slack), slack, 0.0))


@examples(40)
@given(cases.elementwise())
def test_elementwise_of_any_shape(case: cases.Case):
    op, (x,) = case
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@pytest.mark.parametrize("function", list(ops.Row), ids=lambda f: f.name)
@examples(60)
@given(case=cases.arrays_with_axis())
def test_row_wise(function: ops.Row, case: tuple[np.ndarray, int]):
    x, axis = case
    op = ops.RowWise(function, axis)
    exact = reference.run(op, x.astype(np.float64))
    assert_rounded(run(library.load(), op, x), exact, 1e-13 * max(1.0, float(np.max(np.abs(x)))))


@pytest.mark.parametrize("function", list(ops.Row), ids=lambda f: f.name)
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_and_minus_infinity_in_a_row(function: ops.Row, axis: int):
    """A NaN spoils its row, wherever it stands."""
    x = np.array([[0, -np.inf, 1], [np.nan, 0, 1], [0, np.nan, 1], [0, 1, np.nan], [2, 0, -3]], np.float32)
    op, x = ops.RowWise(function, axis), np.ascontiguousarray(x if axis else x.T)
    actual = run(library.load(), op, x)
    assert_rounded(actual, reference.run(op, x.astype(np.float64)))
    assert np.array_equal(np.isnan(actual).any(axis), [False, True, True, True, False])


@examples(40)
@given(cases.ties())
def test_row_wise_ties(case: cases.Case):
    op, (x,) = case
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@examples(60)
@given(cases.affine())
def test_affine(case: cases.Case):
    op, (x,) = case
    product = dataclasses.replace(op, offset=np.zeros_like(op.offset))
    # The difference is rounded before it is multiplied, and then the result.
    slack = EPSILON * np.abs(reference.run(product, x.astype(np.float64)))
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), slack)


@examples(40)
@given(cases.gated_linear())
def test_gated_linear(case: cases.Case):
    op, (x,) = case
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@examples(80)
@given(cases.binary())
def test_binary(case: cases.Case):
    op, inputs = case
    assert_merged(op.function, run(library.load(), op, *inputs), *inputs)


@examples(80)
@given(cases.binary_constant())
def test_binary_constant(case: cases.Case):
    op, (x,) = case
    both = (op.constant, x) if op.constant_first else (x, op.constant)
    assert_merged(op.function, run(library.load(), op, x), *both)


def assert_merged(function: ops.Merge, actual: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """`actual` is rounded once, as float32 arithmetic does."""
    if function is ops.Merge.POWER:
        exact = reference.run(ops.Binary(function), x.astype(np.float64), y.astype(np.float64))
        assert_rounded(actual, exact)
    else:
        assert np.array_equal(actual, reference.run(ops.Binary(function), x, y), equal_nan=True)


@pytest.mark.parametrize("function", list(ops.Merge), ids=lambda f: f.name)
def test_binary_of_extremes(best: library.Library, function: ops.Merge):
    x, y = (np.ascontiguousarray(a.reshape(-1)) for a in np.meshgrid(cases.EXTREMES, cases.EXTREMES))
    with np.errstate(all="ignore"):
        assert_merged(function, run(best, ops.Binary(function), x, y), x, y)
