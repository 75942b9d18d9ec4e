"""The tiles of the convolution: how many pixels and filters a block and each of its threads take.

A convolution is a matrix product of receptive fields (pixels x products) and weights (products x filters). A block
makes `block_pixels` x `block_filters` values of it, a thread `pixels` x `filters` of them in registers, from slices of
`depth` products in shared memory. Where a map has too few values to fill a GPU, several teams of a block share the
products between them (`splits`), and add up what they have, always in the same order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .boards import Board


class Tile(NamedTuple):
    """A tile: threads along pixels and along filters, values of a thread along both, products of a slice, teams."""

    rows: int
    columns: int
    pixels: int
    filters: int
    depth: int = 8
    splits: int = 1

    @property
    def name(self) -> str:
        """As kernels of this tile are called."""
        return f"conv_{self.block_pixels}x{self.block_filters}_{self.pixels}x{self.filters}_by{self.splits}"

    @property
    def team(self) -> int:
        """Threads that share a slice."""
        return self.rows * self.columns

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.team * self.splits

    @property
    def block_pixels(self) -> int:
        """Pixels of a block."""
        return self.rows * self.pixels

    @property
    def block_filters(self) -> int:
        """Filters of a block."""
        return self.columns * self.filters


TILES = (
    Tile(16, 8, 8, 8),  # 128 x 64: the most products for each value read
    Tile(16, 4, 8, 8),  # 128 x 32
    Tile(32, 2, 4, 12),  # 128 x 24
    Tile(32, 4, 4, 4),  # 128 x 16
    Tile(8, 8, 4, 8, splits=2),  # 32 x 64
    Tile(8, 8, 4, 4, splits=4),  # 32 x 32
    Tile(8, 4, 2, 4, splits=8),  # 16 x 16
)
"""From the largest to the smallest. Tables of the GPUs that prefer some are not needed so far: all of them have the
32768 registers and the 48 KB that a block of any of these is far from."""


def kernel_name(tile: Tile, *, padded: bool, in_bytes: bool) -> str:
    """As the kernel of a tile is called, for an input with or without zeros around it, in bytes or in floats."""
    return f"{tile.name}{'_padded' * padded}{'_u8' * in_bytes}"


PART, SUMS = 512, 8
"""Of a dense layer of few pixels: products that a block adds up, and of how many units."""

LANES = 128
"""Multiply-adds that a multiprocessor does in a cycle (64 on 7.x, which changes no choice)."""
LATENCY = 800
"""Cycles from one slice to the next where nothing else hides them: memory, the meeting of threads, the products."""


def blocks(tile: Tile, pixels: int, filters: int, groups: int) -> tuple[int, int]:
    """Blocks along pixels, and along filters (of one group after the other)."""
    return -(-pixels // tile.block_pixels), groups * -(-filters // tile.block_filters)


def choose(pixels: int, filters: int, products: int, groups: int, board: Board) -> Tile:
    """The tile that takes the fewest cycles, by count.

    Args:
        pixels: of all frames.
        filters: of one group.
        products: added up for one value.
        groups: of the convolution.
    """
    return min(TILES, key=lambda tile: cycles(tile, pixels, filters, products, groups, board))


def cycles(tile: Tile, pixels: int, filters: int, products: int, groups: int, board: Board) -> float:
    """What a convolution takes, about: its arithmetic, or what no other block hides of its waiting."""
    each = math.prod(blocks(tile, pixels, filters, groups)) / board.multiprocessors
    rounds = -(-products // (tile.depth * tile.splits))
    arithmetic = tile.block_pixels * tile.block_filters * tile.depth * tile.splits * rounds / LANES
    reads = (tile.pixels + tile.filters) / (4 * tile.pixels * tile.filters)  # of four floats, for each multiply-add
    busy = math.ceil(each) * arithmetic * (1 + 4 * reads)
    return max(busy, math.ceil(each * tile.threads / 512) * rounds * LATENCY)
