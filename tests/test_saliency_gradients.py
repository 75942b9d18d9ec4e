"""What comes back through every operation, against finite differences of its reference in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracles import ReferenceTape

from fastact.errors import UnsupportedError
from fastact.kernels import ops, reference
from fastact.kernels.ops import Merge, PoolKind, Row, Scaling, Total, Unary
from fastact.kernels.program import Instruction
from fastact.saliency.gradients import base, through

RANDOM = np.random.default_rng(5)


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def conv(kind: Any, kernel: tuple[int, ...], filters: int, **geometry: Any) -> ops.Op:
    return kind(drawn(*kernel, filters), drawn(filters), **geometry)


POOLINGS = [
    (ops.Pool(kind, *windows), (shape,))
    for kind in PoolKind
    for windows, shape in (
        (((2, 2), (2, 2), ((0, 0), (0, 0))), (6, 5, 3)),
        (((3, 2), (1, 2), ((1, 1), (0, 1))), (5, 5, 2)),
        (((1, 2, 2), (1, 2, 2), ((0, 0),) * 3), (2, 4, 6, 2)),
    )
]
ROWS: list[tuple[ops.Op, tuple[tuple[int, ...], ...]]] = [
    (conv(ops.Conv2D, (3, 3, 2), 4), ((6, 7, 2),)),
    (conv(ops.Conv2D, (5, 5, 3), 4, strides=(2, 2), low=0.0), ((12, 11, 3),)),
    (conv(ops.Conv2D, (3, 2, 2), 4, strides=(2, 3), pads=(1, 1, 0, 1), groups=2, low=0.0, high=6.0), ((7, 8, 4),)),
    (conv(ops.Conv2D, (3, 3, 2), 3, dilation=(2, 3), pads=(2, 2, 3, 3), low=-1.0, high=1.0), ((6, 7, 2),)),
    (conv(ops.Conv2D, (1, 1, 2), 3, strides=(3, 2)), ((7, 6, 2),)),
    (ops.DepthwiseConv2D(drawn(3, 3, 3, 2), drawn(6), (2, 1), (1, 0, 1, 1), (1, 1), 0.0), ((7, 6, 3),)),
    (ops.DepthwiseConv2D(drawn(2, 3, 4, 1), drawn(4), dilation=(1, 2)), ((5, 7, 4),)),
    (conv(ops.Conv3D, (3, 3, 3, 2), 4, strides=(1, 3, 3), low=0.0), ((4, 8, 9, 2),)),
    (conv(ops.Conv3D, (2, 3, 1, 1), 4, dilation=(1, 2, 1), groups=2), ((3, 6, 4, 2),)),
    (ops.Dense(drawn(5, 4), drawn(4), 0.0), ((5,),)),
    (ops.Dense(drawn(5, 4), drawn(4)), ((3, 2, 5),)),
    (ops.Affine(drawn(3), drawn(3), drawn(3)), ((4, 5, 3),)),
    (ops.Affine(drawn(5), drawn(5), drawn(5), 1), ((4, 5, 3),)),
    *((ops.RowWise(row, axis), ((4, 5),)) for row in Row for axis in (-1, 0)),
    (ops.RowWise(Row.SOFTMAX), ((7,),)),
    (ops.GatedLinear(), ((3, 6),)),
    (ops.GatedLinear(0), ((4, 3),)),
    *((ops.Binary(merge), ((3, 4), (3, 4))) for merge in Merge if merge.value < Merge.POWER),
    *((ops.Binary(merge), ((2, 1, 4), (2, 3, 1))) for merge in Merge if merge.value < Merge.POWER),
    *((ops.BinaryConstant(merge, drawn(4)), ((3, 4),)) for merge in Merge if merge not in (Merge.GATE, Merge.POWER)),
    *((ops.BinaryConstant(merge, drawn(2, 4), True), ((1, 4),)) for merge in Merge if merge.value < Merge.POWER),
    *POOLINGS,
    *((ops.GlobalPool(kind), ((4, 5, 3),)) for kind in PoolKind),
    *((ops.Reduce(total, axes), ((3, 4, 5),)) for total in Total for axes in ((0,), (-1,), (0, 2))),
    *((ops.Standardize(scaling, axes, 1e-3), ((3, 4, 5),)) for scaling in Scaling for axes in ((-1,), (0, 2))),
    (ops.Standardize(Scaling.NORM, (-1,), 4.0), ((6, 4),)),
    (ops.Pad(((1, 2), (0, 3))), ((3, 4, 2),)),
    (ops.Crop(((1, 0), (0, 2))), ((3, 4, 2),)),
    (ops.Repeat((2, 3)), ((3, 4, 2),)),
    (ops.Repeat((1, 2, 2)), ((3, 1, 2, 2),)),
    (ops.Concat(1), ((2, 3, 2), (2, 1, 2), (2, 2, 2))),
    (ops.Interleave((5, 4), (2, 2), ((0, 0), (1, 0), (0, 1)), drawn(2)), ((3, 2, 2), (2, 2, 2), (3, 2, 2))),
    (ops.Interleave((2, 3, 2), (1, 2, 1), ((0, 0, 0), (0, 1, 0)), drawn(2)), ((2, 2, 2, 2), (2, 1, 2, 2))),
    *((ops.Slice(axis, 3, 2, step), ((5, 6, 5),)) for axis in (0, 1, -1) for step in (1, -1)),
    (ops.Transpose((2, 0, 1)), ((2, 3, 4),)),
    (ops.Resample(1, 4, RANDOM.integers(0, 4, (7, 3)), drawn(7, 3)), ((2, 4, 3),)),
]  # fmt: skip
PARAMETERS = {
    Unary.CLIP: (-0.5, 0.7), Unary.LEAKY_RELU: (0.2, 0.0), Unary.RELU: (0.1, 0.3), Unary.ELU: (0.7, 0.0),
    Unary.CELU: (1.3, 0.0), Unary.SQUAREPLUS: (4.0, 0.0), Unary.SOFT_SHRINK: (0.5, 0.0), Unary.HARD_SHRINK: (0.5, 0.0),
    Unary.THRESHOLD: (0.2, 0.0), Unary.HARD_SIGMOID: (1 / 6, 0.5),
}  # fmt: skip
"""Parameters of the functions that have some."""
WITHOUT = {ops.FromBytes, ops.Contract, ops.PoolGradient, ops.Reshape}
"""Operations without a gradient: bytes come before what a gradient is taken by, and a reshape is a view."""


def assert_gradient(op: ops.Op, inputs: list[np.ndarray], step: float = 1e-6) -> None:
    """What comes back from random weights on the output is the slope of the weighted sum, by central differences."""
    tape = ReferenceTape()
    values = [tape.add(x) for x in inputs]
    output = tape.emit(op, *values)
    weights = RANDOM.standard_normal(output.shape)
    back = through(tape, Instruction(op, tuple(values), output), tape.add(weights))
    assert len(back) == len(inputs)
    for number, (x, value) in enumerate(zip(inputs, back, strict=True)):
        slopes = np.empty(x.shape)
        for place in np.ndindex(*x.shape):
            sums = []
            for sign in (1, -1):
                moved = [array.copy() for array in inputs]
                moved[number][place] += sign * step
                sums.append(np.sum(reference.run(op, *moved) * weights))
            slopes[place] = (sums[0] - sums[1]) / (2 * step)
        found = tape.arrays[value.number]
        assert found.shape == x.shape
        np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-6 * max(1.0, np.abs(slopes).max()))


@pytest.mark.parametrize(("op", "shapes"), ROWS, ids=lambda x: type(x).__name__ if isinstance(x, ops.Op) else None)
def test_gradients_are_slopes(op: ops.Op, shapes: tuple[tuple[int, ...], ...]) -> None:
    assert_gradient(op, [RANDOM.standard_normal(shape) for shape in shapes])


@pytest.mark.parametrize("function", list(Unary), ids=lambda f: f.name)
def test_gradients_of_functions_are_slopes(function: Unary) -> None:
    x = np.concatenate([np.linspace(-4.03, 4.01, 41), [-11.0, 13.0]])
    if function in (Unary.SQRT, Unary.RSQRT, Unary.LOG):
        x = np.abs(x) + 0.1
    assert_gradient(ops.Elementwise(function, *PARAMETERS.get(function, (0.0, 0.0))), [x])


def test_power_by_a_constant() -> None:
    op = ops.BinaryConstant(Merge.POWER, np.array([2.0, 0.5, 3.0], np.float32))
    assert_gradient(op, [np.abs(RANDOM.standard_normal((4, 3))) + 0.2])


def test_every_operation_has_a_gradient_or_is_listed() -> None:
    kinds = {kind for kind in vars(ops).values() if isinstance(kind, type) and issubclass(kind, ops.Op)} - {ops.Op}
    assert kinds - WITHOUT == set(base._GRADIENTS)
    assert {type(op) for op, _ in ROWS} | {ops.Elementwise} == set(base._GRADIENTS)


@pytest.mark.parametrize("total", [Total.MAX, Total.MIN], ids=lambda t: t.name)
def test_equal_extremes_share(total: Total) -> None:
    tape = ReferenceTape()
    x = tape.add(np.array([[2.0, 2.0, 2.0, 2.0], [1.0, 3.0, 3.0, 2.0]]))
    op = ops.Reduce(total, (1,))
    (back,) = through(tape, Instruction(op, (x,), tape.emit(op, x)), tape.add(np.array([4.0, 6.0])))
    of_second = [0, 3, 3, 0] if total is Total.MAX else [6, 0, 0, 0]
    assert tape.arrays[back.number].tolist() == [[1, 1, 1, 1], of_second]


def test_what_has_none_is_refused() -> None:
    tape = ReferenceTape()
    x = tape.add(np.ones((2, 2)))
    for op, inputs in (
        (ops.Contract(0, 0), (x, x)),
        (ops.Slice(0, 0, 2, 2), (tape.add(np.ones((4, 2))),)),
        (ops.Binary(Merge.POWER), (x, x)),
        (ops.BinaryConstant(Merge.POWER, np.ones(2, np.float32), True), (x,)),
    ):
        output = tape.emit(op, *inputs)
        with pytest.raises(UnsupportedError, match="fastact has no gradient of"):
            through(tape, Instruction(op, inputs, output), output)
