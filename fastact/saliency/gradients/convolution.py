"""Back through convolutions and dense layers: transposed convolutions with the same weights, and a product with the
transposed weights; where the output was clipped (relu), nothing comes back."""

from __future__ import annotations

import math

import numpy as np

from fastact.kernels import ops
from fastact.layers import Tape, Value
from fastact.layers.weaving import Spread, Turned, check_phases, woven
from fastact.saliency.gradients.base import Term, gradient


def unclipped(back: Term, y: Term, low: float, high: float) -> Term:
    """The gradient before clipping to low..high gave `y`: 0 where it did, and at the ends, as of TensorFlow's relu."""
    if low > -math.inf:
        back = back.where(y if low == 0 else y - low)
    return back.where(high - y) if high < math.inf else back


@gradient(ops.Conv2D)
def _conv2d(tape: Tape, op: ops.Conv2D, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    before = (op.pads[0], op.pads[2])
    return (_transposed(tape, op, op.weights, op.groups, before, (back, y, x)),)


@gradient(ops.DepthwiseConv2D)
def _depthwise(tape: Tape, op: ops.DepthwiseConv2D, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    kh, kw, channels, multiplier = op.weights.shape
    weights = op.weights.reshape(kh, kw, 1, channels * multiplier)
    return (_transposed(tape, op, weights, channels, (op.pads[0], op.pads[2]), (back, y, x)),)


@gradient(ops.Conv3D)
def _conv3d(tape: Tape, op: ops.Conv3D, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    return (_transposed(tape, op, op.weights, op.groups, (0, 0, 0), (back, y, x)),)


def _transposed(
    tape: Tape,
    op: ops.Conv2D | ops.Conv3D | ops.DepthwiseConv2D,
    weights: ops.Floats,
    groups: int,
    before: tuple[int, ...],
    values: tuple[Value, Value, Value],
) -> Value:
    """What comes back to x, `values` being the gradient of the map, the map, and x."""
    back, y, x = values
    *kernel, depth, filters = weights.shape
    check_phases(tuple(kernel), op.strides, op.dilation)
    # (..., depth, groups x own filters) becomes (..., own filters, groups x depth).
    own = weights.reshape(*kernel, depth, groups, filters // groups)
    turned = np.moveaxis(own, -1, -3).swapaxes(-1, -2).reshape(*kernel, filters // groups, groups * depth)
    clean = unclipped(Term(tape, back), Term(tape, y), op.low, op.high).value
    bias = np.zeros(groups * depth, np.float32)
    spread = Spread(x.shape[:-1], op.strides, op.dilation, before)
    return woven(tape, clean, Turned(turned, bias, groups), spread)


@gradient(ops.Dense)
def _dense(tape: Tape, op: ops.Dense, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    clean = unclipped(Term(tape, back), Term(tape, y), op.low, op.high).value
    turned = ops.Dense(np.ascontiguousarray(op.weights.T), np.zeros(len(op.weights), np.float32))
    return (tape.emit(turned, clean),)
