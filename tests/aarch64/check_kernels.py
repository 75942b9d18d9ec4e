"""Compares every kernel of the library that fastact finds on this machine with fastact.kernels.reference.

    python check_kernels.py

Needs fastact and NumPy alone, so that it runs on a board or an emulated one. The table of shapes is always the same.
Every row is run by teams of 1, 2 and 3, one member after the other, and by two threads; all must agree to the bit, keep
inside their buffers, and agree with the reference within the bounds that rounding allows.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from elf import read
from rows import cases, normal

from fastact.kernels import ops, reference
from fastact.kernels.cpu import bands, bins, encode, library
from fastact.kernels.cpu.pairing import PairedConv2D
from fastact.kernels.cpu.steps import Table
from fastact.kernels.cpu.threads import Team
from fastact.kernels.cpu.tiles import PEAK
from fastact.kernels.places import Buffer, Place
from fastact.kernels.program import Instruction, Value

SEED = 20_260_301
EPSILON = 2.0**-24
"""The relative error of one rounding to float32."""
CANARY = np.uint32(0x7FC0DEAD)
"""A NaN that no computation makes: reading it spoils a result, writing over it shows."""
GUARD = 48
PREFIX = "fastact_kernel_"


class Guarded:
    """An array at an odd multiple of 4 bytes with canaries before and behind it."""

    def __init__(self, array: np.ndarray) -> None:
        self._words = -(-array.nbytes // 4)
        self._memory = np.full(self._words + 2 * GUARD + 1, CANARY, np.uint32)
        self._start = GUARD + (self._memory.ctypes.data // 4 + GUARD + 1) % 2
        inside = self._memory[self._start : self._start + self._words].view(array.dtype)[: array.size]
        self.array = inside.reshape(array.shape)
        self.array[...] = array

    def check(self) -> None:
        before, behind = self._memory[: self._start], self._memory[self._start + self._words :]
        assert np.all(before == CANARY), "written before the buffer"
        assert np.all(behind == CANARY), "written behind the buffer"


class Runner:
    """Runs operations with the library's kernels, and notes in `used` which of them it ran."""

    def __init__(self, kernels: library.Library) -> None:
        self._kernels, self._pair = kernels, Team(kernels, 2)
        self.used: set[str] = set()

    def kernel(self, name: str) -> int:
        """The address of a kernel."""
        self.used.add(name)
        return self._kernels.kernel(name)

    def run(self, op: ops.Op, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The result, the same for every team and for two threads."""
        alone = self._run(op, inputs, 1)
        for team in (2, 3):
            assert self._run(op, inputs, team).tobytes() == alone.tobytes(), f"another result with a team of {team}"
        assert self._run(op, inputs, None).tobytes() == alone.tobytes(), "another result with two threads"
        return alone

    def _run(self, op: ops.Op, inputs: Sequence[np.ndarray], team: int | None) -> np.ndarray:
        """With the members of a team one after the other, or, for None, with two threads."""
        given = list(inputs)
        for part in encode.legalize(op):
            buffers = [Guarded(x) for x in given]
            shape = part.shape(*(x.shape for x in given))
            output = Guarded(np.full(shape, np.nan, np.float32))
            if room := encode.room(part):
                given.append(np.zeros((2, room // 4), np.float32))
                buffers.append(Guarded(given[-1]))
            described = [Buffer(Place(i), x.shape) for i, x in enumerate(given)]
            result = Buffer(Place(len(given)), shape)
            rows = encode.encode(part, described, result, self._kernels.registers)
            table = Table(rows, len(given) + 1, self.kernel)
            for i, region in enumerate([*buffers, output]):
                table.place(i, region.array.ctypes.data)
            if team is None:
                self._pair.run(table.address, len(rows))
            else:
                for row in range(len(rows)):
                    for me in range(team):
                        self._kernels.run_part(table.address, row, row + 1, me, team)
            for buffer, x in zip(buffers, given, strict=True):
                buffer.check()
                assert (room and x is given[-1]) or buffer.array.tobytes() == np.ascontiguousarray(x).tobytes(), (
                    "an input is written to"
                )
            output.check()
            given = [output.array]
        return given[0]


def check(op: ops.Op, inputs: Sequence[np.ndarray], actual: np.ndarray) -> None:
    """Raises AssertionError unless `actual` is the reference's result within what rounding allows."""
    wide = [x.astype(np.float64) for x in inputs]
    with np.errstate(all="ignore"):
        exact = reference.run(op.conv if isinstance(op, PairedConv2D) else op, *wide)
    assert actual.shape == exact.shape, (actual.shape, exact.shape)
    with np.errstate(all="ignore"):
        rounded, bound = exact.astype(np.float32), _bound(op, wide, exact)
        assert np.array_equal(np.isnan(actual), np.isnan(rounded)), "NaN must pass through, and come from nowhere else"
        wrong = ~((np.abs(actual - exact) <= bound) | (actual == rounded) | np.isnan(rounded))
    assert not wrong.any(), f"{actual[wrong][:5]}, and the reference has {exact[wrong][:5]}"


def _bound(op: ops.Op, inputs: Sequence[np.ndarray], exact: np.ndarray) -> np.ndarray:
    """How far a result may be from the exact one."""
    if isinstance(op, PairedConv2D):  # factors are sums of values and of weights: of three at most, and halves of them
        return 4 * _bound(op.conv, inputs, exact)
    if isinstance(
        op, ops.Conv2D | ops.Conv3D | ops.DepthwiseConv2D | ops.Dense
    ):  # any order of n additions keeps this: n roundings of the sum of |terms|
        bare = dataclasses.replace(op, weights=np.abs(op.weights), bias=np.abs(op.bias), low=-math.inf, high=math.inf)
        return (math.prod(op.weights.shape[:-1]) + 2) * EPSILON * reference.run(bare, np.abs(inputs[0]))
    if isinstance(op, ops.Pool) and op.kind is ops.PoolKind.AVERAGE:
        return (math.prod(op.size) + 1) * EPSILON * reference.run(op, np.abs(inputs[0]))
    ulp = np.spacing(np.abs(exact.astype(np.float32))).astype(np.float64)
    if isinstance(op, ops.Elementwise):  # the reference's formulas lose what is small beside 1 or beside x
        slack = 2.0**-50 * np.maximum(np.abs(inputs[0]), 1.0)
        return ulp + np.where(np.isfinite(slack), slack, 0.0)
    if isinstance(op, ops.Reduce | ops.Contract):
        return ulp + 1e-13 * float(np.sum(np.abs(inputs[0])))
    if isinstance(op, ops.Standardize):
        return ulp + 1e-15 * max(1.0, float(np.max(np.abs(inputs[0])))) / math.sqrt(op.epsilon)
    if isinstance(op, ops.Binary | ops.BinaryConstant) and op.function is ops.Merge.POWER:
        return ulp
    if isinstance(op, ops.Affine):  # the difference is rounded, and then the result
        product = dataclasses.replace(op, offset=np.zeros_like(op.offset))
        return ulp + EPSILON * np.abs(reference.run(product, inputs[0]))
    if isinstance(op, ops.PoolGradient):
        return (math.prod(op.size) + 1) * EPSILON * reference.run(op, np.abs(inputs[0]), inputs[1])
    if isinstance(op, ops.RowWise | ops.GatedLinear | ops.GlobalPool | ops.Resample):
        return ulp + 1e-13 * max(1.0, float(np.max(np.abs(inputs[0]))))
    if isinstance(op, ops.Binary | ops.BinaryConstant | ops.FromBytes):
        return ulp / 2  # one rounding
    return np.zeros(exact.shape)


def check_meetings(runner: Runner, kernels: library.Library, rounds: int = 300) -> None:
    """Two threads add 1 to every value and turn the values around, over and over: each reads what the other wrote."""
    length, pairs = 257, 8
    start = np.arange(length, dtype=np.float32)
    x, y, one = start.copy(), np.empty(length, np.float32), np.ones(1, np.float32)
    add = ["f32_add", x.ctypes.data, y.ctypes.data, one.ctypes.data, 1, 1, 1, length, 0, 0, 0, 1, 0, 0, 0, 0]
    turn = ["f32_copy", y[-1:].ctypes.data, x.ctypes.data, 1, 1, 1, 1, length, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1]
    table = Table([add, turn] * pairs, 1, runner.kernel)
    team = Team(kernels, 2)
    for _ in range(rounds):
        team.run(table.address, table.steps)
    assert np.array_equal(x, start + pairs * rounds), "a thread went on before the other had done its share"


def check_bands(runner: Runner, kernels: library.Library, random: np.random.Generator) -> None:
    """A frame in bytes, a padded convolution and what follows it, strip by strip: the same bits as one by one."""
    frame = random.integers(0, 256, (23, 17, 3)).astype(np.uint8)
    conv = ops.Conv2D(normal(random, 5, 3, 3, 24), normal(random, 24), (2, 1), (2, 1, 1, 1))
    chain = (ops.FromBytes(255.0), conv, ops.Affine(*normal(random, 3, 24)), ops.Elementwise(ops.Unary.CLIP, 0.0, 6.0))
    values, arrays = [Value(0, frame.shape)], [frame]
    program = []
    for number, op in enumerate(chain, 1):
        arrays.append(runner.run(op, arrays[-1:]))
        values.append(Value(number, arrays[-1].shape))
        program.append(Instruction(op, (values[-2],), values[-1]))
    for lanes in (1, 2, 3):
        (band,) = bands.band(program, {2, 3, 4}, lambda value: value.number, lanes)
        assert band.feeds == 1
        assert len(band.strips) >= band.lanes == lanes
        regions = [Guarded(frame), Guarded(np.zeros(band.scratch_bytes // 4, np.float32))]
        regions += [Guarded(np.full(value.shape, np.nan, np.float32)) for value in values[2:]]
        # Value 1, the frame as floats, is in scratch alone, which is given its number as a region.
        rows = bands.rows(band, lambda value: Place(value.number), Place(1), kernels.registers)
        table = Table(rows, len(regions), runner.kernel)
        for i, region in enumerate(regions):
            table.place(i, region.array.ctypes.data)
        Team(kernels, 2).run(table.address, table.steps)
        for region, expected in zip(regions[2:], arrays[2:], strict=True):
            region.check()
            assert region.array.tobytes() == expected.tobytes(), f"another result in {len(band.strips)} strips"


def check_sums(runner: Runner, kernels: library.Library, turns: int = 1000) -> None:
    """Every member of a team turns as often as it was told: chain number c of vectors adds 0.25 a turn to c."""
    width, chains = PEAK[kernels.registers]
    half = int(np.float32(0.5).view(np.int32))
    sums = Guarded(np.zeros(16 * 2, np.float32))
    table = Table([["f32_multiply_add", 0, sums.array, turns, half]], 0, runner.kernel)
    Team(kernels, 2).run(table.address, table.steps)
    sums.check()
    expected = width * sum(turns / 4 + chain for chain in range(chains))
    assert (sums.array[::16] == np.float32(expected)).all(), f"sums of {sums.array[::16]}, not {expected}"


def check_summary(runner: Runner, kernels: library.Library, random: np.random.Generator) -> None:
    """Figures of channels that hold zeros and negative values, dealt out to two threads."""
    values = np.round(normal(random, 500, 13), 1)
    x, y = Guarded(values), Guarded(np.full((bins.ROWS, values.shape[1]), np.nan))
    counts = Guarded(np.zeros((values.shape[1], 2, bins.BINS), np.int64))
    shifts = np.zeros(values.shape[1])
    table = Table([["f32_summary", x.array, y.array, 1, *values.shape, shifts, counts.array]], 0, runner.kernel)
    Team(kernels, 2).run(table.address, table.steps)
    wide, figures = values.astype(np.float64), y.array
    for row, exact in ((bins.TOTAL, wide.sum(0)), (bins.SQUARES, (wide**2).sum(0))):
        assert np.allclose(figures[row], exact, rtol=1e-12, atol=1e-12), "sums over a channel"
    assert np.array_equal(figures[bins.NONZERO], np.count_nonzero(values, axis=0)), "values that are not zero"
    assert np.array_equal(figures[[bins.LOW, bins.HIGH]], [wide.min(0), wide.max(0)]), "extremes"
    assert np.array_equal(figures[bins.PLACE], values.argmax(0)), "the first place of the largest"
    assert np.array_equal(counts.array[:, 1].sum(1), (values > 0).sum(0)), "positive values in bins"
    assert np.array_equal(counts.array[:, 0].sum(1), (values < 0).sum(0)), "negative values in bins"
    for memory in (x, y, counts):
        memory.check()


def check_pictures(runner: Runner, kernels: library.Library, random: np.random.Generator) -> None:
    """What films do with pictures: one half covered, one twice as large, one as planes of brightness and colour."""
    picture = random.integers(0, 256, (6, 10, 3), np.uint8)
    strength, palette = random.integers(0, 256, (6, 10), np.uint8), random.uniform(0, 0.5, (256, 4)).astype(np.float32)
    covered, large = np.zeros_like(picture), np.zeros((12, 20, 3), np.uint8)
    planes = [np.zeros(size, np.uint8) for size in ((6, 10), (3, 5), (3, 5))]
    shares, line = np.array([0.25, 0.75], np.float32), np.empty((2, 60), np.float32)
    matrix = np.array([[0.2, 0.7, 0.1, 3], [0.01, 0.02, 0.03, 5], [0.03, 0.01, 0.02, 7]], np.float32)
    table = Table(
        [
            ["u8_cover", picture, covered, strength.size, strength, palette],
            ["u8_enlarge", picture, large, 6, 10, 2, large.strides[0], shares, line],
            ["u8_planes", picture, planes[0], 6, 10, planes[1], planes[2], 10, 5, matrix],
        ],
        0,
        runner.kernel,
    )
    kernels.run_part(table.address, 0, 3, 0, 1)
    wide, colours = picture.astype(float), palette[strength].astype(float)
    assert np.abs(covered - (wide * colours[..., 3:] + colours[..., :3])).max() <= 0.501, "covered"
    for axis in (0, 1):
        ends = wide.take([0], axis), wide.take([-1], axis)
        around = np.concatenate([ends[0], wide, ends[1]], axis)
        here, length = np.arange(1, wide.shape[axis] + 1), wide.shape[axis]
        pairs = [0.75 * around.take(here, axis) + 0.25 * around.take(here + by, axis) for by in (-1, 1)]
        shape = [2 * length if a == axis else n for a, n in enumerate(wide.shape)]
        wide = np.stack(pairs, axis + 1).reshape(shape)
    assert np.abs(large - wide).max() <= 0.501, "enlarged"
    fours = picture.reshape(3, 2, 5, 2, 3).sum((1, 3)).astype(float)
    for plane, cells, row in zip(planes, (picture.astype(float), fours, fours), matrix, strict=True):
        assert np.abs(plane - (cells @ row[:3] + row[3])).max() <= 0.501, "planes"


def main() -> int:
    """Runs the table; 0 if all is well."""
    kernels = library.load()
    print(f"{kernels.level}, tiles {kernels.registers}, from {kernels.path}")
    runner = Runner(kernels)
    random = np.random.default_rng(SEED)
    rows = list(cases(random))
    failures = 0
    for op, inputs in rows:
        try:
            check(op, inputs, runner.run(op, inputs))
        except AssertionError as error:  # what else is raised is no finding but a fault, and may end all
            failures += 1
            print(f"{_show(op)} of {[x.shape for x in inputs]}: {error}")
    try:
        check_meetings(runner, kernels)
        check_bands(runner, kernels, random)
        check_sums(runner, kernels)
        check_summary(runner, kernels, random)
        check_pictures(runner, kernels, random)
    except AssertionError as error:
        failures += 1
        print(f"two threads, strips, or a kernel that serves no operation: {error}")
    exported = {n.removeprefix(PREFIX) for n in read(Path(kernels.path)).exports if n.startswith(PREFIX)}
    idle = exported - runner.used
    if idle:
        failures += 1
        print(f"kernels that no row runs: {', '.join(sorted(idle))}")
    loaded = sorted({"numba", "llvmlite"} & set(sys.modules))
    if loaded:
        failures += 1
        print(f"imported without need: {', '.join(loaded)}")
    print(f"{len(rows)} rows, {len(exported & runner.used)} of {len(exported)} kernels, {failures} failures")
    return 1 if failures else 0


def _show(op: ops.Op) -> str:
    fields = {f.name: getattr(op, f.name) for f in dataclasses.fields(op)}  # type: ignore[arg-type]
    shown = (f"{n}={v.shape if isinstance(v, np.ndarray) else v}" for n, v in fields.items())
    return f"{type(op).__name__}({', '.join(shown)})"


if __name__ == "__main__":
    sys.exit(main())
