"""Values moved on a GPU, in the simulator, against their references."""

from __future__ import annotations

import numpy as np
from cuda_simulation import run

from fastact.kernels import ops, reference


def test_from_bytes():
    x = np.random.default_rng(1).integers(0, 256, (2, 5, 7, 3), np.uint8)
    op = ops.FromBytes(255.0)
    exact = np.stack([reference.run(op, frame) for frame in x])
    assert np.array_equal(run(op, x), exact.astype(np.float32))
