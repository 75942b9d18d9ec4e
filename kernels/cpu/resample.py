"""Values between values: sums of weighted cells along one axis, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .fields import CELLS, IN_LENGTH, INNER, LENGTH, OUTER, TAP_WEIGHTS, TAPS, X, Y
from .simd import F32, F64, I64, i64, set_f32, splat, wide


def weighted(width: int) -> Any:
    """A loop over taps, as an intrinsic called as run(x, y, step, cells, weights, taps).

    The `width` floats at y become sums of as many side by side in each of `cells`, which lie `step` bytes apart from x
    on, times its weight. The sums stay in registers.
    """
    narrow, broad = ir.VectorType(F32, width), ir.VectorType(F64, width)

    @intrinsic
    def run(typing_context, x, y, step, cells, weights, taps):
        def emit(context, builder, signature, arguments):
            x, y, step, cells, weights, taps = arguments
            entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
            builder.branch(loop)

            builder.position_at_end(loop)
            t, before = builder.phi(I64), builder.phi(broad)
            cell = builder.load(builder.gep(builder.inttoptr(cells, I64.as_pointer()), [t]))
            place = builder.inttoptr(builder.add(x, builder.mul(cell, step)), narrow.as_pointer())
            weight = builder.fpext(builder.load(builder.gep(builder.inttoptr(weights, F32.as_pointer()), [t])), F64)
            values = builder.fpext(builder.load(place, align=4), broad)
            products = builder.fmul(values, splat(builder, weight, width))
            after, following = builder.fadd(before, products), builder.add(t, ir.Constant(I64, 1))
            t.add_incoming(ir.Constant(I64, 0), entry)
            t.add_incoming(following, loop)
            before.add_incoming(ir.Constant(broad, [0.0] * width), entry)
            before.add_incoming(after, loop)
            builder.cbranch(builder.icmp_signed("<", following, taps), loop, done)

            builder.position_at_end(done)
            builder.store(builder.fptrunc(after, narrow), builder.inttoptr(y, narrow.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), emit

    return run


_sum_of_32, _sum_of_8, _sum_of_2 = weighted(32), weighted(8), weighted(2)


def resample(step, me, team):
    """Each place along the middle axis from TAPS places of the input: one to three; of single floats any number."""
    length, inner, in_length, taps = i64(step, LENGTH), i64(step, INNER), i64(step, IN_LENGTH), i64(step, TAPS)
    lines = i64(step, OUTER) * length
    if inner == 1:  # along the last axis of a map without channels
        _along_last(step, lines * me // team, lines * (me + 1) // team)
        return
    for line in range(lines * me // team, lines * (me + 1) // team):
        outer = line // length
        first = (line - outer * length) * taps
        cells, weights = i64(step, CELLS) + 8 * first, i64(step, TAP_WEIGHTS) + 4 * first
        source, target = i64(step, X) + 4 * outer * in_length * inner, i64(step, Y) + 4 * line * inner
        if taps == 1:
            a, weight_a = source + 4 * i64(cells, 0) * inner, wide(weights, 0)
            for i in range(inner):
                set_f32(target, i, wide(a, i) * weight_a)
        elif taps == 2:
            a, b = source + 4 * i64(cells, 0) * inner, source + 4 * i64(cells, 1) * inner
            weight_a, weight_b = wide(weights, 0), wide(weights, 1)
            for i in range(inner):
                set_f32(target, i, wide(a, i) * weight_a + wide(b, i) * weight_b)
        else:  # three: what a window of 5 leaves where it moves by 2
            a, b = source + 4 * i64(cells, 0) * inner, source + 4 * i64(cells, 1) * inner
            c = source + 4 * i64(cells, 2) * inner
            weight_a, weight_b, weight_c = wide(weights, 0), wide(weights, 1), wide(weights, 2)
            for i in range(inner):
                set_f32(target, i, wide(a, i) * weight_a + wide(b, i) * weight_b + wide(c, i) * weight_c)


def resample_many(step, me, team):
    """The same for any number of places, of two floats or more, in vectors: the last overlaps the one before it."""
    length, inner, in_length, taps = i64(step, LENGTH), i64(step, INNER), i64(step, IN_LENGTH), i64(step, TAPS)
    lines = i64(step, OUTER) * length
    for line in range(lines * me // team, lines * (me + 1) // team):
        outer = line // length
        first = (line - outer * length) * taps
        cells, weights = i64(step, CELLS) + 8 * first, i64(step, TAP_WEIGHTS) + 4 * first
        source, target = i64(step, X) + 4 * outer * in_length * inner, i64(step, Y) + 4 * line * inner
        rest = inner // 32 * 32
        for i in range(0, rest, 32):
            _sum_of_32(source + 4 * i, target + 4 * i, 4 * inner, cells, weights, taps)
        if inner >= 8:
            for i in range(rest, inner, 8):
                at = 4 * min(i, inner - 8)
                _sum_of_8(source + at, target + at, 4 * inner, cells, weights, taps)
        else:
            for i in range(0, inner, 2):
                at = 4 * min(i, inner - 2)
                _sum_of_2(source + at, target + at, 4 * inner, cells, weights, taps)


@njit(error_model="numpy", inline="always")
def _along_last(step, first, last):
    """Values number first to last-1 of the output, whose lines are one value wide."""
    length, in_length, taps = i64(step, LENGTH), i64(step, IN_LENGTH), i64(step, TAPS)
    cells, weights, y = i64(step, CELLS), i64(step, TAP_WEIGHTS), i64(step, Y)
    outer = first // length
    place = first - outer * length
    source = i64(step, X) + 4 * outer * in_length
    for value in range(first, last):
        total = 0.0
        for t in range(place * taps, (place + 1) * taps):
            total += wide(source, i64(cells, t)) * wide(weights, t)
        set_f32(y, value, total)
        place += 1
        if place == length:
            place = 0
            source += 4 * in_length


KERNELS: dict[str, Callable[..., Any]] = {"f32_resample": resample, "f32_resample_many": resample_many}
