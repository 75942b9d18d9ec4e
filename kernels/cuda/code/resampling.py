"""Values between values: sums of weighted cells along one axis."""

from __future__ import annotations

import numpy as np

from .base import U, frame, value


def f32_resample(x, y, count, length, inner, in_length, taps, cells, weights, x_frame, y_frame):
    """Each place along the middle axis from `taps` places of the input; most often there are one or two."""
    i = value()
    if i < count:
        line = U(i // inner)
        outer = U(line // length)
        place = U(line - outer * length)
        source = frame(x_frame) + U(outer * in_length * inner + U(i - line * inner))
        whole = np.float32(0)
        t = U(place * taps)
        end = U(t + taps)
        while t < end:
            whole += x[source + U(U(cells[t]) * inner)] * weights[t]
            t = U(t + U(1))
        y[frame(y_frame) + i] = whole
