"""The register tiles of the convolution's micro-kernel, and the choice among them.

A tile computes `pixels` output pixels times `vectors` vectors of `width` filters. Its accumulators (pixels x vectors),
one row of weights (vectors) and one broadcast input value must fit the vector registers: 16 of 8 floats for AVX2,
32 of 16 for AVX-512, 32 of 4 for NEON. The table is fixed: a handful of kernels serves every model.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """`pixels` output pixels x `vectors` vectors of `width` filters."""

    pixels: int
    vectors: int
    width: int

    @property
    def name(self) -> str:
        """f32-nhwc-conv, then the tile, as pixels x vectors v width."""
        return f"f32_nhwc_conv_{self.pixels}x{self.vectors}v{self.width}"


def _tiles(*rows: tuple[int, int, int]) -> tuple[Tile, ...]:
    return tuple(Tile(*row) for row in rows)


TILES: dict[str, tuple[Tile, ...]] = {
    "avx512": _tiles(
        (6, 4, 16), (8, 3, 16), (12, 2, 16), (12, 1, 16),
        (8, 3, 8), (12, 2, 8), (12, 1, 8), (12, 2, 4), (12, 1, 4), (8, 1, 1),
        (1, 4, 16), (1, 3, 16), (1, 2, 16), (1, 1, 16), (1, 2, 8), (1, 1, 8), (1, 1, 4), (1, 1, 1),
    ),
    "avx2": _tiles(
        (4, 3, 8), (6, 2, 8), (10, 1, 8), (6, 2, 4), (10, 1, 4), (8, 1, 1),
        (1, 4, 8), (1, 3, 8), (1, 2, 8), (1, 1, 8), (1, 1, 4), (1, 1, 1),
    ),
    "neon": _tiles(
        (4, 6, 4), (4, 5, 4), (6, 4, 4), (8, 3, 4), (10, 2, 4), (12, 1, 4), (8, 1, 1),
        (1, 8, 4), (1, 4, 4), (1, 3, 4), (1, 2, 4), (1, 1, 4), (1, 1, 1),
    ),
}  # fmt: skip
"""For each kind of vector registers its tiles; a tile's place in the row is the number the kernels know it by."""

_NATIVE_WIDTH = {"avx512": 8, "avx2": 8, "neon": 4}
"""Floats one multiply-add unit takes a cycle; a wider vector costs as many slots as it has such parts.

True to Zen 4, which runs a 512-bit operation as two halves; on a core with full-width units it only makes the choice
between two even splits less sharp."""


@dataclass(frozen=True)
class Block:
    """`count` neighbouring blocks of filters for one tile, from filter `first`; see `last` in the micro-kernel."""

    tile: int
    first: int
    count: int
    stride: int
    last: int


@functools.lru_cache(maxsize=1024)
def split(registers: str, pixels: int, filters: int) -> tuple[Block, ...]:
    """The blocks of filters, each with its tile, that compute `filters` filters at `pixels` pixels fastest.

    Every split into vectors of one width is costed by the slots its multiply-adds and loads take, and the cheapest is
    taken. The last block may overlap the one before it, as may its last vector.
    """
    table = TILES[registers]

    def cost(tile: int) -> float:
        return _cost(table[tile], registers, pixels)

    splits = []
    for width in {t.width for t in table if t.width <= filters}:
        fitting = [i for i, t in enumerate(table) if t.width == width and t.pixels <= pixels]
        counts = {table[i].vectors for i in fitting}
        tiles = {v: min((i for i in fitting if table[i].vectors == v), key=cost) for v in counts}
        splits += [_blocks(tiles, vectors, width, filters) for vectors in tiles]
    return min(filter(None, splits), key=lambda blocks: (sum(b.count * cost(b.tile) for b in blocks), blocks[0].tile))


def _blocks(tiles: dict[int, int], vectors: int, width: int, filters: int) -> tuple[Block, ...]:
    """Full blocks of `vectors` vectors, and the smallest tile that covers what they leave; () if none does."""
    size = vectors * width
    full, left = divmod(filters, size)
    blocks = [Block(tiles[vectors], 0, full, size, size - width)] if full else []
    if left:
        need = min(v for v in tiles if v * width >= left)
        if (need - 1) * width >= filters:
            return ()
        first = max(0, filters - need * width)
        blocks.append(Block(tiles[need], first, 1, need * width, filters - first - width))
    return tuple(blocks)


def _cost(tile: Tile, registers: str, pixels: int) -> float:
    """Slots a row of weights takes for all pixels: multiply-adds, or loads where those are more; two of each a cycle."""
    slots = max(1, tile.width // _NATIVE_WIDTH[registers])
    multiply_adds = tile.pixels * tile.vectors * slots
    loads = tile.vectors * slots + tile.pixels
    return -(-pixels // tile.pixels) * (max(multiply_adds, loads) + 0.125 * loads)
