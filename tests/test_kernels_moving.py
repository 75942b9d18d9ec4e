"""Kernels that move values against their references over generated shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    examples,
    normal,
    run,
    seeds,
    small,
)

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@st.composite
def frames(draw: st.DrawFn) -> tuple[list[int], ops.Sides]:
    """A shape, and a frame along three axes at most, one after the other."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    first = draw(st.integers(0, len(shape) - 1))
    framed = draw(st.integers(0, min(3, len(shape) - first)))
    sides = [(0, 0)] * first + [(draw(st.integers(0, 4)), draw(st.integers(0, 4))) for _ in range(framed)]
    return shape, tuple(sides)


@examples(80)
@given(frames(), seeds)
def test_pad_and_crop(case: tuple[list[int], ops.Sides], seed: int):
    shape, sides = case
    x = normal(seed, *shape)
    padded = run(library.load(), ops.Pad(sides), x)
    assert np.array_equal(padded, reference.run(ops.Pad(sides), x))
    assert np.array_equal(run(library.load(), ops.Crop(sides), padded), x)
    assert np.array_equal(reference.run(ops.Crop(sides), padded), x)


@examples(40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.lists(st.integers(1, 4), max_size=3), seeds)
def test_repeat(shape: list[int], times: list[int], seed: int):
    op = ops.Repeat(tuple(times[: len(shape)]))
    x = normal(seed, *shape)
    assert np.array_equal(run(library.load(), op, x), reference.run(op, x))


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


@examples(60)
@given(st.data(), small, small, st.tuples(*[st.integers(1, 4)] * 2), st.integers(1, 12), seeds)
def test_interleave(data: st.DataObject, rows: int, columns: int, strides: tuple[int, int], channels: int, seed: int):
    everywhere = [(r, c) for r in range(min(rows, strides[0])) for c in range(min(columns, strides[1]))]
    origins = data.draw(st.lists(st.sampled_from(everywhere), min_size=1, unique=True))
    inputs, starts = [], []
    for n, (row, column) in enumerate(origins):
        row += strides[0] * data.draw(st.integers(0, (rows - 1 - row) // strides[0]))
        height = data.draw(st.integers(1, (rows - 1 - row) // strides[0] + 1))
        width = (columns - 1 - column) // strides[1] + 1
        starts.append((row, column))
        inputs.append(normal(seed + n, height, width, channels))
    op = ops.Interleave((rows, columns), strides, tuple(starts), normal(seed, channels))
    assert np.array_equal(run(library.load(), op, *inputs), reference.run(op, *inputs))


@examples(40)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=3, max_size=3), st.integers(1, 5), seeds)
def test_interleave_of_volumes(axes: list[tuple[int, int]], channels: int, seed: int):
    size, strides = (tuple(a[i] for a in axes) for i in (0, 1))
    origins = list(np.ndindex(*(min(n, s) for n, s in zip(size, strides, strict=True))))[:: 1 + seed % 2]
    inputs = [
        normal(seed + i, *((n - 1 - o) // s + 1 for n, s, o in zip(size, strides, origin, strict=True)), channels)
        for i, origin in enumerate(origins)
    ]
    op = ops.Interleave(size, strides, tuple(origins), normal(seed, channels))
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
