"""Every compiled kernel, a row each: the name it is exported under and the Python function it is made from.

A name says datatype, layout where it matters, operation and tile. The same table drives the build and its tests; the
rows of a plan name the kernels they want (see encode/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import move, pointwise, pool, reduce, team
from .conv import convolution
from .fields import FIELDS, KERNEL
from .simd import call_step, i64
from .tiles import TILES

Kernel = Callable[..., Any]


def kernels(registers: str) -> dict[str, Kernel]:
    """The kernels for one kind of vector registers, each called as kernel(step, me, team).

    Member `me` of `team` does its share of the step. Every value is computed whole by one member, so that the result
    is the same to the bit for any team.
    """
    return {
        **move.KERNELS,
        **pool.KERNELS,
        **pointwise.KERNELS,
        **reduce.KERNELS,
        **{tile.name: convolution(tile) for tile in TILES[registers]},
    }


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
