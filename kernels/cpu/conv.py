"""The convolution's loops: blocks of filters, then tiles of output pixels, then the micro-kernel.

This is where the time goes: the inner loop is :func:`.simd.convolution_tile`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .simd import bits_f32, convolution_tile, i64
from .steps import (
    BIAS,
    BLOCKS,
    COLUMN_STEP,
    FILTER_BLOCK,
    HIGH,
    LAST,
    LOW,
    OUT_COLUMNS,
    PIXELS,
    ROW_STEP,
    SEGMENT_COUNT,
    SEGMENT_LENGTH,
    SEGMENTS,
    WEIGHT_STEP,
    WEIGHTS,
    X_BLOCK,
    Y_STEP,
    X,
    Y,
)  # fmt: skip
from .tiles import Tile


def convolution(tile: Tile) -> Callable[..., Any]:
    """The kernel that runs a convolution step with one tile.

    Member `me` of `team` takes an equal share of all tiles of pixels of all blocks. The last tile of a block overlaps
    the one before it, so that every tile is whole; what is computed twice comes out the same.
    """
    run, px = convolution_tile(tile), tile.pixels

    def conv(step, me, team):
        pixels, columns = i64(step, PIXELS), i64(step, OUT_COLUMNS)
        tiles = (pixels + px - 1) // px
        work = i64(step, BLOCKS) * tiles
        for item in range(work * me // team, work * (me + 1) // team):
            block = item // tiles
            pixel = (item - block * tiles) * px
            if pixel > pixels - px:
                pixel = pixels - px
            row = pixel // columns
            filters = block * i64(step, FILTER_BLOCK)
            run(
                i64(step, X) + block * i64(step, X_BLOCK), row, pixel - row * columns, columns,
                i64(step, ROW_STEP), i64(step, COLUMN_STEP),
                i64(step, SEGMENTS), i64(step, SEGMENT_COUNT), i64(step, SEGMENT_LENGTH),
                i64(step, WEIGHTS) + filters, i64(step, WEIGHT_STEP), i64(step, BIAS) + filters,
                i64(step, Y) + filters + 4 * pixel * i64(step, Y_STEP), i64(step, Y_STEP), i64(step, LAST),
                bits_f32(i64(step, LOW)), bits_f32(i64(step, HIGH)),
            )  # fmt: skip

    return conv
