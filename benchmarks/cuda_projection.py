"""What a board's GPU could do at most with a network's maps: a projection from data sheets, and no measurement.

Every operation of the network is encoded as it would be launched on the board. It takes no less than its arithmetic
and no less than its traffic with memory, and the larger of the two is its floor:

- arithmetic: the multiply-adds of the tiles, on the multiprocessor that gets the most blocks, over what a
  multiprocessor can do in a second; a round of blocks with fewer warps than its four parts leaves parts idle;
- traffic: every input, all weights and the output once, over the bandwidth of the board's memory.

What lies between launches is not counted, nor what memory's latency costs, so that small maps take longer.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cases import pilots
from benchmarks.common import Section, markdown
from benchmarks.cuda_build import Built
from benchmarks.cuda_lowered import Step, lowered
from fastact.kernels.cuda.boards import NANO, ORIN_NANO, WARP, XAVIER_NX, Board
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.cuda.launch import Launch
from fastact.kernels.cuda.occupancy import Occupancy, occupancy
from fastact.kernels.cuda.tiles import Tile

JETSONS = (NANO, XAVIER_NX, ORIN_NANO)

PROJECTION = Section("projection")
LABEL = "A projection from data sheets, not a measurement"

_PARTS = 4
"""Parts of a multiprocessor, each of which needs a warp of its own to run."""


@dataclass(frozen=True)
class Floor:
    """Seconds that an operation takes at least, for its arithmetic and for its traffic."""

    arithmetic: float
    traffic: float

    @property
    def seconds(self) -> float:
        """The larger one."""
        return max(self.arithmetic, self.traffic)


def floor(step: Step, board: Board, made: Built, frames: int = 1) -> Floor:
    """The floor of one operation on `board`, whose clock and bandwidth are known."""
    launch = step.launches[0]
    needs, kernel = made.needs[board.capability][launch.kernel], KERNELS[launch.kernel]
    held = occupancy(board.capability, kernel.threads, needs.registers, needs.shared)
    count = math.prod(launch.grid(frames))
    work = _tile_flops(step, launch, frames) / count * busy(count, kernel.threads, held, board)
    return Floor(work * board.multiprocessors / board.peak, step.moved / board.bandwidth)


def busy(blocks: int, threads: int, held: Occupancy, board: Board) -> float:
    """The blocks of the multiprocessor that gets the most, each counted the more often the more parts stay idle."""
    mine, warps = -(-blocks // board.multiprocessors), -(-threads // WARP)
    rounds, rest = divmod(mine, held.blocks)

    def slowed(blocks: int) -> float:
        return blocks / min(1, blocks * warps / _PARTS) if blocks else 0.0

    return rounds * slowed(held.blocks) + slowed(rest)


def _tile_flops(step: Step, launch: Launch, frames: int) -> float:
    """What is computed, the values of a tile that lie beyond the map or its filters among it."""
    maker = KERNELS[launch.kernel].made_by
    tile = next((given for given in maker[1] if isinstance(given, Tile)), None) if maker else None
    if tile is None or not step.flops:
        return step.flops
    pixels = launch.blocks[0] * frames
    across, down, _ = launch.grid(frames)
    weights = next(a for a in launch.arguments if isinstance(a, np.ndarray) and a.ndim > 1)
    filters = weights.shape[-1]
    return step.flops * (across * tile.block_pixels / pixels) * (down * tile.block_filters / filters)


@dataclass(frozen=True)
class Projection:
    """All operations of a network at a size, and their floors by board."""

    label: str
    made: Mapping[Board, Sequence[tuple[Step, Floor]]]


def projections(made: Built) -> list[Projection]:
    """The article's network and donkeycar's linear pilot, at 160x120 and 640x360, on each Jetson."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for case in pilots(Path(folder)):
            model = case.model()
            shape = next(iter(model.input_shapes.values()))
            by_board = {b: [(s, floor(s, b, made)) for s in lowered(model, b).steps] for b in JETSONS}
            found.append(Projection(case.label([n or 1 for n in shape]), by_board))
    return found


def document(made: Built) -> str:
    """The tables of projections, in Markdown."""
    found = projections(made)
    boards = (f"{b.name} {b.gflops:.0f} GFLOP/s and {b.bandwidth / 1e9:g} GB/s" for b in JETSONS)
    parts = [
        f"**{LABEL}.** One uint8 frame to the maps of all convolutions. An operation takes the larger of its "
        f"arithmetic and its traffic with memory; data sheets say: {', '.join(boards)}. Milliseconds, and in brackets "
        "the arithmetic and the traffic alone; a board will be slower, since launches and latencies are not counted.",
        markdown(("maps", "launches", "MFLOP", "MB", *(b.name for b in JETSONS)), [_total(p) for p in found]),
        "The article's network layer by layer: microseconds, and the blocks of its launch.",
        markdown(("layer", "MFLOP", "kB", *(b.name for b in JETSONS)), [row for p in found[:2] for row in _layers(p)]),
    ]
    return "\n\n".join(parts)


def _total(found: Projection) -> tuple[str, ...]:
    some = [step for step, _ in found.made[JETSONS[0]]]
    launches = sum(len(step.launches) for step in some)
    flops, moved = sum(step.flops for step in some), sum(step.moved for step in some)
    cells = []
    for board in JETSONS:
        floors = [floor for _, floor in found.made[board]]
        time, arithmetic, traffic = (
            1e3 * sum(times) for times in zip(*((f.seconds, f.arithmetic, f.traffic) for f in floors), strict=True)
        )
        cells.append(f"{time:.2f} ({arithmetic:.2f}, {traffic:.2f})")
    return (found.label, str(launches), f"{flops / 1e6:.1f}", f"{moved / 1e6:.2f}", *cells)


def _layers(found: Projection) -> list[tuple[str, ...]]:
    size = found.label.rpartition(" ")[2]
    rows = []
    for number, (step, _) in enumerate(found.made[JETSONS[0]]):
        cells = []
        for board in JETSONS:
            at, floor = found.made[board][number]
            cells.append(f"{1e6 * floor.seconds:.0f} ({math.prod(at.launches[0].grid(1))})")
        rows.append((f"{step.name} at {size}", f"{step.flops / 1e6:.1f}", f"{step.moved / 1e3:.0f}", *cells))
    return rows
