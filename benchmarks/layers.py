"""Where the time of one frame goes: every step of a plan timed on its own, one thread.

    python -m benchmarks.layers [--model FILE.h5] [--size 640x360] [--layers GLOB] [--rounds N] [--bytes]

The first table has a row a step: the kernel (a convolution's with its tile, pixels x vectors v width), what it writes
("scratch" for steps that only pad, copy or convert for what follows), and how near its multiply-adds come to the core's
peak, those a tile does twice included, and those that computing pixels in pairs saves left out. The second has a row a
layer and counts what the layer needs and no more, so that waste shows as the difference, and what pairs save may bring
a layer beyond the peak.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from pathlib import Path

import numpy as np

import fastact
from benchmarks.cases import cases, parse_size
from benchmarks.common import BenchmarkError, cpu_name, run_command, table
from benchmarks.peak import Peak
from fastact.engines.cpu_plan import CpuPlan
from fastact.kernels.cpu import library
from fastact.kernels.cpu.fields import (
    BLOCKS,
    ENDS,
    FIELDS,
    INSIDE,
    KERNEL,
    LANES,
    PAIR_LENGTH,
    PIXELS,
    SEGMENT_COUNT,
    SEGMENT_STEP,
    SEGMENTS,
    Y,
)
from fastact.kernels.cpu.memory import Memory
from fastact.kernels.cpu.tiles import DEPTHWISE, PAIRED, TILES, Tile, depthwise_name, paired_name
from fastact.kernels.records import dataclass
from fastact.layout import ARENA, FIRST_INPUT, OUTPUTS
from fastact.recording import Recording
from fastact.selection import select


@dataclass(frozen=True)
class _Named(library.Library):
    """Remembers the name of every kernel it gives the address of."""

    names: dict[int, str] = field(default_factory=dict)

    def kernel(self, name: str) -> int:
        address = super().kernel(name)
        self.names[address] = name
        return address


@dataclass(frozen=True)
class Step:
    """One row of the plan's table.

    Attributes:
        kernel: its name; the names of all that a band of steps runs together, strip by strip.
        layers: whose maps it writes; none for scratch.
        flops: of the tiles it runs, what they compute twice included; 0 where the kernel is no convolution.
        seconds: the least over the rounds.
    """

    kernel: str
    layers: tuple[str, ...]
    flops: int
    seconds: float

    @property
    def written(self) -> str:
        """What it writes, in words."""
        return " + ".join(self.layers) or "scratch"


class Stepper:
    """A plan with memory of its own, run step by step."""

    def __init__(self, model: fastact.Model, layers: Sequence[str], in_bytes: bool) -> None:
        loaded = library.load()
        self._library = _Named(**{f.name: getattr(loaded, f.name) for f in fields(loaded)})
        self._plan = CpuPlan(Recording.of(model.nodes, layers, dict.fromkeys(model.inputs, in_bytes)), self._library)
        self._table = self._plan.table
        self._memory: list[Memory] = []
        self._frames: list[np.ndarray] = []
        self._table.place(ARENA, self._new(self._plan.arena_bytes))
        self._start = self._new(self._plan.output_bytes)
        self._table.place(OUTPUTS, self._start)
        rng = np.random.default_rng(0)
        for i, name in enumerate(self._plan.inputs):
            shape = tuple(n or 1 for n in model.layers[name].known_shape)
            given = rng.random(shape, np.float32)
            self._frames.append((given * 255).astype(np.uint8) if in_bytes else given)
            self._table.place(FIRST_INPUT + i, self._frames[-1].ctypes.data)

    def _new(self, size: int) -> int:
        """The aligned address of `size` bytes."""
        self._memory.append(Memory.of(size))
        return self._memory[-1].address

    def time(self, rounds: int, peak: Peak) -> tuple[list[Step], float, float]:
        """Every step; seconds of the least whole run; the core's peak in GFLOP/s."""
        rows, count = self._table.address, self._table.steps
        best, whole, speed = [float("inf")] * count, float("inf"), 0.0
        for _ in range(rounds):
            speed = max(speed, peak.burst())
            self._library.run(rows, count)
            start = time.perf_counter_ns()
            self._library.run(rows, count)
            whole = min(whole, (time.perf_counter_ns() - start) / 1e9)
            for i in range(count):
                start = time.perf_counter_ns()
                self._library.run_part(rows, i, i + 1, 0, 1)
                best[i] = min(best[i], (time.perf_counter_ns() - start) / 1e9)
        return [self._step(i, seconds) for i, seconds in enumerate(best)], whole, speed

    def _step(self, number: int, seconds: float) -> Step:
        rows = _inside([int(n) for n in self._table.rows[number]], self._library.names)
        names = dict.fromkeys(self._library.names[row[KERNEL]] for row in rows)
        written = dict.fromkeys(name for row in rows if (name := self._layer(row[Y])) is not None)
        tiles = _tiles(self._library.registers)
        ran = [(row, self._library.names[row[KERNEL]]) for row in rows]
        flops = sum(_flops(row, name, tiles[name]) for row, name in ran if name in tiles)
        return Step(" + ".join(names), tuple(written), flops, seconds)

    def _layer(self, address: int) -> str | None:
        """The layer whose map begins last at or before `address`, if that lies in the block of maps."""
        offset = address - self._start
        if not 0 <= offset < self._plan.output_bytes:
            return None
        return max((o for o in self._plan.outputs if o.offset <= offset), key=lambda o: o.offset).name


def _inside(row: list[int], names: Mapping[int, str]) -> list[list[int]]:
    """The rows that a row of lanes runs; any other row itself."""
    if names[row[KERNEL]] != "lanes":
        return [row]
    count = ctypes.c_int64.from_address(row[ENDS] + 8 * row[LANES]).value
    inside = np.ctypeslib.as_array((ctypes.c_int64 * (FIELDS * count)).from_address(row[INSIDE]))
    return [[int(n) for n in one] for one in inside.reshape(count, FIELDS)]


def _tiles(registers: str) -> dict[str, Tile]:
    """The tile of every kernel that is a convolution."""
    tables = ((TILES, lambda tile: tile.name), (DEPTHWISE, depthwise_name), (PAIRED, paired_name))
    return {name(tile): tile for table, name in tables for tile in table[registers]}


def _flops(row: Sequence[int], name: str, tile: Tile) -> int:
    pixels = -(-row[PIXELS] // tile.pixels) * tile.pixels
    # Neighbouring pixels may share a tile's vectors, where tiles of that kind are in the table.
    filters = row[BLOCKS] * tile.vectors * tile.width // tile.cluster
    products = row[PAIR_LENGTH] if name == paired_name(tile) else _products(row)  # of a pair, where pixels are pairs
    return 2 * pixels * filters * products


def _products(row: Sequence[int]) -> int:
    """Products that make one output value: the steps in all runs (from, to) of the receptive field."""
    count = row[SEGMENT_COUNT]
    runs = np.ctypeslib.as_array((ctypes.c_int64 * (2 * count)).from_address(row[SEGMENTS])).reshape(-1, 2)
    return int((runs[:, 1] - runs[:, 0]).sum()) // row[SEGMENT_STEP]


def _rate(flops: int, seconds: float, peak: float) -> tuple[str, str]:
    if not flops:
        return "", ""
    return f"{flops / seconds / 1e9:.1f}", f"{flops / seconds / 1e9 / peak:.0%}"


def text(model: fastact.Model, made: Sequence[Step], whole: float, peak: float) -> str:
    """Both tables."""
    total = sum(s.seconds for s in made)
    by_step = [
        (
            str(i),
            s.kernel,
            s.written,
            f"{s.seconds * 1e6:.1f}",
            f"{s.seconds / total:.0%}",
            *_rate(s.flops, s.seconds, peak),
        )
        for i, s in enumerate(made)
    ]
    by_layer = []
    for layers in dict.fromkeys(s.layers for s in made):
        seconds, name = sum(s.seconds for s in made if s.layers == layers), " + ".join(layers) or "scratch"
        needed = sum(2 * model.costs[layer].multiply_adds for layer in layers)
        done = sum(s.flops for s in made if s.layers == layers)
        times = f"{done / needed:.3f}" if needed and done else ""
        by_layer.append((name, f"{seconds * 1e6:.1f}", f"{seconds / total:.0%}", *_rate(needed, seconds, peak), times))
    return "\n\n".join(
        [
            table(("step", "kernel", "writes", "us", "share", "GFLOP/s", "of peak"), by_step),
            table(("layer", "us", "share", "GFLOP/s", "of peak", "done / needed"), by_layer),
            f"steps one by one {total * 1e6:.1f} us, in one call {whole * 1e6:.1f} us; core's peak {peak:.1f} GFLOP/s",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, action="append", default=[], help="any model fastact reads")
    parser.add_argument("--size", action="append", default=[], help="width x height; by default the model's own")
    parser.add_argument("--layers", help="a name or glob; by default every convolution")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--bytes", action="store_true", help="give the frame as uint8, which adds a conversion")
    options = parser.parse_args(argv)
    if options.rounds < 1:
        raise BenchmarkError("--rounds must be 1 or more")
    peak = Peak()
    for case in cases(options.model, [parse_size(s) for s in options.size]):
        model = case.model()
        wanted = [n.name for n in select(model, options.layers) if n.reason is None]
        if not wanted:
            raise BenchmarkError(f"{case.path}: none of the layers asked for can be computed at this size")
        print(f"{case.path.name}{f' at {case.size[1]}x{case.size[0]}' if case.size else ''}, {cpu_name()}\n")
        print(text(model, *Stepper(model, wanted, options.bytes).time(options.rounds, peak)) + "\n", flush=True)
    return 0


if __name__ == "__main__":
    run_command(main)
