"""Kernels that move values against their references over generated shapes."""

from __future__ import annotations

import numpy as np
import pytest
from fastact.kernels import ops, reference
from fastact.kernels.cpu import library
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    examples,
    normal,
    run,
    seeds,
    small,
)


@examples(40)
@given(st.tuples(small, small, small), st.tuples(*[st.integers(0, 4)] * 4), seeds)
def test_pad2d_and_crop2d(shape: tuple[int, int, int], sides: ops.Pads, seed: int):
    x = normal(seed, *shape)
    padded = run(library.load(), ops.Pad2D(sides), x)
    assert np.array_equal(padded, reference.run(ops.Pad2D(sides), x))
    assert np.array_equal(run(library.load(), ops.Crop2D(sides), padded), x)
    assert np.array_equal(reference.run(ops.Crop2D(sides), padded), x)


@examples(40)
@given(st.lists(small, min_size=1, max_size=4), st.lists(small, min_size=1, max_size=4), st.integers(-4, 3), seeds)
def test_concat(shape: list[int], lengths: list[int], axis: int, seed: int):
    axis = axis % len(shape) - (len(shape) if axis < 0 else 0)
    inputs = []
    for i, length in enumerate(lengths):
        shape[axis] = length
        inputs.append(normal(seed + i, *shape))
    op = ops.Concat(axis)
    assert np.array_equal(run(library.load(), op, *inputs), reference.run(op, *inputs))


@examples(80)
@given(st.data(), st.lists(small, min_size=1, max_size=5), seeds)
def test_slice(data: st.DataObject, shape: list[int], seed: int):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    start = data.draw(st.integers(0, shape[axis] - 1))
    step = data.draw(st.sampled_from([-3, -2, -1, 1, 2, 5]))
    room = (shape[axis] - 1 - start if step > 0 else start) // abs(step) + 1
    op = ops.Slice(axis, start, data.draw(st.integers(1, room)), step)
    x = normal(seed, *shape)
    picked = [slice(None)] * len(shape)
    stop = start + op.count * step
    picked[axis] = slice(start, stop if stop >= 0 else None, step)
    assert np.array_equal(reference.run(op, x), x[tuple(picked)])
    assert np.array_equal(run(library.load(), op, x), x[tuple(picked)])


@examples(80)
@given(st.data(), st.lists(st.one_of(small, st.just(40)), min_size=1, max_size=5), seeds)
def test_transpose(data: st.DataObject, shape: list[int], seed: int):
    while np.prod(shape) > 20_000:
        shape.remove(40)
    op = ops.Transpose(tuple(data.draw(st.permutations(range(len(shape))))))
    x = normal(seed, *shape)
    assert np.array_equal(run(library.load(), op, x), reference.run(op, x))


@pytest.mark.parametrize("divisor", [1.0, 255.0])
def test_from_bytes(divisor: float):
    x = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(run(library.load(), ops.FromBytes(divisor), x), x.astype(np.float32) / np.float32(divisor))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 255])
def test_from_bytes_of_any_length(count: int):
    x = np.arange(count, dtype=np.uint8)
    assert np.array_equal(run(library.load(), ops.FromBytes(255.0), x), x.astype(np.float32) / np.float32(255))
