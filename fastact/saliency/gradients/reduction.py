"""Back through sums, means and extremes, and through what is scaled by them."""

from __future__ import annotations

import math

from fastact.kernels import ops
from fastact.kernels.ops import Scaling, Total, Unary
from fastact.layers import Tape, Value
from fastact.saliency.gradients.base import Term, gradient


def through_total(total: Total, axes: tuple[int, ...], back: Term, y: Term, x: Term) -> Term:
    """The gradient of x, `back` being that of its total `y`, its axes of length 1 in place.

    Several largest (or least) values share it, as TensorFlow's reductions do.
    """
    shape = x.value.shape
    if total is Total.SUM:
        return back.stretched(shape)
    if total is Total.MEAN:
        return (back * (1 / math.prod(shape[a] for a in axes))).stretched(shape)
    extreme = y.reshaped(back.value.shape)
    # A value is the largest where the largest is not above it.
    beaten = extreme - x if total is Total.MAX else x - extreme
    chosen = 1.0 - beaten.step()
    return chosen * (back / chosen.total(Total.SUM, axes))


@gradient(ops.Reduce)
def _reduce(tape: Tape, op: ops.Reduce, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    axes = tuple(sorted(a % len(x.shape) for a in op.axes))
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    return (through_total(op.total, axes, Term(tape, back).reshaped(kept), Term(tape, y), Term(tape, x)).value,)


@gradient(ops.Standardize)
def _standardize(tape: Tape, op: ops.Standardize, back: Value, y: Value, x: Value) -> tuple[Value, ...]:
    """For y = (x - m) r: r (g - mean(g) - y mean(g y)); where the mean or the scale is fixed, without its part."""
    g, values, result = Term(tape, back), Term(tape, x), Term(tape, y)
    axes = op.axes

    def mean(term: Term) -> Term:
        return term.total(Total.MEAN, axes)

    if op.scaling is Scaling.NORM:
        squares = (values * values).total(Total.SUM, axes)
        scale = squares.apply(Unary.CLIP, op.epsilon, math.inf).apply(Unary.RSQRT)
        shared = (g * result).total(Total.SUM, axes).where(squares - op.epsilon)
        return ((g * scale - result * (shared * scale)).value,)
    if op.scaling is Scaling.MEAN_SQUARE:
        scale = (mean(values * values) + op.epsilon).apply(Unary.RSQRT)
        return ((g * scale - result * (mean(g * result) * scale)).value,)
    centred = values - mean(values)
    scale = (mean(centred * centred) + op.epsilon).apply(Unary.RSQRT)
    if op.scaling is Scaling.VARIANCE:
        own = centred * scale
        return ((g * scale - own * (mean(g * result) * scale)).value,)
    return ((g * scale - scale * mean(g) - result * (mean(g * result) * scale)).value,)
