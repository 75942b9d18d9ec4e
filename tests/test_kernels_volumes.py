"""Convolutions along three axes against their reference over generated shapes."""

from __future__ import annotations

import numpy as np
from convolution_cases import volumes
from hypothesis import given
from kernel_checks import (
    assert_sums,
    compiled,
    examples,
    run,
    tables,
)

from fastact.kernels import ops


@tables
@examples(50)
@given(case=volumes())
def test_conv3d(registers: str, case: tuple[ops.Conv3D, np.ndarray]):
    op, x = case
    assert_sums(op, run(compiled(registers), op, x), x)
