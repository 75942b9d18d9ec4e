"""Values moved on a GPU, in the simulator, against their references."""

from __future__ import annotations

import kernel_cases as cases
import numpy as np
import pytest
from cuda_simulation import batch, exact, run
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import examples

from fastact.kernels import ops

MOVES = {
    "repeat": cases.repeats(values=200),
    "concat": cases.concats(longest=5, values=100),
    "interleave": cases.interleaves(longest=5, channels=3),
    "interleave volumes": cases.interleaved_volumes(longest=3),
    "slice": cases.slices(values=400),
    "transpose": cases.transposes(values=400),
}


def check(op: ops.Op, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    frames = batch(*inputs)
    y = run(op, *frames)
    assert np.array_equal(y, exact(op, *frames, dtype=np.float32))
    return y


@examples(20)
@given(cases.pads(values=300))
def test_pad_and_crop(case: cases.Case):
    op, inputs = case
    padded = check(op, inputs)
    assert np.array_equal(run(ops.Crop(op.sides), padded), batch(*inputs)[0])


@pytest.mark.parametrize(
    "sides", [((1, 2), (0, 2), (2, 1)), ((0, 0), (2, 1), (1, 0), (0, 3)), ((1, 1), (0, 0), (0, 1))]
)
def test_a_frame_along_three_axes(sides: ops.Sides):
    x = np.arange(1, 25, dtype=np.float32).reshape(2, 2, 3, 2)
    check(ops.Pad(sides), (x,))


@pytest.mark.parametrize("kind", MOVES)
@examples(15)
@given(data=st.data())
def test_moves(kind: str, data: st.DataObject):
    check(*data.draw(MOVES[kind]))


def test_a_box_of_more_axes_than_a_kernel_has():
    x = np.arange(2 * 2 * 3 * 2, dtype=np.float32).reshape(2, 2, 3, 2)
    check(ops.Repeat((2, 3, 2)), (x,))


@pytest.mark.parametrize("divisor", [1.0, 255.0])
def test_from_bytes(divisor: float):
    x = np.arange(512, dtype=np.uint16).astype(np.uint8).reshape(2, 16, 16)
    assert np.array_equal(run(ops.FromBytes(divisor), x), x.astype(np.float32) / np.float32(divisor))


@pytest.mark.parametrize("count", [1, 3, 255, 257])
def test_from_bytes_of_any_length(count: int):
    x = np.arange(3 * count, dtype=np.uint16).astype(np.uint8).reshape(3, count)
    assert np.array_equal(run(ops.FromBytes(255.0), x), x.astype(np.float32) / np.float32(255))
