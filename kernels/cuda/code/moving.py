"""Values moved."""

from __future__ import annotations

import numpy as np

from .base import frame, value


def u8_f32_scale(x, y, count, divisor, x_frame, y_frame):
    """Bytes to floats, each divided by `divisor`."""
    i = value()
    if i < count:
        y[frame(y_frame) + i] = np.float32(x[frame(x_frame) + i]) / divisor
