"""What boards may need for the layers of a report: an estimate by the roofline model, a range and not a point.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model" (Communications of the ACM 52(4),
2009): a layer can take no less than its FLOP over the peak, nor less than its bytes over the bandwidth. The lower end
of the range is near that, the upper end adds the two instead of letting them overlap and grants each a smaller part of
what is published. Both ends are fitted to nothing but fastact's kernels on x86-64; :func:`project` says what the same
model gives for the machine the report was measured on, so that a reader sees how far to trust it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastact.bench.result import Estimate, Layer, Projection, Report, Size

BEST, WORST = 0.95, 0.4
"""Parts of the peak that layers reach: large ones 0.8 to 0.9 on x86-64, the first, of three channels, about 0.45."""

REACHED = (0.3, 0.8)
"""Parts of a memory's published bandwidth that programs on the CPU reach, at worst and at best."""

STEP = 20e-6
"""Seconds lost at worst at a layer's end, where threads wait for the last."""

CALL = (5e-6, 100e-6)
"""Seconds of Python a frame, at best and at worst."""

FACTOR = 2.0
"""The middle of the range for the machine measured is off by no more than this: tests/test_bench_project.py."""

_MOST_THREADS = 4
"""What fastact takes by itself."""


@dataclass(frozen=True)
class Board:
    """A board as its maker describes it. Clocks and bandwidths are ranges: power modes and revisions differ.

    Attributes:
        key: what `fastact bench --project` calls it.
        lanes: floats in a vector.
        units: multiply-adds of whole vectors a core begins each cycle.
        clocks: Hz, the lowest and the highest at which all the cores counted on run in the mode of most power.
        memory: bytes a second, published.
        cache: bytes of the last cache the cores share.
        source: where the figures are from.
    """

    key: str
    name: str
    cpu: str
    cores: int
    lanes: int
    units: int
    clocks: tuple[float, float]
    memory: tuple[float, float]
    cache: int
    source: str

    def peak(self, threads: int, clock: float) -> float:
        """FLOP/s, a multiply-add being two."""
        return 2.0 * self.lanes * self.units * clock * min(threads, self.cores)


BOARDS = (
    # A Cortex-A57 has two pipes of 64 bits, so that a multiply-add of four floats begins every cycle.
    Board(
        "nano", "Jetson Nano", "ARM Cortex-A57", 4, 4, 1, (1.43e9, 1.43e9), (25.6e9, 25.6e9), 2 << 20,
        "NVIDIA, Jetson Nano System-on-Module Data Sheet, DA-09366-001; Arm, Cortex-A57 Software Optimization Guide, "
        "UAN 0015B",
    ),
    # Of Carmel's pipes nothing is published (WikiChip, "Carmel"): two of 128 bits are assumed. Its memory is 128 bits
    # wide, at 1600 MHz in the data sheets of 2020 and at 1866 MHz since.
    Board(
        "xavier-nx", "Jetson Xavier NX", "NVIDIA Carmel", 6, 4, 2, (1.4e9, 1.9e9), (51.2e9, 59.7e9), 4 << 20,
        "NVIDIA, Jetson Xavier NX System-on-Module Data Sheet, 2020 and later; two vector units of 128 bits a core are "
        "assumed, since NVIDIA publishes nothing of them",
    ),
    # 1.5 GHz and 68 GB/s; 1.7 GHz and 102 GB/s for the same module as a Super.
    Board(
        "orin-nano", "Jetson Orin Nano 8 GB", "ARM Cortex-A78AE", 6, 4, 2, (1.5e9, 1.7e9), (68e9, 102e9), 4 << 20,
        "NVIDIA, Jetson Orin Nano Series Data Sheet and Jetson Orin Nano Super Developer Kit Data Sheet; Arm, "
        "Cortex-A78 Core Software Optimization Guide",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Ceiling:
    """What a machine can do at most.

    Attributes:
        peak: FLOP/s of all threads together, at worst and at best.
        memory: bytes a second, at worst and at best.
        cache: a layer whose bytes fit there is at best not held by memory.
    """

    peak: tuple[float, float]
    memory: tuple[float, float]
    cache: int = 0


def ceiling(board: Board, threads: int) -> Ceiling:
    """Of a board, by what is published."""
    slow, fast = (board.peak(threads, clock) for clock in board.clocks)
    memory = (REACHED[0] * board.memory[0], REACHED[1] * board.memory[1])
    return Ceiling((slow, fast), memory, board.cache)


def measured_ceiling(report: Report) -> Ceiling:
    """Of the machine of the report, as it was measured there: bytes come from memory at worst, from a cache at best."""
    ability = report.ability
    assert ability is not None, "estimates are of CPUs"
    return Ceiling((ability.peak, ability.peak), (ability.memory, ability.cache))


def estimate(layer: Layer, most: Ceiling) -> Estimate:
    """The range for a layer."""
    flops = 2.0 * layer.multiplied
    computing = flops / (BEST * most.peak[1])
    moving = 0.0 if layer.traffic <= most.cache else layer.traffic / most.memory[1]
    slowly_computing, slowly_moving = flops / (WORST * most.peak[0]), layer.traffic / most.memory[0]
    # Where nothing is multiplied, a byte takes at best as long as a FLOP.
    low = max(computing, moving) or layer.traffic / (BEST * most.peak[1])
    limit = "memory" if slowly_moving > slowly_computing else "arithmetic"
    return Estimate(layer.names, low, slowly_computing + slowly_moving + STEP, limit)


def project(report: Report, boards: Sequence[Board]) -> tuple[Projection, ...]:
    """Every size on the machine of the report, then on every board; nothing where no board is asked for."""
    ability = report.ability
    if not boards or ability is None:
        return ()
    made = [
        _projection("", size, report.threads, ability.peak, ability.memory, measured_ceiling(report))
        for size in report.sizes
    ]
    for board in boards:
        threads = min(_MOST_THREADS, board.cores)
        peak = board.peak(threads, board.clocks[1])
        most = ceiling(board, threads)
        made += [_projection(board.name, size, threads, peak, board.memory[1], most) for size in report.sizes]
    return tuple(made)


def _projection(name: str, size: Size, threads: int, peak: float, memory: float, most: Ceiling) -> Projection:
    layers = tuple(estimate(layer, most) for layer in size.layers)
    low, high = CALL[0] + sum(e.low for e in layers), CALL[1] + sum(e.high for e in layers)
    return Projection(name, size.width, size.height, threads, peak, memory, low, high, layers)


def assumptions() -> str:
    """What the estimates rest on, in words."""
    return (
        "Estimates by the roofline model, not measurements: nothing here was run on these boards. Assumed are the CPU "
        f"alone with up to {_MOST_THREADS} threads, and the boards' published cores, clocks, vector units and memory; "
        f"that layers reach {WORST:.0%} to {BEST:.0%} of the peak and {REACHED[0]:.0%} to {REACHED[1]:.0%} of the "
        "memory's bandwidth, overlapping at best and one after the other at worst; and that at worst a layer loses "
        f"{1e6 * STEP:.0f} microseconds more and a frame {1e6 * CALL[1]:.0f}. A hot board, a lower power mode or other "
        "programs make it slower than the range."
    )


def sources(report: Report) -> str:
    """Where the figures of the boards in a report are from."""
    named = {projection.board for projection in report.projections}
    return " ".join(f"{board.name}: {board.source}." for board in BOARDS if board.name in named)
