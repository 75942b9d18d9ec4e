"""Every compiled kernel, a row each: the name it is exported under and the Python function it is made from.

A name says datatype, layout where it matters, operation and tile. The same table drives the build and its tests; the
rows of a plan name the kernels they want (see steps.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import move, pointwise, team
from .conv import convolution
from .simd import call_step, i64
from .steps import FIELDS, KERNEL
from .tiles import TILES

Kernel = Callable[..., Any]


def kernels(registers: str) -> dict[str, Kernel]:
    """The kernels for one kind of vector registers, each called as kernel(step, me, team).

    Member `me` of `team` does its share of the step. Every value is computed whole by one member, so that the result
    is the same to the bit for any team.
    """
    return {
        "u8_f32_scale": move.from_bytes,
        "f32_copy": move.copy,
        "f32_nhwc_pad": move.pad,
        "f32_nhwc_max_pool": move.max_pool,
        "f32_nhwc_average_pool": move.average_pool,
        "f32_nhwc_global_max_pool": move.global_max_pool,
        "f32_nhwc_global_average_pool": move.global_average_pool,
        "f32_affine": pointwise.affine,
        "f32_sparsemax": pointwise.sparsemax,
        "f32_gated_linear": pointwise.gated_linear,
        **{f"f32_{kind.name.lower()}": pointwise.softmax(function) for kind, function in pointwise.SOFTMAXES.items()},
        **{f"f32_{kind.name.lower()}": pointwise.binary(function) for kind, function in pointwise.BINARY.items()},
        **{f"f32_{kind.name.lower()}": pointwise.elementwise(function) for kind, function in pointwise.UNARY.items()},
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
