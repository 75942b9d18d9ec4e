"""What the times themselves tell of disturbances, beside what the machine says of itself (`machine.warnings`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastact.bench.result import Size
from fastact.bench.words import spread, waited

_ALONE = 0.75
"""Threads that together reach less than this part of what as many alone would are said to have shared cores."""


def unsteady(sizes: Sequence[Size], clock: str) -> Iterator[str]:
    """Of whole frames, a sentence each without a full stop; `clock` is the one layers were timed by."""
    for size in sizes:
        wall, cpu = size.frame, size.cpu
        if wall.high > 1.2 * wall.low:
            yield f"times at {size.label} are unsteady: half of the frames took {spread(wall.low, wall.high)} ms"
        if clock == "cpu" and waited(size):
            yield (
                f"frames at {size.label} waited for a core: {1e3 * wall.median:.2f} ms passed for "
                f"{1e3 * cpu.median:.2f} ms of computing, so other programs took part of the time"
            )


def low_peak(bursts: Sequence[float], threads: int, alone: float | None) -> Iterator[str]:
    """Of the machine's peak; `alone` is that of one thread, where there are several."""
    if bursts and (low := sorted(bursts)[len(bursts) // 10]) < 0.8 * max(bursts):
        yield f"the machine's own peak fell to {low / max(bursts):.0%} of its best in a tenth of the rounds"
    if bursts and alone and (reached := max(bursts) / alone) < _ALONE * threads:
        yield (
            f"{threads} threads together never reached more than {reached:.1f} times the multiply-adds a second of "
            "one: other programs had their cores, or there are fewer cores than threads. The peak is that of fewer "
            "cores, and times on an idle machine may be shorter"
        )
