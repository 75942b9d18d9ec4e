"""Element-wise and row-wise kernels against their references over generated shapes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    EPSILON,
    arrays_with_axis,
    assert_rounded,
    examples,
    normal,
    run,
    seeds,
    small,
)

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@pytest.fixture(scope="module")
def best() -> library.Library:
    return library.load()


EXTREMES = np.array(
    [
        0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1e-20, -1e-8, 1e-4, -1e-4, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0,
        6.0, -6.0, 9.5, -9.5, 16.0, -16.0, 20.0, -37.0, 88.0, -88.0, 100.0, -104.0, 709.0, -745.0, 1e4, -1e4, 1e19,
        -1e19, 3e38, -3e38, np.inf, -np.inf, np.nan,
    ],
    np.float32,
)  # fmt: skip


PARAMETERS = {
    ops.Unary.CLIP: [(0.0, math.inf), (0.0, 6.0), (-1.0, 1.0), (-math.inf, 0.5)],
    ops.Unary.LEAKY_RELU: [(0.2, 0.0), (1.5, 0.0), (0.0, 0.0)],
    ops.Unary.RELU: [(0.0, 0.5), (0.25, 0.5), (0.1, -1.0)],
    ops.Unary.ELU: [(1.0, 0.0), (0.3, 0.0)],
    ops.Unary.CELU: [(1.0, 0.0), (0.3, 0.0), (7.0, 0.0)],
    ops.Unary.SQUAREPLUS: [(4.0, 0.0), (0.5, 0.0)],
    ops.Unary.SOFT_SHRINK: [(0.5, 0.0), (0.0, 0.0)],
    ops.Unary.HARD_SHRINK: [(0.5, 0.0), (0.0, 0.0)],
    ops.Unary.THRESHOLD: [(0.5, -2.0)],
    ops.Unary.HARD_SIGMOID: [(0.2, 0.5), (1 / 6, 0.5)],
}


@pytest.mark.parametrize("function", list(ops.Unary), ids=lambda f: f.name)
def test_elementwise(best: library.Library, function: ops.Unary):
    random = np.random.default_rng(function)
    sizes = 10.0 ** random.uniform(-30, 38, 500) * random.choice((-1, 1), 500)
    x = np.concatenate([EXTREMES, sizes, random.normal(0, 3, 2000)]).astype(np.float32)
    for a, b in PARAMETERS.get(function, [(0.0, 0.0)]):
        op = ops.Elementwise(function, a, b)
        with np.errstate(all="ignore"):
            exact = reference.run(op, x.astype(np.float64))
        # The reference's own formulas lose what is small beside 1 or beside x; the kernel's keep it.
        with np.errstate(invalid="ignore"):
            slack = 2.0**-50 * np.maximum(np.abs(x).astype(np.float64), 1.0)
        assert_rounded(run(best, op, x), exact, np.where(np.isfinite(slack), slack, 0.0))


@examples(40)
@given(st.sampled_from(list(ops.Unary)), st.lists(small, min_size=1, max_size=4), seeds)
def test_elementwise_of_any_shape(function: ops.Unary, shape: list[int], seed: int):
    op = ops.Elementwise(function, *PARAMETERS.get(function, [(0.0, 0.0)])[0])
    x = 3 * normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@pytest.mark.parametrize("function", list(ops.Row), ids=lambda f: f.name)
@examples(60)
@given(case=arrays_with_axis())
def test_row_wise(function: ops.Row, case: tuple[np.ndarray, int]):
    x, axis = case
    op = ops.RowWise(function, axis)
    exact = reference.run(op, x.astype(np.float64))
    assert_rounded(run(library.load(), op, x), exact, 1e-13 * max(1.0, float(np.max(np.abs(x)))))


@examples(40)
@given(arrays_with_axis(), seeds)
def test_row_wise_ties(case: tuple[np.ndarray, int], seed: int):
    x, axis = case
    x = np.random.default_rng(seed).integers(-1, 2, x.shape).astype(np.float32)
    op = ops.RowWise(ops.Row.SPARSEMAX, axis)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@examples(60)
@given(arrays_with_axis(), seeds)
def test_affine(case: tuple[np.ndarray, int], seed: int):
    x, axis = case
    mean, scale, offset = (normal(seed + i, x.shape[axis]) for i in range(3))
    op = ops.Affine(mean, scale, offset, axis)
    product = dataclasses.replace(op, offset=np.zeros_like(offset))
    # The difference is rounded before it is multiplied, and then the result.
    slack = EPSILON * np.abs(reference.run(product, x.astype(np.float64)))
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), slack)


@examples(40)
@given(st.lists(small, min_size=1, max_size=4), st.integers(0, 3), seeds)
def test_gated_linear(shape: list[int], axis: int, seed: int):
    axis %= len(shape)
    shape[axis] *= 2
    op, x = ops.GatedLinear(axis), 4 * normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@examples(80)
@given(st.data(), st.sampled_from(list(ops.Merge)), st.lists(small, min_size=1, max_size=4), seeds)
def test_binary(data: st.DataObject, function: ops.Merge, shape: list[int], seed: int):
    def stretched() -> list[int]:
        return [data.draw(st.sampled_from([n, n, 1])) for n in shape]

    x, y = normal(seed, *stretched()), normal(seed + 1, *stretched())
    assert_merged(function, run(library.load(), ops.Binary(function), x, y), x, y)


@examples(80)
@given(st.data(), st.sampled_from(list(ops.Merge)), st.lists(small, min_size=1, max_size=4), seeds, st.booleans())
def test_binary_constant(data: st.DataObject, function: ops.Merge, shape: list[int], seed: int, first: bool):
    fewer = shape[data.draw(st.integers(0, len(shape))) :]
    constant = normal(seed + 1, *(data.draw(st.sampled_from([n, n, 1])) for n in fewer))
    x = normal(seed, *shape)
    result = run(library.load(), ops.BinaryConstant(function, constant, first), x)
    assert_merged(function, result, *((constant, x) if first else (x, constant)))


def assert_merged(function: ops.Merge, actual: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """`actual` is rounded once, as float32 arithmetic does."""
    if function is ops.Merge.POWER:
        exact = reference.run(ops.Binary(function), x.astype(np.float64), y.astype(np.float64))
        assert_rounded(actual, exact)
    else:
        assert np.array_equal(actual, reference.run(ops.Binary(function), x, y), equal_nan=True)


@pytest.mark.parametrize("function", list(ops.Merge), ids=lambda f: f.name)
def test_binary_of_extremes(best: library.Library, function: ops.Merge):
    x, y = (np.ascontiguousarray(a.reshape(-1)) for a in np.meshgrid(EXTREMES, EXTREMES))
    with np.errstate(all="ignore"):
        assert_merged(function, run(best, ops.Binary(function), x, y), x, y)
