"""Operations on strips of rows: any rows of the output come from the rows of the input that the operation says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import examples, normal, seeds

from fastact.kernels import ops, reference

SHAPE = (13, 7, 4)
CHANNELS = normal(1, SHAPE[2])

OPERATIONS: tuple[ops.Op, ...] = (
    ops.FromBytes(255.0),
    ops.Conv2D(normal(2, 3, 3, 4, 5), normal(3, 5)),
    ops.Conv2D(normal(2, 3, 2, 4, 5), normal(3, 5), (2, 1), (1, 0, 1, 1)),
    ops.Conv2D(normal(2, 5, 3, 2, 6), normal(3, 6), (3, 2), (3, 4, 1, 1), (2, 1), 2, 0.0, 6.0),
    ops.DepthwiseConv2D(normal(2, 3, 2, 4, 2), normal(3, 8), (2, 1), (2, 1, 0, 1), (2, 1)),
    ops.Pad(((2, 3), (1, 0))),
    ops.Pool(ops.PoolKind.MAX, (3, 3), (2, 2), ((1, 1), (1, 1))),
    ops.Pool(ops.PoolKind.AVERAGE, (5, 2), (1, 2), ((4, 3), (0, 1))),
    ops.Affine(CHANNELS, CHANNELS, CHANNELS),
    ops.Elementwise(ops.Unary.SILU),
    ops.RowWise(ops.Row.SOFTMAX),
    ops.GatedLinear(),
    ops.Binary(ops.Merge.ADD),
    ops.BinaryConstant(ops.Merge.SUBTRACT, CHANNELS, constant_first=True),
    ops.BinaryConstant(ops.Merge.SUBTRACT, normal(4, 1, 7, 1)),
    ops.BinaryConstant(ops.Merge.SUBTRACT, normal(5, 13, 1, 4)),
    ops.Standardize(ops.Scaling.MOMENTS, (-1,), 0.1),
    ops.Standardize(ops.Scaling.NORM, (1, 2), 0.1),
    ops.Concat(-1),
)


@examples(300)
@given(st.sampled_from(OPERATIONS), st.data(), seeds)
def test_a_strip_gives_the_same_rows(op: ops.Op, data: st.DataObject, seed: int):
    x = normal(seed, *SHAPE).astype(np.float64)
    inputs = [x, x + 1] if isinstance(op, ops.Binary | ops.Concat) else [x]
    if isinstance(op, ops.FromBytes):
        inputs = [np.abs(100 * x).astype(np.uint8)]
    whole = reference.run(op, *inputs)
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first + 1, len(whole)))
    strip = op.strip(first, last, *(i.shape for i in inputs))
    assert strip is not None
    rows = [i[strip.first : strip.last] for i in inputs]
    assert np.array_equal(reference.run(strip.op, *rows), whole[first:last])
    assert strip.op.shape(*(r.shape for r in rows)) == whole[first:last].shape


def test_what_mixes_rows_has_no_strips():
    for op in (
        ops.Affine(CHANNELS, CHANNELS, CHANNELS, 0),
        ops.RowWise(ops.Row.SOFTMAX, -3),
        ops.Concat(0),
        ops.Standardize(ops.Scaling.NORM, (0, 2), 0.1),
        ops.Reduce(ops.Total.SUM, (2,)),
        ops.Reshape((7, 13, 4)),
        ops.GlobalPool(ops.PoolKind.MAX),
        ops.Dense(normal(1, 4, 4), CHANNELS),
    ):
        assert op.strip(0, 1, SHAPE) is None
    assert ops.Binary(ops.Merge.ADD).strip(0, 1, SHAPE, (1, 7, 4)) is None
    # An odd number of rows of padding, more than the window reaches: no row of the input is seen.
    assert ops.Conv2D(normal(2, 1, 1, 4, 5), normal(3, 5), pads=(3, 0, 0, 0)).strip(0, 2, SHAPE) is None
