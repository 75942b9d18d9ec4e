"""Convolutions whose output pixels are computed in pairs, with fewer products: the compiled part of :mod:`.pairing`.

For each tile of pairs, one member spreads what they see of the input into room of its own, as the sums and differences
that are multiplied; four passes of the convolution's micro-kernel make four sums for each pair and filter; and these
are put together as the values of two pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .fields import (
    BIAS,
    BLOCKS,
    CELL_STEP,
    COLUMN_STEP,
    DEPTH,
    HIGH,
    LAST,
    LAST_BLOCK,
    LOW,
    MEMBERS,
    OUT_COLUMNS,
    PAIR_LENGTH,
    PIXELS,
    ROOM,
    ROOM_STEP,
    ROW_STEP,
    SEGMENTS,
    SPREAD,
    SPREAD_COUNT,
    SUMS,
    WEIGHT_STEP,
    WEIGHTS,
    X,
    Y,
)  # fmt: skip
from .microkernel import convolution_tile
from .simd import F32, bits_f32, clipped, i64, splat
from .tiles import Tile

_INFINITY = 0x7F800000
"""As the bits of a float32; minus infinity's have the sign, too."""


def paired(tile: Tile) -> Callable[..., Any]:
    """The kernel that runs a paired convolution's step with one tile, whose pixels are pairs.

    Member `me` of `team` takes an equal share of all tiles. The last tile overlaps the one before it; where there are
    fewer pairs than a tile has, the last pair is computed several times.
    """
    multiply, px, size = convolution_tile(tile), tile.pixels, tile.vectors * tile.width
    spread, put_together = _spread(min(8, tile.width)), _put_together(tile.width)

    def conv(step, me, team):
        team = min(team, i64(step, MEMBERS))  # there is room for no more
        if me >= team:
            return
        y, weights, bias = i64(step, Y), i64(step, WEIGHTS), i64(step, BIAS)
        pairs, columns, weight_step = i64(step, PIXELS), i64(step, OUT_COLUMNS), i64(step, WEIGHT_STEP)
        segments, sums = i64(step, SEGMENTS), i64(step, SUMS)
        last, low, high = i64(step, LAST), bits_f32(i64(step, LOW)), bits_f32(i64(step, HIGH))
        length, room = i64(step, PAIR_LENGTH), i64(step, ROOM) + me * i64(step, ROOM_STEP)
        made = room + 4 * length * px
        tiles = (pairs + px - 1) // px
        for tile_number in range(tiles * me // team, tiles * (me + 1) // team):
            first = max(0, min(tile_number * px, pairs - px))
            row, column = _place(step, first)
            for p in range(px):
                at = i64(step, X) + row * i64(step, ROW_STEP) + min(column, columns - 2) * i64(step, COLUMN_STEP)
                spread(step, at, room + 4 * p * length)
                row, column = _next(step, row, column)
            for block in range(i64(step, BLOCKS)):
                start = 4 * min(block * size, i64(step, LAST_BLOCK))
                for s in range(4):
                    multiply(
                        room, 0, 0, px + 1, 0, 4 * length,
                        segments + 16 * i64(sums, 4 * s), i64(sums, 4 * s + 1), 1, i64(sums, 4 * s + 2),
                        weights + 4 * i64(sums, 4 * s + 3) * weight_step + start, weight_step,
                        bias + 4 * s * weight_step + start,
                        made + 4 * s * px * size, size, last, bits_f32(_INFINITY | 1 << 31), bits_f32(_INFINITY),
                    )  # fmt: skip
                row, column = _place(step, first)
                for p in range(px):
                    left = min(column, columns - 2)
                    second = y + start + 4 * (row * columns + left + 1) * weight_step
                    put_together(
                        made + 4 * p * size, 4 * px * size, size, last,
                        second if left < column else second - 4 * weight_step, second, low, high,
                    )  # fmt: skip
                    row, column = _next(step, row, column)

    return conv


@njit(error_model="numpy", inline="always")
def _place(step, pair):
    """The output's row and column where pair number `pair` begins; the last pair of an odd row has that pixel alone."""
    across = (i64(step, OUT_COLUMNS) + 1) // 2
    row = pair // across
    return row, 2 * (pair - row * across)


@njit(error_model="numpy", inline="always")
def _next(step, row, column):
    """Where the next pair begins; the last is followed by itself."""
    columns = i64(step, OUT_COLUMNS)
    if column + 2 < columns:
        return row, column + 2
    if (row + 1) * ((columns + 1) // 2) < i64(step, PIXELS):
        return row + 1, 0
    return row, column


def _spread(width: int) -> Any:
    """spread(step, x, room): writes what the pair of pixels that sees the input from `x` on multiplies to `room`."""
    three, two, one = (_over_channels(_combine(taps, width), width) for taps in (3, 2, 1))

    @njit(error_model="numpy", inline="always")
    def spread(step, x, room):
        table, cell, depth = i64(step, SPREAD), i64(step, CELL_STEP), i64(step, DEPTH)
        for n in range(i64(step, SPREAD_COUNT)):
            taps, source, target = i64(table, 3 * n), x + i64(table, 3 * n + 1), room + i64(table, 3 * n + 2)
            if taps == 3:
                three(source, cell, target, depth)
            elif taps == 2:
                two(source, cell, target, depth)
            else:
                one(source, cell, target, depth)

    return spread


def _over_channels(combine: Any, width: int) -> Any:
    """The loop over the channels of a cell, in vectors of which the last may overlap the one before it."""

    @njit(error_model="numpy", inline="always")
    def over_channels(x, cell, room, depth):
        k, end = 0, 4 * (depth - width)
        combine(x, cell, room, 4 * depth)
        while k < end:  # few times: LLVM leaves such a loop as it is
            k = min(k + 4 * width, end)
            combine(x + k, cell, room + k, 4 * depth)

    return over_channels


class _Vectors:
    """Reads and writes vectors of `width` floats by address."""

    def __init__(self, builder: ir.IRBuilder, width: int) -> None:
        self.builder, self.kind = builder, ir.VectorType(F32, width)

    def read(self, address: Any) -> Any:
        return self.builder.load(self.builder.inttoptr(address, self.kind.as_pointer()), align=4)

    def write(self, value: Any, address: Any) -> None:
        self.builder.store(value, self.builder.inttoptr(address, self.kind.as_pointer()), align=4)


def _combine(taps: int, width: int) -> Any:
    """combine(x, x_step, room, room_step): the factors of a vector of channels for a chain of 3, 2 or 1 taps.

    Cells lie `x_step` bytes apart, factors `room_step`; for what they are see pairing.py.
    """

    @intrinsic
    def combine(typing_context, x, x_step, room, room_step):
        def emit(context, builder, signature, arguments):
            memory = _Vectors(builder, width)
            x, x_step, room, room_step = arguments
            v = []
            for _ in range(taps + 1):
                v.append(memory.read(x))
                x = builder.add(x, x_step)
            if taps == 3:
                made = [builder.fsub(v[0], v[2]), builder.fadd(v[1], v[2]), builder.fsub(v[2], v[1])]
                made.append(builder.fsub(v[1], v[3]))
            elif taps == 2:
                made = [builder.fsub(v[0], v[1]), v[1], builder.fsub(v[1], v[2])]
            else:
                made = v
            for value in made:
                memory.write(value, room)
                room = builder.add(room, room_step)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), emit

    return combine


def _put_together(width: int) -> Any:
    """put_together(sums, step, size, last, y0, y1, low, high): the values of two pixels, from four sums `step` bytes
    apart, for `size` filters in vectors of which the last begins at filter `last`. The second is written last."""

    @intrinsic
    def pair(typing_context, sums, step, y0, y1, low, high):
        def emit(context, builder, signature, arguments):
            memory = _Vectors(builder, width)
            address, step, y0, y1, low, high = arguments
            parts = []
            for _ in range(4):
                parts.append(memory.read(address))
                address = builder.add(address, step)
            a, b, c, d = parts
            first, second = builder.fadd(builder.fadd(b, a), c), builder.fsub(builder.fsub(b, d), c)
            bounds = splat(builder, low, width), splat(builder, high, width)
            for value, target in ((first, y0), (second, y1)):
                memory.write(clipped(builder, value, *bounds), target)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4, types.float32, types.float32), emit

    @njit(error_model="numpy", inline="always")
    def put_together(sums, step, size, last, y0, y1, low, high):
        for k in range(0, size, width):
            k = min(k, last)
            pair(sums + 4 * k, step, y0 + 4 * k, y1 + 4 * k, low, high)

    return put_together
