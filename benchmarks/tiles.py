"""Where the table of tiles comes from: every tile of this machine's registers over the table of shapes.

    python -m benchmarks.tiles [--registers avx2] [--milliseconds N] [--write docs/tiles.md]

For each convolution of tests/cases/measured.py, each tile that fits computes all filters, alone; it is compared with
the planner's own choice and timed beside it in turn. A row says what the planner takes, what is fastest, and what the
choice costs: 1.00 where it is the fastest there is.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import fastact
from benchmarks.common import BenchmarkError, cores, cpu_name, markdown, replace_file, run_command, table
from benchmarks.recorder import model_of
from fastact.bench.peers.network import Array
from fastact.kernels.cpu import bands, library
from fastact.kernels.cpu.encode import convolution
from fastact.kernels.cpu.levels import LEVELS, supported
from fastact.kernels.cpu.tiles import DEPTHWISE, TILES, Block, Tile, split

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

HEAD = ("convolution", "pixels", "filters", "the planner's tiles", "us", "fastest alone", "us", "planner / fastest")


def alone(table: tuple[Tile, ...], number: int, pixels: int, filters: int) -> tuple[Block, ...] | None:
    """The blocks that compute all filters with one tile, the last overlapping the one before; None where it cannot."""
    tile = table[number]
    size = tile.vectors * tile.width
    if tile.pixels > pixels or (tile.cluster > 1 and tile.filters != filters):
        return None
    if tile.cluster > 1:
        return (Block(number, 0, 1, filters, 0),)
    if filters < size:
        fits = (tile.vectors - 1) * tile.width < filters and tile.width <= filters
        return (Block(number, 0, 1, size, filters - tile.width),) if fits else None
    blocks = (Block(number, 0, filters // size, size, size - tile.width),)
    rest = (Block(number, filters - size, 1, size, size - tile.width),) if filters % size else ()
    return blocks + rest


@dataclass(frozen=True)
class Timed:
    """One convolution: microseconds of the planner's choice, and of each tile that can do it alone."""

    name: str
    pixels: int
    filters: int
    chosen: str
    microseconds: float
    alone: dict[str, float]

    @property
    def fastest(self) -> str:
        """The tile that is fastest alone."""
        return min(self.alone, key=lambda name: self.alone[name])

    @property
    def cells(self) -> tuple[str, ...]:
        """A row under `HEAD`."""
        best = self.alone[self.fastest]
        head = (self.name, str(self.pixels), str(self.filters), self.chosen, f"{self.microseconds:.1f}")
        return (*head, self.fastest, f"{best:.1f}", f"{self.microseconds / best:.2f}")


def measure(case: Any, kernels: library.Library, milliseconds: float) -> Timed:
    """Every tile that fits, beside the planner's choice.

    Raises:
        BenchmarkError: a tile computes something else.
    """
    _, model = model_of(case.make)
    name = model.outputs[0]
    node = model.layers[name]
    rows, columns, filters = (n or 1 for n in node.known_shape)
    groups = int(node.layer.config.entries.get("groups", 1)) if node.layer else 1  # type: ignore[call-overload]
    shape = [n or 1 for n in model.input_shapes["image"]]
    tiles, pixels, per_group = TILES[kernels.registers], rows * columns, filters // groups
    if groups == filters == shape[-1]:  # vectors of channels take the place of vectors of filters
        tiles, per_group = DEPTHWISE[kernels.registers], filters
    shown = np.random.default_rng(2).uniform(-1, 1.5, shape).astype(np.float32)
    weights = next(w for w in node.layer.weights.values() if w.ndim == 4) if node.layer else np.ones(1)
    products = math.prod(weights.shape[:-1])
    chosen = split(tiles, pixels, per_group, products)
    runs = {"": _prepared(model, name, shown, chosen, kernels)}
    expected = runs[""]()
    for number, tile in enumerate(tiles):
        blocks = alone(tiles, number, pixels, per_group)
        if blocks is None:
            continue
        runs[_short(tile)] = run = _prepared(model, name, shown, blocks, kernels)
        if not np.allclose(run(), expected, rtol=1e-5, atol=1e-5 * float(np.abs(expected).max())):
            raise BenchmarkError(f"tile {_short(tile)} gives other maps for {case.id}: nothing is timed")
    taken = least(runs, milliseconds)
    words = [f"{b.count} x {_short(tiles[b.tile])}" for b in chosen]
    title = case.id.removeprefix("measured-")
    return Timed(title, pixels, filters, " + ".join(words), taken.pop("") * 1e6, {k: v * 1e6 for k, v in taken.items()})


def _short(tile: Tile) -> str:
    return tile.name.removeprefix("f32_nhwc_conv_")


def _prepared(
    model: fastact.Model, name: str, shown: Array, blocks: tuple[Block, ...], kernels: library.Library
) -> Callable[[], Array]:
    """One call of the convolution split into `blocks`; the plan is made here, with the planner's choice replaced."""

    def chosen(
        table: tuple[Tile, ...], pixels: int, filters: int, products: int, apart: int | None = None
    ) -> tuple[Block, ...]:
        fits = all(table[b.tile].pixels <= pixels for b in blocks)  # a strip of a map may have fewer pixels than a tile
        return blocks if fits else split(table, pixels, filters, products, apart)

    alone = mock.patch.object(bands.pairing, "paired", lambda instruction: instruction)  # no pixels in pairs
    with (
        alone,
        mock.patch.object(convolution, "split", chosen),
        mock.patch.object(library, "load", return_value=kernels),
    ):
        extract = fastact.Extractor(model, name)
        extract(shown)
    return lambda: extract(shown)[name]


def least(runs: Mapping[str, Callable[[], object]], milliseconds: float) -> dict[str, float]:
    """Seconds of the least run of each, in turns of a few until each has had `milliseconds`."""
    least = dict.fromkeys(runs, float("inf"))
    end = time.perf_counter() + milliseconds * len(runs) / 1e3
    while time.perf_counter() < end or float("inf") in least.values():
        for name, run in runs.items():
            run()
            for _ in range(5):
                start = time.perf_counter_ns()
                run()
                least[name] = min(least[name], (time.perf_counter_ns() - start) / 1e9)
    return least


def document(made: Sequence[Timed], registers: str, command: str) -> str:
    """docs/tiles.md."""
    where = f"{cpu_name()}, {cores()} cores, {registers}, {time.strftime('%Y-%m-%d')}; fastact {fastact.__version__}."
    fastest = [(t.name, sorted(t.alone.items(), key=lambda item: item[1])[:5]) for t in made]
    parts = [
        "# Tiles",
        f"Written by `{command}`; a figure changed by hand would be lost. It records why `kernels/cpu/tiles.py` has "
        "the tiles it has: each of them over convolutions that networks in use have, alone, beside what the planner "
        "chooses. Microseconds of a call, the least of many; a tile is named pixels x vectors v width, c and how many "
        "pixels share vectors.",
        where,
        markdown(HEAD, [t.cells for t in made]),
        "The fastest five of each, microseconds:",
        "\n".join(f"- {name}: " + ", ".join(f"{tile} {us:.1f}" for tile, us in best) for name, best in fastest),
    ]
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    from cases import MEASURED_CONVOLUTIONS

    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiles", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--registers", choices=sorted(TILES), help="another table of tiles than this machine's best")
    parser.add_argument("--milliseconds", type=float, default=40.0, help="for each tile and shape (40)")
    parser.add_argument("--write", type=Path, help="the file to write, such as docs/tiles.md")
    options = parser.parse_args(argv)
    registers = options.registers or LEVELS[supported()[0]].registers
    levels = [name for name in supported() if LEVELS[name].registers == registers]
    if not levels:
        raise BenchmarkError(f"this CPU has no {registers}")
    made = [measure(case, library.load(levels[0]), options.milliseconds) for case in MEASURED_CONVOLUTIONS]
    print(f"{cpu_name()}, {cores()} cores, {registers}\n\n{table(HEAD, [t.cells for t in made])}")
    if options.write:
        arguments = sys.argv[1:] if argv is None else argv
        replace_file(options.write, document(made, registers, " ".join(["python -m benchmarks.tiles", *arguments])))
    return 0


if __name__ == "__main__":
    run_command(main)
