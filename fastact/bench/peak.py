"""What the machine can do at most: multiply-adds a second, and bytes a second from memory and from a core's cache.

Measured with compiled kernels of fastact's own library and its own team of threads, in the same run as the model, so
that a report's shares of the peak are of this machine as it was.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np

from fastact.bench.machine import ROOT, text
from fastact.kernels.cpu.library import Library
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.cpu.threads import Team
from fastact.kernels.cpu.tiles import PEAK

_BURST_FLOPS = 2e7
"""Of each thread: about a quarter of a millisecond on a PC."""

_CACHED_BYTES = 128 * 1024
"""What the second cache of every machine holds."""
_LEAST_BYTES, _MOST_BYTES = 32 << 20, 256 << 20

_HALF = struct.unpack("<I", struct.pack("<f", 0.5))[0]
_LINE = 16
"""Floats in a cache line."""


class Peak:
    """Bursts of multiply-adds on registers by `threads` threads together."""

    def __init__(self, library: Library, threads: int) -> None:
        width, chains = PEAK[library.registers]
        # Several threads need longer bursts, beside which the moments in which not all are running count little.
        turns = int(_BURST_FLOPS * (10 if threads > 1 else 1) / (2 * width * chains))
        self._flops = 2 * width * chains * turns * threads
        sums = np.zeros(_LINE * threads, np.float32)
        self._table = Table([["f32_multiply_add", 0, sums, turns, _HALF]], 0, library.kernel)
        self._team = Team(library, threads)

    def burst(self) -> float:
        """FLOP/s of the better of two bursts in a row, a multiply-add being two; the largest of many is the peak."""
        return max(self._flops / _seconds(self._team, self._table) for _ in range(2))


class Copy:
    """Copies of `size` bytes by each of `threads` threads, so many `times`; bytes read and bytes written both count."""

    def __init__(self, library: Library, threads: int, size: int, times: int = 1) -> None:
        floats = size // 4
        source, target = np.ones(floats * threads, np.float32), np.zeros(floats * threads, np.float32)
        box, steps = [1, 1, threads, times, floats], [0, 0, floats, 0, 1]
        row: Row = ["f32_copy", source, target, *box, *steps, *steps]
        self._bytes = 8 * floats * threads * times
        self._table = Table([row], 0, library.kernel)
        self._team = Team(library, threads)

    def burst(self) -> float:
        """Bytes a second of one copy."""
        return self._bytes / _seconds(self._team, self._table)


def bandwidth(library: Library, threads: int, root: Path = ROOT) -> tuple[float, float]:
    """Bytes a second: from and to memory, and from and to each thread's second cache."""
    far = Copy(library, threads, _beyond_caches(root) // threads)
    near = Copy(library, threads, _CACHED_BYTES, times=20)
    return max(far.burst() for _ in range(5)), max(near.burst() for _ in range(50))


def _beyond_caches(root: Path) -> int:
    """Bytes that no cache of the machine holds, as far as a small board can spare them."""
    largest = 0
    for path in (root / "sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        size = text(path) or ""
        if size.endswith("K") and size[:-1].isdecimal():
            largest = max(largest, 1024 * int(size[:-1]))
    return min(max(_LEAST_BYTES, 2 * largest), _MOST_BYTES)


def _seconds(team: Team, table: Table) -> float:
    start = time.perf_counter_ns()
    team.run(table.address, table.steps)
    return (time.perf_counter_ns() - start) / 1e9
