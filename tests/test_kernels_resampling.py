"""Values between values against their reference over generated shapes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import (
    EPSILON,
    examples,
    normal,
    run,
    seeds,
    small,
)

from fastact.kernels import ops, reference
from fastact.kernels.cpu import library


@examples(100)
@given(st.data(), st.lists(small, min_size=1, max_size=4), st.integers(1, 12), st.integers(1, 6), seeds)
def test_resample(data: st.DataObject, shape: list[int], size: int, taps: int, seed: int):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    cells = np.random.default_rng(seed).integers(0, shape[axis], (size, taps))
    op = ops.Resample(axis, shape[axis], cells, normal(seed, size, taps))
    x = normal(seed, *shape)
    exact = reference.run(op, x.astype(np.float64))
    actual = run(library.load(), op, x)
    assert actual.shape == op.shape(x.shape)
    assert np.all(np.abs(actual - exact) <= EPSILON * np.abs(exact) + 1e-12)
