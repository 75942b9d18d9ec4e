"""Values between values against their reference over generated shapes."""

from __future__ import annotations

import kernel_cases as cases
import numpy as np
from hypothesis import given
from kernel_checks import EPSILON, examples, run

from fastact.kernels import reference
from fastact.kernels.cpu import library


@examples(100)
@given(cases.resamples())
def test_resample(case: cases.Case):
    op, (x,) = case
    exact = reference.run(op, x.astype(np.float64))
    actual = run(library.load(), op, x)
    assert actual.shape == op.shape(x.shape)
    assert np.all(np.abs(actual - exact) <= EPSILON * np.abs(exact) + 1e-12)
