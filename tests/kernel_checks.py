"""How a compiled kernel is held against its reference: guards around its memory, teams, and bounds on rounding."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from fastact.kernels import ops, reference
from fastact.kernels.cpu import encode, library
from fastact.kernels.cpu.levels import LEVELS, supported
from fastact.kernels.cpu.steps import Table
from fastact.kernels.cpu.tiles import TILES
from fastact.kernels.places import Buffer, Place

EPSILON = 2.0**-24
"""The relative error of one rounding to float32."""


GUARD = 48


CANARY = np.uint32(0x7FC0DEAD)
"""A NaN that no computation makes: reading it spoils a result, writing over it shows."""


TEAMS = (2, 3, 7)


MEMBERS = 5
"""For how many there is room to work in, where an operation needs some: more than that have nothing to do."""


tables = pytest.mark.parametrize("registers", sorted(TILES))


def examples(count: int) -> Callable[..., object]:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@functools.cache
def compiled(registers: str) -> library.Library:
    """The kernels with this tile table: for its own level where this CPU has that, else for the CPU's best."""
    own = [name for name in supported() if LEVELS[name].registers == registers]
    return library.load((own or supported())[0], registers)


class Guarded:
    """An array at an odd multiple of 4 bytes with canaries before and behind it."""

    def __init__(self, array: np.ndarray) -> None:
        words = -(-array.nbytes // 4)
        self._memory = np.full(words + 2 * GUARD + 1, CANARY, np.uint32)
        self._start = GUARD + (self._memory.ctypes.data // 4 + GUARD + 1) % 2
        self._words = words
        inside = self._memory[self._start : self._start + words].view(array.dtype)[: array.size]
        self.array = inside.reshape(array.shape)
        self.array[...] = array
        assert self.array.size == 0 or self.array.ctypes.data // 4 % 2 == 1

    def check(self) -> None:
        before, behind = self._memory[: self._start], self._memory[self._start + self._words :]
        assert np.all(before == CANARY), "written before the buffer"
        assert np.all(behind == CANARY), "written behind the buffer"


def run(kernels: library.Library, op: ops.Op, *inputs: np.ndarray) -> np.ndarray:
    """The compiled result, after checking guards, inputs and the same bits for every team."""
    fields = {f.name: getattr(op, f.name) for f in dataclasses.fields(op)}  # type: ignore[arg-type]
    weights = {name: Guarded(value) for name, value in fields.items() if isinstance(value, np.ndarray)}
    op = dataclasses.replace(op, **{name: g.array for name, g in weights.items()})  # type: ignore[type-var]
    alone = _run(kernels, op, inputs, 1)
    for team in TEAMS:
        assert _run(kernels, op, inputs, team).tobytes() == alone.tobytes(), f"another result with a team of {team}"
    if encode.runs_in_place(op) and inputs[0].shape == alone.shape:
        assert _run(kernels, op, inputs, 1, in_place=True).tobytes() == alone.tobytes(), "another result in place"
    for name, guard in weights.items():
        guard.check()
        assert np.array_equal(guard.array, fields[name], equal_nan=True), "weights are written to"
    return alone


def _run(
    kernels: library.Library, op: ops.Op, inputs: Sequence[np.ndarray], team: int, *, in_place: bool = False
) -> np.ndarray:
    given = list(inputs)
    for part in encode.legalize(op):
        buffers = [Guarded(x) for x in given]
        shape = part.shape(*(x.shape for x in given))
        if room := encode.room(part):
            given.append(np.full((MEMBERS, room // 4), np.nan, np.float32))
            buffers.append(Guarded(given[-1]))
        output = buffers[0] if in_place else Guarded(np.full(shape, np.nan, np.float32))
        regions = [*buffers, output]
        described = [Buffer(Place(i), x.shape) for i, x in enumerate(given)]
        place = Place(0 if in_place else len(given))
        rows = encode.encode(part, described, Buffer(place, shape), kernels.registers)
        table = Table(rows, len(regions), kernels.kernel)
        for i, region in enumerate(regions):
            table.place(i, region.array.ctypes.data)
        for row in range(len(rows)):
            for me in range(team):
                kernels.run_part(table.rows.ctypes.data, row, row + 1, me, team)
        for i, buffer in enumerate(buffers):
            buffer.check()
            written = (in_place and i == 0) or (room and i == len(buffers) - 1)
            assert written or buffer.array.tobytes() == np.ascontiguousarray(given[i]).tobytes()
        output.check()
        given = [output.array]
    return np.array(given[0])


def assert_rounded(actual: np.ndarray, exact: np.ndarray, slack: np.ndarray | float = 0.0) -> None:
    """`actual` is `exact` within a unit in the last place of float32, and `slack` beside it."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    assert actual.shape == exact.shape
    assert np.array_equal(np.isnan(actual), np.isnan(rounded))
    with np.errstate(invalid="ignore"):
        near = np.abs(actual.astype(np.float64) - exact) <= np.spacing(np.abs(rounded)).astype(np.float64) + slack
    wrong = ~((actual == rounded) | near | np.isnan(rounded))
    assert not wrong.any(), (actual[wrong][:5], exact[wrong][:5])


seeds = st.integers(0, 2**32 - 1)


small = st.integers(1, 9)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def assert_sums(
    op: ops.Conv2D | ops.Conv3D | ops.DepthwiseConv2D | ops.Dense, actual: np.ndarray, x: np.ndarray
) -> None:
    """`actual` is within the bound that any order of n float32 additions keeps: n roundings of the sum of |terms|."""
    exact = reference.run(op, x.astype(np.float64))
    bare = dataclasses.replace(op, weights=np.abs(op.weights), bias=np.abs(op.bias), low=-math.inf, high=math.inf)
    terms = math.prod(op.weights.shape[:-1]) + 2
    assert actual.shape == exact.shape
    assert np.array_equal(np.isnan(actual), np.isnan(exact)), "NaN must pass through, and come from nowhere else"
    bound = terms * EPSILON * reference.run(bare, np.abs(x).astype(np.float64))
    assert np.all((np.abs(actual - exact) <= bound) | np.isnan(exact))
