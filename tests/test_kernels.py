"""Every compiled kernel against its reference over generated shapes, with guards around its memory."""

from __future__ import annotations

import dataclasses
import functools
import math
import shutil
import subprocess
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from fastact.kernels import ops, reference
from fastact.kernels.cpu import library, steps
from fastact.kernels.cpu.catalog import kernels
from fastact.kernels.cpu.levels import LEVELS, supported
from fastact.kernels.cpu.tiles import TILES, split
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EPSILON = 2.0**-24
"""The relative error of one rounding to float32."""
GUARD = 48
CANARY = np.uint32(0x7FC0DEAD)
"""A NaN that no computation makes: reading it spoils a result, writing over it shows."""
TEAMS = (2, 3, 7)

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
    if steps.runs_in_place(op) and inputs[0].shape == alone.shape:
        assert _run(kernels, op, inputs, 1, in_place=True).tobytes() == alone.tobytes(), "another result in place"
    for name, guard in weights.items():
        guard.check()
        assert np.array_equal(guard.array, fields[name], equal_nan=True), "weights are written to"
    return alone


def _run(
    kernels: library.Library, op: ops.Op, inputs: Sequence[np.ndarray], team: int, *, in_place: bool = False
) -> np.ndarray:
    given = list(inputs)
    for part in steps.legalize(op):
        buffers = [Guarded(x) for x in given]
        shape = part.shape(*(x.shape for x in given))
        output = buffers[0] if in_place else Guarded(np.full(shape, np.nan, np.float32))
        regions = [*buffers, output]
        described = [steps.Buffer(steps.Place(i), x.shape) for i, x in enumerate(given)]
        place = steps.Place(0 if in_place else len(given))
        rows = steps.encode(part, described, steps.Buffer(place, shape), kernels.registers)
        table = steps.Table(rows, len(regions), kernels.kernel)
        for i, region in enumerate(regions):
            table.place(i, region.array.ctypes.data)
        for row in range(len(rows)):
            for me in range(team):
                kernels.run_part(table.rows.ctypes.data, row, row + 1, me, team)
        for i, buffer in enumerate(buffers):
            buffer.check()
            assert (in_place and i == 0) or buffer.array.tobytes() == np.ascontiguousarray(given[i]).tobytes()
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


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[ops.Conv2D, np.ndarray]:
    groups, depth = draw(st.sampled_from([1, 1, 1, 2, 3])), draw(st.integers(1, 9))
    filters = groups * draw(st.one_of(st.integers(1, 20), st.sampled_from([24, 31, 48, 64, 65, 100, 129])))
    kernel, dilation = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(st.tuples(*[st.integers(1, 3)] * 2))
    pads = draw(st.sampled_from([(0, 0, 0, 0)] * 2 + [(1, 1, 1, 1), (2, 0, 0, 3), (0, 1, 2, 0)]))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    rows = max(1, reach[0] - pads[0] - pads[1]) + draw(st.integers(0, 12))
    columns = max(1, reach[1] - pads[2] - pads[3]) + draw(st.integers(0, 12))
    seed = draw(seeds)
    low, high = draw(st.sampled_from([(-math.inf, math.inf), (0.0, math.inf), (0.0, 6.0), (-1.0, 1.0)]))
    op = ops.Conv2D(
        normal(seed, *kernel, depth, filters), normal(seed, filters), draw(st.tuples(*[st.integers(1, 3)] * 2)), pads,
        dilation, groups, low, high,
    )  # fmt: skip
    x = normal(seed, rows, columns, depth * groups)
    if draw(st.booleans()):
        x[draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))] = np.nan
    return op, x


def assert_sums(op: ops.Conv2D | ops.Dense, actual: np.ndarray, x: np.ndarray) -> None:
    """`actual` is within the bound that any order of n float32 additions keeps: n roundings of the sum of |terms|."""
    exact = reference.run(op, x.astype(np.float64))
    bare = dataclasses.replace(op, weights=np.abs(op.weights), bias=np.abs(op.bias), low=-math.inf, high=math.inf)
    terms = math.prod(op.weights.shape[:-1]) + 2
    assert actual.shape == exact.shape
    assert np.array_equal(np.isnan(actual), np.isnan(exact)), "NaN must pass through, and come from nowhere else"
    bound = terms * EPSILON * reference.run(bare, np.abs(x).astype(np.float64))
    assert np.all((np.abs(actual - exact) <= bound) | np.isnan(exact))


@tables
@examples(80)
@given(case=convolutions())
def test_conv2d(registers: str, case: tuple[ops.Conv2D, np.ndarray]):
    op, x = case
    assert_sums(op, run(compiled(registers), op, x), x)


@tables
@pytest.mark.parametrize("filters", [1, 2, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 24, 31, 33, 47, 48, 64, 100, 128, 130])
@pytest.mark.parametrize("columns", [1, 2, 7, 13])
def test_conv2d_of_every_width(registers: str, filters: int, columns: int):
    op = ops.Conv2D(normal(1, 3, 3, 3, filters), normal(2, filters))
    x = normal(3, 4, columns + 2, 3)
    assert_sums(op, run(compiled(registers), op, x), x)


@tables
@examples(40)
@given(st.lists(small, max_size=2), st.integers(1, 70), st.integers(1, 140), seeds, st.booleans())
def test_dense(registers: str, outer: list[int], inputs: int, units: int, seed: int, relu: bool):
    op = ops.Dense(normal(seed, inputs, units), normal(seed, units), low=0.0 if relu else -math.inf)
    x = normal(seed, *outer, inputs)
    assert_sums(op, run(compiled(registers), op, x), x)


@pytest.fixture(scope="module")
def best() -> library.Library:
    return library.load()


EXTREMES = np.array(
    [
        0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1e-20, -1e-8, 1e-4, -1e-4, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0,
        6.0, -6.0, 9.5, -9.5, 16.0, -16.0, 20.0, -37.0, 88.0, -88.0, 100.0, -104.0, 709.0, -745.0, 1e4, -1e4, 1e19,
        -1e19, 3e38, -3e38, np.inf, -np.inf, np.nan,
    ],
    np.float32,
)  # fmt: skip

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


@pytest.mark.parametrize("function", list(ops.Unary), ids=lambda f: f.name)
def test_elementwise(best: library.Library, function: ops.Unary):
    random = np.random.default_rng(function)
    sizes = 10.0 ** random.uniform(-30, 38, 500) * random.choice((-1, 1), 500)
    x = np.concatenate([EXTREMES, sizes, random.normal(0, 3, 2000)]).astype(np.float32)
    for a, b in PARAMETERS.get(function, [(0.0, 0.0)]):
        op = ops.Elementwise(function, a, b)
        with np.errstate(all="ignore"):
            exact = reference.run(op, x.astype(np.float64))
        # The reference's own formulas lose what is small beside 1 or beside x; the kernel's keep it.
        with np.errstate(invalid="ignore"):
            slack = 2.0**-50 * np.maximum(np.abs(x).astype(np.float64), 1.0)
        assert_rounded(run(best, op, x), exact, np.where(np.isfinite(slack), slack, 0.0))


@examples(40)
@given(st.sampled_from(list(ops.Unary)), st.lists(small, min_size=1, max_size=4), seeds)
def test_elementwise_of_any_shape(function: ops.Unary, shape: list[int], seed: int):
    op = ops.Elementwise(function, *PARAMETERS.get(function, [(0.0, 0.0)])[0])
    x = 3 * normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@st.composite
def arrays_with_axis(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    shape = draw(st.lists(small, min_size=1, max_size=4))
    scale = draw(st.sampled_from([0.01, 1.0, 30.0, 1e4, 1e30]))
    return np.float32(scale) * normal(draw(seeds), *shape), draw(st.integers(-len(shape), len(shape) - 1))


@pytest.mark.parametrize("function", list(ops.Row), ids=lambda f: f.name)
@examples(60)
@given(case=arrays_with_axis())
def test_row_wise(function: ops.Row, case: tuple[np.ndarray, int]):
    x, axis = case
    op = ops.RowWise(function, axis)
    exact = reference.run(op, x.astype(np.float64))
    assert_rounded(run(library.load(), op, x), exact, 1e-13 * max(1.0, float(np.max(np.abs(x)))))


@examples(40)
@given(arrays_with_axis(), seeds)
def test_row_wise_ties(case: tuple[np.ndarray, int], seed: int):
    x, axis = case
    x = np.random.default_rng(seed).integers(-1, 2, x.shape).astype(np.float32)
    op = ops.RowWise(ops.Row.SPARSEMAX, axis)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@examples(60)
@given(arrays_with_axis(), seeds)
def test_affine(case: tuple[np.ndarray, int], seed: int):
    x, axis = case
    mean, scale, offset = (normal(seed + i, x.shape[axis]) for i in range(3))
    exact = reference.run(ops.Affine(mean, scale, offset, axis), x.astype(np.float64))
    slack = 1e-14 * max(1.0, float(np.max(np.abs(x))))
    assert_rounded(run(library.load(), ops.Affine(mean, scale, offset, axis), x), exact, slack)


@examples(40)
@given(st.lists(small, min_size=1, max_size=4), st.integers(0, 3), seeds)
def test_gated_linear(shape: list[int], axis: int, seed: int):
    axis %= len(shape)
    shape[axis] *= 2
    op, x = ops.GatedLinear(axis), 4 * normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-14)


@examples(80)
@given(st.data(), st.sampled_from(list(ops.Merge)), st.lists(small, min_size=1, max_size=4), seeds)
def test_binary(data: st.DataObject, function: ops.Merge, shape: list[int], seed: int):
    def stretched() -> list[int]:
        return [data.draw(st.sampled_from([n, n, 1])) for n in shape]

    x, y = normal(seed, *stretched()), normal(seed + 1, *stretched())
    op = ops.Binary(function)
    assert np.array_equal(run(library.load(), op, x, y), reference.run(op, x, y))


@st.composite
def pools(draw: st.DrawFn) -> tuple[ops.Pool2D, np.ndarray]:
    size, strides = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(st.tuples(*[st.integers(1, 4)] * 2))
    # Narrower than the window, so that every window holds a cell: as "same" makes them.
    pads = tuple(draw(st.integers(0, size[i // 2] - 1)) for i in range(4))
    rows = max(1, size[0] - pads[0] - pads[1]) + draw(st.integers(0, 9))
    columns = max(1, size[1] - pads[2] - pads[3]) + draw(st.integers(0, 9))
    op = ops.Pool2D(draw(st.sampled_from(list(ops.PoolKind))), size, strides, pads)
    return op, normal(draw(seeds), rows, columns, draw(st.integers(1, 20)))


@examples(100)
@given(pools())
def test_pool2d(case: tuple[ops.Pool2D, np.ndarray]):
    op, x = case
    actual = run(library.load(), op, x)
    if op.kind is ops.PoolKind.MAX:
        assert np.array_equal(actual, reference.run(op, x))
        return
    mean_of_sizes = reference.run(op, np.abs(x).astype(np.float64))
    bound = (math.prod(op.size) + 1) * EPSILON * mean_of_sizes
    assert np.all(np.abs(actual - reference.run(op, x.astype(np.float64))) <= bound)


@examples(40)
@given(st.sampled_from(list(ops.PoolKind)), st.lists(small, min_size=2, max_size=4), seeds)
def test_global_pool(kind: ops.PoolKind, shape: list[int], seed: int):
    op, x = ops.GlobalPool(kind), normal(seed, *shape)
    assert_rounded(run(library.load(), op, x), reference.run(op, x.astype(np.float64)), 1e-15)


@examples(40)
@given(st.tuples(small, small, small), st.tuples(*[st.integers(0, 4)] * 4), seeds)
def test_pad2d_and_crop2d(shape: tuple[int, int, int], sides: ops.Pads, seed: int):
    x = normal(seed, *shape)
    padded = run(library.load(), ops.Pad2D(sides), x)
    assert np.array_equal(padded, reference.run(ops.Pad2D(sides), x))
    assert np.array_equal(run(library.load(), ops.Crop2D(sides), padded), x)
    assert np.array_equal(reference.run(ops.Crop2D(sides), padded), x)


@examples(40)
@given(st.lists(small, min_size=1, max_size=4), st.lists(small, min_size=1, max_size=4), st.integers(-4, 3), seeds)
def test_concat(shape: list[int], lengths: list[int], axis: int, seed: int):
    axis = axis % len(shape) - (len(shape) if axis < 0 else 0)
    inputs = []
    for i, length in enumerate(lengths):
        shape[axis] = length
        inputs.append(normal(seed + i, *shape))
    op = ops.Concat(axis)
    assert np.array_equal(run(library.load(), op, *inputs), reference.run(op, *inputs))


@pytest.mark.parametrize("divisor", [1.0, 255.0])
def test_from_bytes(best: library.Library, divisor: float):
    x = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(run(best, ops.FromBytes(divisor), x), x.astype(np.float32) / np.float32(divisor))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 255])
def test_from_bytes_of_any_length(best: library.Library, count: int):
    x = np.arange(count, dtype=np.uint8)
    assert np.array_equal(run(best, ops.FromBytes(255.0), x), x.astype(np.float32) / np.float32(255))


@tables
def test_split_covers_every_filter_once_and_stays_inside(registers: str):
    for filters in range(1, 301):
        for pixels in range(1, 41):
            covered = np.zeros(filters, int)
            for block in split(registers, pixels, filters):
                tile = TILES[registers][block.tile]
                assert tile.pixels <= pixels
                starts, width = [v * tile.width for v in range(tile.vectors - 1)] + [block.last], tile.width
                if tile.cluster > 1:  # pixels share the vectors: just so many filters, no more and no fewer
                    starts, width = [0], tile.filters
                for b in range(block.count):
                    for start in starts:
                        first = block.first + b * block.stride + start
                        assert first >= 0
                        assert first + width <= filters
                        covered[first : first + width] += 1
            assert covered.min() >= 1


@tables
def test_tiles_fit_the_registers(registers: str):
    count, width = {"avx512": (32, 16), "avx2": (16, 8), "neon": (32, 4)}[registers]
    for tile in TILES[registers]:
        assert tile.width <= width
        weights_and_value = min(tile.vectors, tile.pixels) + 1
        values = tile.cluster - 1  # beside the one, where pixels share vectors
        assert tile.pixels // tile.cluster * tile.vectors + weights_and_value + values <= count
        assert tile.vectors * tile.width % tile.cluster == 0


@tables
def test_every_kernel_of_the_catalog_is_there(registers: str):
    addresses = [compiled(registers).kernel(name) for name in kernels(registers)]
    assert all(addresses)
    assert len(set(addresses)) == len(addresses)


@tables
def test_compiled_code_needs_nothing_of_python(registers: str):
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm, which lists the symbols of an object file, is not installed")
    path = compiled(registers).path
    options = ["-D", "-u"] if path.suffix == ".so" else ["-u"]
    listed = subprocess.run([nm, *options, path], capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    of_the_loader = {"__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}
    of_c = {"exp", "expm1", "log", "log1p", "tanh", "erfc", "memcpy", "memset", "memmove"}
    assert needed <= of_the_loader | of_c
