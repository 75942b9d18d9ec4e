"""Element-wise and row-wise CUDA kernels, in the simulator, against their references."""

from __future__ import annotations

import dataclasses

import kernel_cases as cases
import numpy as np
import pytest
from aarch64.parameters import PARAMETERS
from cuda_bounds import assert_near, shift
from cuda_simulation import batch, exact, run, run_in_place
from hypothesis import given
from kernel_checks import EPSILON, examples

from fastact.kernels import ops

EXACT = {
    ops.Unary.CLIP,
    ops.Unary.HARD_SHRINK,
    ops.Unary.THRESHOLD,
    ops.Unary.ABSOLUTE,
    ops.Unary.SQUARE,
    ops.Unary.SQRT,
    ops.Unary.LEAKY_RELU,
}
"""Functions of one rounding at most."""


@pytest.mark.parametrize("function", list(ops.Unary), ids=lambda f: f.name)
def test_elementwise(function: ops.Unary):
    random = np.random.default_rng(function)
    sizes = 10.0 ** random.uniform(-30, 38, 80) * random.choice((-1, 1), 80)
    x = np.concatenate([cases.EXTREMES, sizes, random.normal(0, 3, 391)]).astype(np.float32).reshape(2, -1)
    for a, b in PARAMETERS.get(function, [(0.0, 0.0)]):
        op = ops.Elementwise(function, np.float32(a), np.float32(b))
        with np.errstate(all="ignore"):
            if function in EXACT:
                assert_near(run(op, x), exact(op, x), 0.5 + 1e-6)
            else:
                assert_near(run(op, x), exact(op, x), 4, shift(op, x, 3) + lost_beside(op, x))


def lost_beside(op: ops.Elementwise, x: np.ndarray) -> np.ndarray:
    """What a sum loses where it is small beside its terms: some units of these.

    Those are x and 1 or a parameter, which float32 cannot do without; and the reference's own formulas lose digits in
    float64.
    """
    terms = {
        ops.Unary.RELU: op.b,
        ops.Unary.HARD_SIGMOID: op.b,
        ops.Unary.HARD_SILU: np.abs(x) / 2,
        ops.Unary.SOFT_SHRINK: op.a,
    }.get(op.function)
    with np.errstate(invalid="ignore"):
        ours = 4 * EPSILON * np.asarray(0.0 if terms is None else terms, np.float64)
        slack = ours + 2.0**-50 * np.maximum(np.abs(x).astype(np.float64), 1.0)
    return np.where(np.isfinite(slack), slack, 0.0)


@examples(40)
@given(cases.elementwise(values=300))
def test_elementwise_of_any_shape(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    assert_near(run(op, x), exact(op, x), 4, shift(op, x, 3) + lost_beside(op, x))


@pytest.mark.parametrize("function", list(ops.Row), ids=lambda f: f.name)
@examples(15)
@given(case=cases.arrays_with_axis(values=300))
def test_row_wise(function: ops.Row, case: tuple[np.ndarray, int]):
    check_rows(function, *case)


@pytest.mark.parametrize("function", list(ops.Row), ids=lambda f: f.name)
@pytest.mark.parametrize(("shape", "axis"), [((700,), 0), ((2, 600), 1), ((300, 3), 0), ((2, 40, 20), 1), ((90, 2), 1)])
def test_rows_of_any_length(function: ops.Row, shape: tuple[int, ...], axis: int):
    check_rows(function, np.random.default_rng(1).normal(0, 2, shape).astype(np.float32), axis)


def check_rows(function: ops.Row, x: np.ndarray, axis: int) -> None:
    op = ops.RowWise(function, axis)
    (x,) = batch(x)
    wanted = exact(op, x)
    below = x.max(axis=axis % (x.ndim - 1) + 1, keepdims=True).astype(np.float64) - x
    if function is ops.Row.SPARSEMAX:
        slack = 8 * EPSILON * np.minimum(below, 2.0)
    elif function is ops.Row.SOFTMAX:
        slack = 4 * EPSILON * below * wanted  # an exponential is as far off as its argument
    else:
        slack = 4 * EPSILON * np.maximum(below, 1.0)
    assert_near(run(op, x), wanted, 6, slack)


@examples(15)
@given(cases.ties(values=300))
def test_row_wise_ties(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    assert_near(run(op, x), exact(op, x), 2, 4 * EPSILON)


@pytest.mark.parametrize("function", [ops.Row.SOFTMAX, ops.Row.LOG_SOFTMAX], ids=lambda f: f.name)
def test_infinities_and_nan_in_a_row(function: ops.Row):
    x = np.array([[[0, -np.inf, 1]], [[0, np.nan, 1]], [[np.inf, 0, 1]], [[-1e38, 1e38, 3e38]]], np.float32)
    op = ops.RowWise(function)
    with np.errstate(all="ignore"):
        assert_near(run(op, x), exact(op, x), 2)


def test_nan_spoils_a_row_of_sparsemax():
    x = np.array([[[0, -np.inf, 1]], [[np.nan, 0, 1]], [[0, np.nan, 1]], [[0, 1, np.nan]]], np.float32)
    op = ops.RowWise(ops.Row.SPARSEMAX)
    assert_near(run(op, x), exact(op, x), 2)
    assert np.array_equal(np.isnan(run(op, x)).all(axis=-1)[:, 0], [False, True, True, True])


def test_a_logarithm_of_nearly_all():
    """What the others of a row have is not lost beside the 1 that the largest has."""
    x = np.array([[[0, -17, -20]], [[-3, 21, -16]]], np.float32)
    op = ops.RowWise(ops.Row.LOG_SOFTMAX)
    assert_near(run(op, x), exact(op, x), 4, 2.0**-50)


@examples(40)
@given(cases.affine(values=300))
def test_affine(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    product = dataclasses.replace(op, offset=np.zeros_like(op.offset))
    # The difference is rounded, the product where it is not one with the sum, and the result.
    assert_near(run(op, x), exact(op, x), 1, 2 * EPSILON * np.abs(exact(product, x)))


@examples(30)
@given(cases.gated_linear(values=200))
def test_gated_linear(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    assert_near(run(op, x), exact(op, x), 4)


@examples(50)
@given(cases.binary(values=300))
def test_binary(case: cases.Case):
    op, inputs = case
    x, y = batch(*inputs)
    assert_merged(op, run(op, x, y), x, y)


@examples(50)
@given(cases.binary_constant(values=300))
def test_binary_constant(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    assert_merged(op, run(op, x), x)


@pytest.mark.parametrize("function", list(ops.Merge), ids=lambda f: f.name)
def test_binary_of_extremes(function: ops.Merge):
    few = np.concatenate([cases.EXTREMES[:2], cases.EXTREMES[4::3], cases.EXTREMES[-3:]])
    x, y = (np.ascontiguousarray(a.reshape(2, -1)) for a in np.meshgrid(few, few))
    op = ops.Binary(function)
    with np.errstate(all="ignore"):
        assert_merged(op, run(op, x, y), x, y)


def assert_merged(op: ops.Binary | ops.BinaryConstant, actual: np.ndarray, *inputs: np.ndarray) -> None:
    """`actual` is rounded once, as float32 arithmetic does; a power within some units."""
    if op.function is ops.Merge.POWER:
        assert_near(actual, exact(op, *inputs), 2)
    else:
        assert np.array_equal(actual, exact(op, *inputs, dtype=np.float32), equal_nan=True)


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


IN_PLACE = [
    ops.Elementwise(ops.Unary.GELU),
    ops.Affine(some(3), some(3), some(3)),
    *(ops.RowWise(function, axis) for function in ops.Row for axis in (-1, 0)),
    *(ops.Standardize(scaling, axes, 1e-3) for scaling in ops.Scaling for axes in ((-1,), (0,))),
    ops.BinaryConstant(ops.Merge.SUBTRACT, some(3)),
    ops.BinaryConstant(ops.Merge.SUBTRACT, some(3), True),
    ops.Binary(ops.Merge.SUBTRACT),
]


@pytest.mark.parametrize("op", IN_PLACE, ids=lambda op: type(op).__name__)
def test_in_place(op: ops.Op):
    """What a plan may let write over its first input gives the same bits there."""
    inputs = [some(2, 40, 3), some(2, 1, 3)] if isinstance(op, ops.Binary) else [some(2, 40, 3)]
    assert run_in_place(op, *inputs).tobytes() == run(op, *inputs).tobytes()
