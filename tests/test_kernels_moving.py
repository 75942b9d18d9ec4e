"""Kernels that move values against their references over generated shapes."""

from __future__ import annotations

from collections.abc import Callable

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import examples, run

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library

MOVES = [
    cases.repeats,
    cases.concats,
    cases.interleaves,
    cases.interleaved_volumes,
    cases.slices,
    cases.transposes,
]


@examples(80)
@given(cases.pads())
def test_pad_and_crop(case: cases.Case):
    op, (x,) = case
    padded = run(library.load(), op, x)
    assert np.array_equal(padded, reference.run(op, x))
    crop = ops.Crop(op.sides)
    assert np.array_equal(run(library.load(), crop, padded), x)
    assert np.array_equal(reference.run(crop, padded), x)


@pytest.mark.parametrize("kind", MOVES)
@examples(60)
@given(data=st.data())
def test_moves(kind: Callable[[], st.SearchStrategy[cases.Case]], data: st.DataObject):
    op, inputs = data.draw(kind())
    assert np.array_equal(run(library.load(), op, *inputs), reference.run(op, *inputs))


@examples(80)
@given(cases.slices())
def test_what_a_slice_is(case: cases.Case):
    op, (x,) = case
    picked = [slice(None)] * x.ndim
    stop = op.start + op.count * op.step
    picked[op.axis] = slice(op.start, stop if stop >= 0 else None, op.step)
    assert np.array_equal(reference.run(op, x), x[tuple(picked)])


@pytest.mark.parametrize("divisor", [1.0, 255.0])
def test_from_bytes(divisor: float):
    x = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(run(library.load(), ops.FromBytes(divisor), x), x.astype(np.float32) / np.float32(divisor))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 255])
def test_from_bytes_of_any_length(count: int):
    x = np.arange(count, dtype=np.uint8)
    assert np.array_equal(run(library.load(), ops.FromBytes(255.0), x), x.astype(np.float32) / np.float32(255))
