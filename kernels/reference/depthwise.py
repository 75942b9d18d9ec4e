"""Convolutions of each channel by itself."""

from __future__ import annotations

import numpy as np

from .. import ops
from .base import Array, reference
from .moving import pad


@reference(ops.DepthwiseConv2D)
def _depthwise_conv2d(op: ops.DepthwiseConv2D, x: Array) -> Array:
    (height, width, filters), (sy, sx), (dy, dx) = op.shape(x.shape), op.strides, op.dilation
    weights, padded = op.weights.astype(x.dtype), pad(x, (op.pads[:2], op.pads[2:]), 0.0)
    kh, kw, channels, multiplier = weights.shape
    total = np.zeros((height, width, channels, multiplier), x.dtype)
    for ky, kx in np.ndindex(kh, kw):
        rows = slice(ky * dy, ky * dy + (height - 1) * sy + 1, sy)
        columns = slice(kx * dx, kx * dx + (width - 1) * sx + 1, sx)
        total += padded[rows, columns, :, None] * weights[ky, kx]
    y = total.reshape(height, width, filters) + op.bias.astype(x.dtype)
    return np.asarray(np.clip(y, op.low, op.high), x.dtype)
