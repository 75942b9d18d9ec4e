"""Values between values on a GPU, in the simulator, against their reference."""

from __future__ import annotations

import dataclasses

import kernel_cases as cases
import numpy as np
from cuda_simulation import batch, exact, run
from hypothesis import given
from kernel_checks import EPSILON, examples


@examples(50)
@given(cases.resamples(values=200))
def test_resample(case: cases.Case):
    op, inputs = case
    (x,) = batch(*inputs)
    actual = run(op, x)
    terms = exact(dataclasses.replace(op, weights=np.abs(op.weights)), np.abs(x))
    assert np.all(np.abs(actual - exact(op, x)) <= (op.cells.shape[1] + 1) * EPSILON * terms)
