"""The convolution's loops: blocks of filters, then tiles of output pixels, then the micro-kernel.

This is where the time goes: the inner loop is :func:`.microkernel.convolution_tile`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fields import (
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
    SEGMENT_STEP,
    SEGMENTS,
    TOGETHER,
    WEIGHT_STEP,
    WEIGHTS,
    X_BLOCK,
    Y_STEP,
    X,
    Y,
)  # fmt: skip
from .microkernel import convolution_tile, depthwise_tile
from .simd import bits_f32, i64
from .tiles import Tile


def convolution(tile: Tile) -> Callable[..., Any]:
    """The kernel that runs a convolution step with one tile."""
    return _over_tiles(convolution_tile(tile), tile.pixels)


def depthwise(tile: Tile) -> Callable[..., Any]:
    """The kernel that runs a depthwise convolution's step with one tile, its filters being channels."""
    return _over_tiles(depthwise_tile(tile), tile.pixels)


def _over_tiles(run: Any, px: int) -> Callable[..., Any]:
    """The kernel that runs a step with one micro-kernel of `px` pixels.

    Member `me` of `team` takes an equal share of all tiles of pixels of all blocks. The last tile of a block overlaps
    the one before it, so that every tile is whole; what is computed twice comes out the same.
    """

    def conv(step, me, team):
        x, y, weights, bias = i64(step, X), i64(step, Y), i64(step, WEIGHTS), i64(step, BIAS)
        x_block, filter_block = i64(step, X_BLOCK), i64(step, FILTER_BLOCK)
        pixels, columns, y_step = i64(step, PIXELS), i64(step, OUT_COLUMNS), i64(step, Y_STEP)
        row_step, column_step, weight_step = i64(step, ROW_STEP), i64(step, COLUMN_STEP), i64(step, WEIGHT_STEP)
        segments, count, together = i64(step, SEGMENTS), i64(step, SEGMENT_COUNT), i64(step, TOGETHER)
        segment_step = i64(step, SEGMENT_STEP)
        last, low, high = i64(step, LAST), bits_f32(i64(step, LOW)), bits_f32(i64(step, HIGH))
        tiles = (pixels + px - 1) // px
        work = i64(step, BLOCKS) * tiles
        begin, end = work * me // team, work * (me + 1) // team
        block = begin // tiles
        tile_number = begin - block * tiles
        for _ in range(begin, end):
            pixel = tile_number * px
            if pixel > pixels - px:
                pixel = pixels - px
            row = pixel // columns
            run(
                x + block * x_block, row, pixel - row * columns, columns, row_step, column_step,
                segments, count, segment_step, together,
                weights + block * filter_block, weight_step, bias + block * filter_block,
                y + block * filter_block + 4 * pixel * y_step, y_step, last, low, high,
            )  # fmt: skip
            tile_number += 1
            if tile_number == tiles:
                tile_number, block = 0, block + 1

    return conv
