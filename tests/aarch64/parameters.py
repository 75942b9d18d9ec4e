"""What elementwise functions are given beside their input: for `rows.py` and for the tests of every back end."""

from __future__ import annotations

import math

from fastact.kernels import ops

PARAMETERS = {
    ops.Unary.CLIP: [(0.0, math.inf), (0.0, 6.0), (-1.0, 1.0), (-math.inf, 0.5)],
    ops.Unary.LEAKY_RELU: [(0.2, 0.0), (1.5, 0.0), (0.0, 0.0)],
    ops.Unary.RELU: [(0.0, 0.5), (0.25, 0.5), (0.1, -1.0)],
    ops.Unary.ELU: [(1.0, 0.0), (0.3, 0.0)],
    ops.Unary.CELU: [(1.0, 0.0), (0.3, 0.0), (7.0, 0.0)],
    ops.Unary.SQUAREPLUS: [(4.0, 0.0), (0.5, 0.0)],
    ops.Unary.SOFT_SHRINK: [(0.5, 0.0), (0.0, 0.0)],
    ops.Unary.HARD_SHRINK: [(0.5, 0.0), (0.0, 0.0)],
    ops.Unary.THRESHOLD: [(0.5, -2.0)],
    ops.Unary.HARD_SIGMOID: [(0.2, 0.5), (1 / 6, 0.5)],
}
