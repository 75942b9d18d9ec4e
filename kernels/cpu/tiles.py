"""The register tiles of the convolution's micro-kernel, and the choice among them.

A tile computes `pixels` output pixels times `vectors` vectors of `width` filters. Its accumulators (pixels x vectors),
one row of weights (vectors) and one broadcast input value must fit the vector registers: 16 of 8 floats for AVX2,
32 of 16 for AVX-512, 32 of 4 for NEON. The table is fixed: a handful of kernels serves every model.
"""

from __future__ import annotations

import functools
import math

from ..records import dataclass


@dataclass(frozen=True, eq=False)
class Tile:
    """`pixels` output pixels x `vectors` vectors of `width` filters.

    With a `cluster` above 1, that many neighbouring pixels share `vectors` vectors: their filters stand side by side,
    cluster * filters = vectors * width, so that 12 filters fill 8-wide vectors (two pixels, three vectors).
    """

    pixels: int
    vectors: int
    width: int
    cluster: int = 1

    @property
    def name(self) -> str:
        """f32-nhwc-conv, then the tile, as pixels x vectors v width."""
        shared = f"c{self.cluster}" if self.cluster > 1 else ""
        return f"f32_nhwc_conv_{self.pixels}x{self.vectors}v{self.width}{shared}"

    @property
    def filters(self) -> int:
        """How many filters it computes, at most where vectors may overlap and exactly where they are shared."""
        return self.vectors * self.width // self.cluster


def _tiles(*rows: tuple[int, ...]) -> tuple[Tile, ...]:
    return tuple(Tile(*row) for row in rows)


def depthwise_name(tile: Tile) -> str:
    """The name of a depthwise convolution's kernel."""
    return tile.name.replace("_conv_", "_depthwise_conv_")


def paired_name(tile: Tile) -> str:
    """The name of the kernel of a convolution in pairs of pixels."""
    return tile.name.replace("_conv_", "_paired_conv_")


TILES: dict[str, tuple[Tile, ...]] = {
    "avx512": _tiles(
        (6, 4, 16), (8, 3, 16), (12, 2, 16), (12, 1, 16),
        (8, 3, 8), (12, 2, 8), (12, 1, 8), (12, 2, 4), (12, 1, 4), (8, 1, 1),
        (8, 5, 8, 2), (12, 3, 8, 2), (12, 1, 8, 2),
        (1, 4, 16), (1, 3, 16), (1, 2, 16), (1, 1, 16), (1, 2, 8), (1, 1, 8), (1, 1, 4), (1, 1, 1),
    ),
    "avx2": _tiles(
        (4, 3, 8), (6, 2, 8), (10, 1, 8), (6, 2, 4), (10, 1, 4), (8, 1, 1),
        (6, 3, 8, 2), (12, 1, 8, 2),
        (1, 4, 8), (1, 3, 8), (1, 2, 8), (1, 1, 8), (1, 1, 4), (1, 1, 1),
    ),
    "neon": _tiles(
        (4, 6, 4), (4, 5, 4), (6, 4, 4), (8, 3, 4), (10, 2, 4), (12, 1, 4), (8, 1, 1),
        (1, 8, 4), (1, 4, 4), (1, 3, 4), (1, 2, 4), (1, 1, 4), (1, 1, 1),
    ),
}  # fmt: skip
"""For each kind of vector registers its tiles; a tile's place in the row is the number the kernels know it by."""

DEPTHWISE: dict[str, tuple[Tile, ...]] = {
    "avx512": _tiles(
        (6, 2, 16), (12, 1, 16), (12, 1, 8), (12, 1, 4), (8, 1, 1),
        (1, 2, 16), (1, 1, 16), (1, 1, 8), (1, 1, 4), (1, 1, 1),
    ),
    "avx2": _tiles(
        (6, 2, 8), (12, 1, 8), (12, 1, 4), (8, 1, 1), (1, 2, 8), (1, 1, 8), (1, 1, 4), (1, 1, 1),
    ),
    "neon": _tiles((4, 4, 4), (8, 2, 4), (10, 1, 4), (8, 1, 1), (1, 4, 4), (1, 1, 4), (1, 1, 1)),
}  # fmt: skip
"""The tiles of depthwise convolutions, whose filters are channels. The input's vectors are operands of the
multiply-adds, or take a register each for a moment."""

PAIRED: dict[str, tuple[Tile, ...]] = {
    "avx512": _tiles((6, 4, 16), (8, 3, 16), (8, 2, 16), (8, 1, 16), (8, 3, 8)),
    "avx2": _tiles((4, 3, 8), (6, 2, 8), (8, 1, 8)),
    "neon": _tiles((4, 6, 4), (6, 4, 4), (8, 3, 4)),
}  # fmt: skip
"""The tiles of convolutions in pairs of pixels (see pairing.py), whose pixels are pairs."""

PEAK = {"avx512": (16, 16), "avx2": (8, 12), "neon": (4, 24)}
"""Floats in a vector, and independent chains, of the loop that measures the peak (peak.py): enough chains to hide a
multiply-add's latency (4 or 5 cycles times 2 units) and few enough to stay in registers."""

_FIRST_CACHE, _WAY = 32 * 1024, 4096
"""Bytes of data that every CPU fastact has kernels for holds closest, and how far apart bytes lie that compete for one
of its places."""

_NATIVE_WIDTH = {16: 8, 8: 8, 4: 4}
"""For a table's widest vectors the floats one multiply-add unit takes a cycle; a wider vector costs as many slots as
it has such parts.

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
def split(
    table: tuple[Tile, ...], pixels: int, filters: int, products: int, apart: int | None = None
) -> tuple[Block, ...]:
    """The blocks of filters, each with its tile, that compute `filters` filters at `pixels` pixels fastest.

    `products` are the multiplications behind each value: as many weights are there for each filter, `apart` floats from
    each other, which are `filters` without it. Every split into vectors of one width is costed by the slots its
    multiply-adds and loads take, and the cheapest is taken. The last block may overlap the one before it, as may its
    last vector.
    """

    def cost(tile: int) -> float:
        native = _NATIVE_WIDTH[max(t.width for t in table)]
        return _cost(table[tile], native, pixels, products, filters if apart is None else apart)

    splits: list[tuple[Block, ...]] = []
    for width in {t.width for t in table if t.width <= filters}:
        fitting = [i for i, t in enumerate(table) if t.width == width and t.pixels <= pixels and t.cluster == 1]
        counts = {table[i].vectors for i in fitting}
        tiles = {v: min((i for i in fitting if table[i].vectors == v), key=cost) for v in counts}
        for vectors, tile in tiles.items():
            size = vectors * width
            full = (Block(tile, 0, filters // size, size, size - width),) if filters >= size else ()
            left = filters % size
            splits += [full + rest for rest in _rests(table, tiles, width, filters, left, pixels)] if left else [full]
    return min(splits, key=lambda blocks: (sum(b.count * cost(b.tile) for b in blocks), blocks[0].tile))


def whole(table: tuple[Tile, ...], pixels: int, filters: int, products: int) -> Tile:
    """The tile of `table` that computes all filters fastest by itself, the last block overlapping the one before it."""
    native = _NATIVE_WIDTH[max(t.width for t in table)]

    def cost(tile: Tile) -> float:
        return -(-filters // (tile.vectors * tile.width)) * _cost(tile, native, pixels, products, filters)

    return min((t for t in table if (t.vectors - 1) * t.width < filters and t.width <= filters), key=cost)


def _rests(
    table: tuple[Tile, ...], tiles: dict[int, int], width: int, filters: int, left: int, pixels: int
) -> list[tuple[Block, ...]]:
    """The ways to compute the last `left` of `filters`: a shared tile made for just so many, or one that overlaps."""
    rests: list[tuple[Block, ...]] = [
        (Block(i, filters - left, 1, left, 0),)
        for i, t in enumerate(table)
        if t.cluster > 1 and t.filters == left and t.pixels <= pixels
    ]
    need = min((v for v in tiles if v * width >= left and (v - 1) * width < filters), default=None)
    if need is not None:
        first = max(0, filters - need * width)
        rests.append((Block(tiles[need], first, 1, need * width, filters - first - width),))
    return rests


def _cost(tile: Tile, native: int, pixels: int, products: int, apart: int) -> float:
    """Slots a row of weights takes for all pixels: multiply-adds, or loads where those are more, two a cycle.

    Weights that do not fit the first cache come from the second for every tile anew, at half the speed or less.
    """
    slots = max(1, tile.width // native)
    multiply_adds = tile.pixels // tile.cluster * tile.vectors * slots
    near = products * _row_bytes(tile) <= _room(tile, apart)
    loads = tile.vectors * slots * (1 if near else 2) + tile.pixels
    return -(-pixels // tile.pixels) * (max(multiply_adds, loads) + 0.125 * loads)


def _row_bytes(tile: Tile) -> int:
    """Of the weights of one product."""
    return 4 * tile.vectors * tile.width


def _room(tile: Tile, apart: int) -> int:
    """Bytes of rows of weights, `apart` floats from each other, that the first cache holds: all of it, unless the rows
    compete for the same places of it, as those of 1280 filters do."""
    rows = _WAY // math.gcd(_WAY, 4 * apart) if tile.cluster == 1 else _WAY  # shared tiles have rows of their own
    return _FIRST_CACHE // _WAY * min(_WAY, rows * _row_bytes(tile))
