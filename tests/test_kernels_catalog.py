"""The tiles, and what is exported and needed by the compiled kernels."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from kernel_checks import (
    compiled,
    tables,
)

from fastact.kernels.cpu.catalog import kernels
from fastact.kernels.cpu.tiles import DEPTHWISE, TILES, Tile, split

both = pytest.mark.parametrize("table", [kind[r] for kind in (TILES, DEPTHWISE) for r in sorted(kind)])


@both
@pytest.mark.parametrize("products", [9, 2000])
def test_split_covers_every_filter_once_and_stays_inside(table: tuple[Tile, ...], products: int):
    for filters in range(1, 301):
        for pixels in range(1, 41):
            covered = np.zeros(filters, int)
            for block in split(table, pixels, filters, products):
                tile = table[block.tile]
                assert tile.pixels <= pixels
                starts, width = [v * tile.width for v in range(tile.vectors - 1)] + [block.last], tile.width
                if tile.cluster > 1:  # pixels share the vectors: just so many filters, no more and no fewer
                    starts, width = [0], tile.filters
                for b in range(block.count):
                    for start in starts:
                        first = block.first + b * block.stride + start
                        assert first >= 0
                        assert first + width <= filters
                        covered[first : first + width] += 1
            assert covered.min() >= 1


@tables
def test_tiles_fit_the_registers(registers: str):
    count, width = {"avx512": (32, 16), "avx2": (16, 8), "neon": (32, 4)}[registers]
    for tile in TILES[registers]:
        assert tile.width <= width
        weights_and_value = min(tile.vectors, tile.pixels) + 1
        values = tile.cluster - 1  # beside the one, where pixels share vectors
        assert tile.pixels // tile.cluster * tile.vectors + weights_and_value + values <= count
        assert tile.vectors * tile.width % tile.cluster == 0


@tables
def test_every_kernel_of_the_catalog_is_there(registers: str):
    addresses = [compiled(registers).kernel(name) for name in kernels(registers)]
    assert all(addresses)
    assert len(set(addresses)) == len(addresses)


@tables
def test_compiled_code_needs_nothing_of_python(registers: str):
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm, which lists the symbols of an object file, is not installed")
    path = compiled(registers).path
    options = ["-D", "-u"] if path.suffix == ".so" else ["-u"]
    listed = subprocess.run([nm, *options, path], capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    of_the_loader = {"__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}
    of_c = {"exp", "expm1", "log", "log1p", "tanh", "erf", "erfc", "memcpy", "memset", "memmove", "pow"}
    assert needed <= of_the_loader | of_c
