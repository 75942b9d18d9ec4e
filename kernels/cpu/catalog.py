"""Every compiled kernel, a row each: the name it is exported under and the Python function it is made from.

A name says datatype, layout where it matters, operation and tile. The same table drives the build and its tests; the
rows of a plan name the kernels they want (see encode/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import move, peak, pixels, pointwise, pool, reduce, resample, summary, team
from .conv import convolution, depthwise
from .fields import ENDS, FIELDS, INSIDE, KERNEL, LANES
from .pairs import paired
from .simd import call_step, i64
from .tiles import DEPTHWISE, PAIRED, TILES, depthwise_name, paired_name

Kernel = Callable[..., Any]


def kernels(registers: str) -> dict[str, Kernel]:
    """The kernels for one kind of vector registers, each called as kernel(step, me, team).

    Member `me` of `team` does its share of the step. Every value is computed whole by one member, so that the result
    is the same to the bit for any team.
    """
    return {
        "lanes": lanes,
        **move.KERNELS,
        **pool.KERNELS,
        **resample.KERNELS,
        **pointwise.KERNELS,
        **reduce.KERNELS,
        **summary.KERNELS,
        **pixels.KERNELS,
        **peak.kernels(registers),
        **{tile.name: convolution(tile) for tile in TILES[registers]},
        **{depthwise_name(tile): depthwise(tile) for tile in DEPTHWISE[registers]},
        **{paired_name(tile): paired(tile) for tile in PAIRED[registers]},
    }


def lanes(step, me, team):
    """Lanes of rows that depend on each other within a lane alone: each is run by one member, from first to last."""
    count, inside, ends = i64(step, LANES), i64(step, INSIDE), i64(step, ENDS)
    for lane in range(count * me // team, count * (me + 1) // team):
        for s in range(i64(ends, lane), i64(ends, lane + 1)):
            row = inside + 8 * FIELDS * s
            call_step(i64(row, KERNEL), row, 0, 1)


def run(table, first, last, me, team):
    """Member `me` of `team` does its share of steps first..last-1 of a table.

    Steps depend on those before them: a team must meet after each (see team.py).
    """
    for s in range(first, last):
        step = table + 8 * FIELDS * s
        call_step(i64(step, KERNEL), step, me, team)


ENTRIES: dict[str, tuple[Kernel, int]] = {
    "fastact_run": (run, 5),
    "fastact_lead": (team.lead, 3),
    "fastact_work": (team.work, 2),
    "fastact_stop": (team.stop, 1),
}
"""What the library exports beside kernels: the function and how many int64 it takes."""
