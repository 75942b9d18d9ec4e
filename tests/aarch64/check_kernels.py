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
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from elf import read
from fastact.kernels import ops, reference
from fastact.kernels.cpu import bands, encode, library
from fastact.kernels.cpu.steps import Buffer, Place, Table
from fastact.kernels.cpu.threads import Team
from fastact.kernels.program import Instruction, Value

SEED = 20_260_301
EPSILON = 2.0**-24
"""The relative error of one rounding to float32."""
CANARY = np.uint32(0x7FC0DEAD)
"""A NaN that no computation makes: reading it spoils a result, writing over it shows."""
GUARD = 48
PREFIX = "fastact_kernel_"
Case = tuple[ops.Op, tuple[np.ndarray, ...]]


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


def convolutions(random: np.random.Generator) -> Iterator[Case]:
    """All widths from 1 to 70 filters at several numbers of pixels, then every other parameter at random."""
    for filters in range(1, 71):
        for columns in (1, 3, 7, 14):
            op = ops.Conv2D(normal(random, 3, 2, 3, filters), normal(random, filters))
            yield op, (normal(random, 4, columns + 1, 3),)
    for filters in (12, 24, 36, 48, 64, 100, 129):  # as in a pilot: several rows of many tiles
        op = ops.Conv2D(normal(random, 5, 5, 3, filters), normal(random, filters), (2, 2), low=0.0)
        yield op, (normal(random, 29, 41, 3),)
    for _ in range(150):
        groups = int(random.choice([1, 1, 1, 2, 3, 5]))
        depth, per_group = int(random.integers(1, 10)), int(random.integers(1, 34))
        kernel, dilation, strides = random.integers(1, 6, 2), random.integers(1, 4, 2), random.integers(1, 4, 2)
        pads = [(0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 3), (0, 1, 2, 0)][random.integers(5)]
        reach = (kernel - 1) * dilation + 1
        rows = max(1, reach[0] - pads[0] - pads[1]) + int(random.integers(0, 12))
        columns = max(1, reach[1] - pads[2] - pads[3]) + int(random.integers(0, 12))
        low, high = [(-math.inf, math.inf), (0.0, math.inf), (0.0, 6.0), (-1.0, 1.0)][random.integers(4)]
        x = normal(random, rows, columns, depth * groups)
        if random.integers(2):
            x[random.integers(rows), random.integers(columns)] = np.nan
        weights, bias = normal(random, *kernel, depth, groups * per_group), normal(random, groups * per_group)
        yield ops.Conv2D(weights, bias, _pair(strides), pads, _pair(dilation), groups, low, high), (x,)
    for channels in (1, 3, 4, 8, 13, 16, 24, 33):  # depthwise
        for strides in ((1, 1), (2, 2)):
            op = ops.Conv2D(
                normal(random, 3, 3, 1, channels), normal(random, channels), strides, (1, 1, 1, 1), groups=channels
            )
            yield op, (normal(random, 8, 9, channels),)


def _pair(values: np.ndarray) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def depthwise(random: np.random.Generator) -> Iterator[Case]:
    for channels in (1, 2, 3, 4, 7, 8, 13, 16, 24, 33, 64):
        for multiplier in (1, 2, 5):
            kernel, dilation, strides = random.integers(1, 6, 2), random.integers(1, 3, 2), random.integers(1, 4, 2)
            pads = [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 3), (5, 6, 7, 4)][random.integers(4)]
            reach = (kernel - 1) * dilation + 1
            rows = max(1, reach[0] - pads[0] - pads[1]) + int(random.integers(0, 9))
            columns = max(1, reach[1] - pads[2] - pads[3]) + int(random.integers(0, 9))
            low, high = [(-math.inf, math.inf), (0.0, 6.0)][random.integers(2)]
            weights, bias = normal(random, *kernel, channels, multiplier), normal(random, channels * multiplier)
            x = normal(random, rows, columns, channels)
            yield ops.DepthwiseConv2D(weights, bias, _pair(strides), pads, _pair(dilation), low, high), (x,)
        op = ops.DepthwiseConv2D(normal(random, 3, 3, channels, 1), normal(random, channels))
        for columns in (3, 16, 26):  # from a single pixel up
            yield op, (normal(random, 3, columns, channels),)


def volumes(random: np.random.Generator) -> Iterator[Case]:
    for filters in (1, 3, 8, 12, 16, 40):
        for groups in (1, 2):
            kernel, dilation, strides = (tuple(random.integers(1, n, 3).tolist()) for n in (4, 3, 3))
            shape = [(k - 1) * d + 1 + int(random.integers(0, 5)) for k, d in zip(kernel, dilation, strict=True)]
            depth = int(random.integers(1, 6))
            weights, bias = normal(random, *kernel, depth, filters * groups), normal(random, filters * groups)
            x = normal(random, *shape, depth * groups)
            yield ops.Conv3D(weights, bias, strides, dilation, groups, low=0.0), (x,)


def dense(random: np.random.Generator) -> Iterator[Case]:
    for units in (1, 2, 3, 4, 5, 8, 15, 31, 50, 100, 130):
        for outer in ((), (1,), (3,), (2, 7)):
            op = ops.Dense(normal(random, 37, units), normal(random, units), low=0.0 if units % 2 else -math.inf)
            yield op, (normal(random, *outer, 37),)


PARAMETERS = {
    ops.Unary.CLIP: [(0.0, math.inf), (0.0, 6.0), (-1.0, 1.0), (-math.inf, 0.5)],
    ops.Unary.LEAKY_RELU: [(0.2, 0.0), (1.5, 0.0), (0.0, 0.0)],
    ops.Unary.RELU: [(0.0, 0.5), (0.25, 0.5), (0.1, -1.0)],
    ops.Unary.ELU: [(1.0, 0.0), (0.3, 0.0)],
    ops.Unary.CELU: [(1.0, 0.0), (0.3, 0.0), (7.0, 0.0)],
    ops.Unary.SQUAREPLUS: [(4.0, 0.0), (0.5, 0.0)],
    ops.Unary.SOFT_SHRINK: [(0.5, 0.0), (0.0, 0.0)],
    ops.Unary.HARD_SHRINK: [(0.5, 0.0), (0.0, 0.0)],
    ops.Unary.THRESHOLD: [(0.5, -2.0)],
    ops.Unary.HARD_SIGMOID: [(0.2, 0.5), (1 / 6, 0.5)],
}
EXTREMES = np.array(
    [0.0, 1e-45, 1e-38, 1e-20, 1e-8, 1e-4, 0.5, 1.0, 2.0, 3.0, 6.0, 9.5, 16.0, 20.0, 37.0, 88.0, 104.0, 709.0, 745.0,
     1e4, 1e19, 3e38, np.inf, np.nan],
    np.float32,
)  # fmt: skip


def elementwise(random: np.random.Generator) -> Iterator[Case]:
    for function in ops.Unary:
        sizes = 10.0 ** random.uniform(-30, 38, 300) * random.choice((-1, 1), 300)
        x = np.concatenate([EXTREMES, -EXTREMES, sizes, random.normal(0, 3, 700)]).astype(np.float32)
        for a, b in PARAMETERS.get(function, [(0.0, 0.0)]):
            yield ops.Elementwise(function, a, b), (x,)
            yield ops.Elementwise(function, a, b), (normal(random, int(random.integers(1, 12))),)


def others(random: np.random.Generator) -> Iterator[Case]:
    """Everything that is neither a convolution nor element-wise."""
    for divisor in (1.0, 255.0):
        yield ops.FromBytes(divisor), (np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3),)
        for count in (1, 2, 3, 5, 7, 255):
            yield ops.FromBytes(divisor), (np.arange(count, dtype=np.uint8),)
    shapes = [(1,), (9,), (3, 5), (4, 1, 6), (5, 4, 7), (2, 3, 4, 5)]
    for shape in shapes:
        x = normal(random, *shape)
        for axis in range(len(shape)):
            n = shape[axis]
            yield ops.Affine(normal(random, n), normal(random, n), normal(random, n), axis), (x,)
            doubled = normal(random, *shape[:axis], 2 * n, *shape[axis + 1 :])
            yield ops.GatedLinear(axis), (4 * doubled,)
            yield ops.Concat(axis), (x, doubled, x)
            start, step = int(random.integers(n)), int(random.choice((-2, -1, 1, 3)))
            room = (n - 1 - start if step > 0 else start) // abs(step) + 1
            yield ops.Slice(axis, start, int(random.integers(1, room + 1)), step), (x,)
            for function in ops.Row:
                for scale in (0.01, 3.0, 1e4):
                    yield ops.RowWise(function, axis), (np.float32(scale) * x,)
        for merge in ops.Merge:
            stretched = tuple(n if random.integers(2) else 1 for n in shape)
            yield ops.Binary(merge), (x, normal(random, *shape))
            yield ops.Binary(merge), (x, normal(random, *stretched))
            yield ops.Binary(merge), (normal(random, *stretched), x)
    for shape in ((31,), (7, 9), (5, 6, 40), (40, 3, 2), (2, 3, 4, 5), (3, 2, 9, 4, 2)):
        for _ in range(5):
            yield ops.Transpose(tuple(random.permutation(len(shape)).tolist())), (normal(random, *shape),)
            constant = normal(random, *stretched[int(random.integers(len(shape))) :])
            yield ops.BinaryConstant(merge, constant), (x,)
            yield ops.BinaryConstant(merge, constant, constant_first=True), (x,)
        yield from reductions(random, x)
    yield ops.Contract(1, 0), (normal(random, 3, 7, 2), normal(random, 7, 5))
    yield ops.RowWise(ops.Row.SPARSEMAX, -1), (random.integers(-1, 2, (20, 9)).astype(np.float32),)
    for kind in ops.PoolKind:
        for shape in ((1, 1, 1), (7, 5, 3), (6, 8, 17), (3, 4, 33)):
            yield ops.GlobalPool(kind), (normal(random, *shape),)
        for _ in range(30):
            size, strides = _pair(random.integers(1, 6, 2)), _pair(random.integers(1, 5, 2))
            # Narrower than the window, so that every window holds a cell: as "same" makes them.
            top, bottom, left, right = (int(random.integers(0, size[i // 2])) for i in range(4))
            rows = max(1, size[0] - top - bottom) + int(random.integers(0, 10))
            columns = max(1, size[1] - left - right) + int(random.integers(0, 10))
            x = normal(random, rows, columns, int(random.integers(1, 21)))
            pool = ops.Pool(kind, size, strides, ((top, bottom), (left, right)))
            yield pool, (x,)
            back = ops.PoolGradient(kind, size, strides, pool.sides)
            yield back, (normal(random, *pool.shape(x.shape)), x)
    for _ in range(12):
        top, bottom, left, right = (int(n) for n in random.integers(0, 4, 4))
        rows, columns, channels = (int(n) for n in random.integers(1, 9, 3))
        sides = ((top, bottom), (left, right), (right, top))[: int(random.integers(1, 4))]
        x = normal(random, rows, columns, channels)
        yield ops.Pad(sides), (x,)
        yield ops.Crop(sides), (np.pad(x, (*sides, *[(0, 0)] * (3 - len(sides))), constant_values=7),)
        yield ops.Repeat((1 + top, 1 + left, 1 + right)), (normal(random, rows, columns, 2, channels),)
    for taps in (1, 2, 4):
        for axis in range(3):
            x = normal(random, 5, 6, 7)
            cells = random.integers(0, x.shape[axis], (9, taps))
            yield ops.Resample(axis, x.shape[axis], cells, normal(random, 9, taps)), (x,)
    for strides in ((1, 2), (2, 2), (3, 4)):
        origins = tuple((row, column) for row in range(strides[0]) for column in range(1, strides[1]))
        woven = tuple(normal(random, 5, 6, 7) for _ in origins)
        yield ops.Interleave((5 * strides[0], 6 * strides[1]), strides, origins, normal(random, 7)), woven
    for size, strides in (((2,), (2,)), ((3,), (1,)), ((2, 3, 2), (1, 2, 2)), ((1, 2, 2), (1, 2, 2))):
        sides = tuple((n // 2, (n - 1) // 2) for n in size)
        for kind in ops.PoolKind:
            yield ops.Pool(kind, size, strides, sides), (normal(random, *(7, 6, 5)[: len(size)], 9),)


def reductions(random: np.random.Generator, x: np.ndarray) -> Iterator[Case]:
    for axes in {(0,), (-1,), tuple(range(x.ndim)), tuple(range(0, x.ndim, 2))}:
        for total in ops.Total:
            yield ops.Reduce(total, axes), (x,)
        for scaling in ops.Scaling:
            yield ops.Standardize(scaling, axes, float(random.choice([1e-3, 0.5]))), (x,)


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
                assert buffer.array.tobytes() == np.ascontiguousarray(x).tobytes(), "an input is written to"
            output.check()
            given = [output.array]
        return given[0]


def check(op: ops.Op, inputs: Sequence[np.ndarray], actual: np.ndarray) -> None:
    """Raises AssertionError unless `actual` is the reference's result within what rounding allows."""
    wide = [x.astype(np.float64) for x in inputs]
    with np.errstate(all="ignore"):
        exact = reference.run(op, *wide)
    assert actual.shape == exact.shape, (actual.shape, exact.shape)
    with np.errstate(all="ignore"):
        rounded, bound = exact.astype(np.float32), _bound(op, wide, exact)
        assert np.array_equal(np.isnan(actual), np.isnan(rounded)), "NaN must pass through, and come from nowhere else"
        wrong = ~((np.abs(actual - exact) <= bound) | (actual == rounded) | np.isnan(rounded))
    assert not wrong.any(), f"{actual[wrong][:5]}, and the reference has {exact[wrong][:5]}"


def _bound(op: ops.Op, inputs: Sequence[np.ndarray], exact: np.ndarray) -> np.ndarray:
    """How far a result may be from the exact one."""
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


def main() -> int:
    """Runs the table; 0 if all is well."""
    kernels = library.load()
    print(f"{kernels.level}, tiles {kernels.registers}, from {kernels.path}")
    runner = Runner(kernels)
    random = np.random.default_rng(SEED)
    rows = [case for part in (convolutions, depthwise, volumes, dense, elementwise, others) for case in part(random)]
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
    except AssertionError as error:
        failures += 1
        print(f"two threads, or strips: {error}")
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
