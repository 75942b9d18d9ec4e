"""Operations with inputs, generated: the cases that the kernels of every back end are held against their references by.

`longest` is the most that an axis has, `values` the most that the largest array has: the CPU's kernels take what comes,
a simulator takes milliseconds for every value.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from aarch64.parameters import PARAMETERS
from hypothesis import strategies as st
from kernel_checks import normal, seeds, small

from fastact.kernels import ops

Case: TypeAlias = tuple[ops.Op, tuple[np.ndarray, ...]]
ANY = 10**9


def shapes(most_axes: int = 4, longest: int = 9, values: int = ANY) -> st.SearchStrategy[list[int]]:
    """Shapes of one axis or more."""
    lists = st.lists(st.integers(1, longest), min_size=1, max_size=most_axes)
    return lists.filter(lambda shape: math.prod(shape) <= values)


# Values moved ---------------------------------------------------------------------------------------------------------


@st.composite
def pads(draw: st.DrawFn, longest: int = 6, values: int = ANY) -> Case:
    """A frame along three axes at most, one after the other."""
    shape = draw(shapes(5, longest, values))
    first = draw(st.integers(0, len(shape) - 1))
    framed = draw(st.integers(0, min(3, len(shape) - first)))
    sides = [(0, 0)] * first
    for _ in range(framed):
        sides.append((draw(st.integers(0, 4)), draw(st.integers(0, 4))))
        if math.prod(ops.Pad(tuple(sides)).shape(tuple(shape))) > values:
            sides[-1] = (0, 0)
    return ops.Pad(tuple(sides)), (normal(draw(seeds), *shape),)


@st.composite
def repeats(draw: st.DrawFn, longest: int = 5, values: int = ANY) -> Case:
    """Up to three axes."""
    shape, times = draw(shapes(4, longest, values)), draw(st.lists(st.integers(1, 4), max_size=3))
    while math.prod(shape) * math.prod(times) > values:
        times.pop()
    return ops.Repeat(tuple(times[: len(shape)])), (normal(draw(seeds), *shape),)


@st.composite
def concats(draw: st.DrawFn, longest: int = 9, values: int = ANY) -> Case:
    """One to four inputs along any axis."""
    shape, lengths = draw(shapes(4, longest, values)), draw(shapes(4, longest))
    axis, seed = draw(st.integers(-len(shape), len(shape) - 1)), draw(seeds)
    inputs = []
    for i, length in enumerate(lengths):
        shape[axis] = length
        inputs.append(normal(seed + i, *shape))
    while sum(x.size for x in inputs[1:]) > values:
        inputs.pop()
    return ops.Concat(axis), tuple(inputs)


@st.composite
def interleaves(draw: st.DrawFn, longest: int = 9, channels: int = 12) -> Case:
    """Maps in between each other, or with gaps."""
    rows, columns = (draw(st.integers(1, longest)) for _ in range(2))
    strides = draw(st.tuples(*[st.integers(1, 4)] * 2))
    depth, seed = draw(st.integers(1, channels)), draw(seeds)
    everywhere = [(r, c) for r in range(min(rows, strides[0])) for c in range(min(columns, strides[1]))]
    origins = draw(st.lists(st.sampled_from(everywhere), min_size=1, unique=True))
    inputs, starts = [], []
    for n, (row, column) in enumerate(origins):
        row += strides[0] * draw(st.integers(0, (rows - 1 - row) // strides[0]))
        height = draw(st.integers(1, (rows - 1 - row) // strides[0] + 1))
        width = (columns - 1 - column) // strides[1] + 1
        starts.append((row, column))
        inputs.append(normal(seed + n, height, width, depth))
    return ops.Interleave((rows, columns), strides, tuple(starts), normal(seed, depth)), tuple(inputs)


@st.composite
def interleaved_volumes(draw: st.DrawFn, longest: int = 5) -> Case:
    """As :func:`interleaves` along three axes."""
    size = draw(st.tuples(*[st.integers(1, longest)] * 3))
    strides = draw(st.tuples(*[st.integers(1, 3)] * 3))
    channels, seed = draw(st.integers(1, longest)), draw(seeds)
    origins = list(np.ndindex(*(min(n, s) for n, s in zip(size, strides, strict=True))))[:: 1 + seed % 2]
    inputs = [
        normal(seed + i, *((n - 1 - o) // s + 1 for n, s, o in zip(size, strides, origin, strict=True)), channels)
        for i, origin in enumerate(origins)
    ]
    return ops.Interleave(size, strides, tuple(origins), normal(seed, channels)), tuple(inputs)


@st.composite
def slices(draw: st.DrawFn, longest: int = 9, values: int = ANY) -> Case:
    """Along any axis, forwards and backwards."""
    shape = draw(shapes(5, longest, values))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    start = draw(st.integers(0, shape[axis] - 1))
    step = draw(st.sampled_from([-3, -2, -1, 1, 2, 5]))
    room = (shape[axis] - 1 - start if step > 0 else start) // abs(step) + 1
    return ops.Slice(axis, start, draw(st.integers(1, room)), step), (normal(draw(seeds), *shape),)


@st.composite
def transposes(draw: st.DrawFn, longest: int = 9, values: int = 20_000) -> Case:
    """Up to five axes in any order, some of them long where there is room."""
    shape = draw(st.lists(st.one_of(st.integers(1, longest), st.just(40)), min_size=1, max_size=5))
    while math.prod(shape) > values:
        shape.remove(max(shape))
    return ops.Transpose(tuple(draw(st.permutations(range(len(shape)))))), (normal(draw(seeds), *shape),)


# Value by value, or along one axis ------------------------------------------------------------------------------------

EXTREMES = np.array(
    [
        0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1e-20, -1e-8, 1e-4, -1e-4, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0,
        6.0, -6.0, 9.5, -9.5, 16.0, -16.0, 20.0, -37.0, 88.0, -88.0, 100.0, -104.0, 709.0, -745.0, 1e4, -1e4, 1e19,
        -1e19, 3e38, -3e38, np.inf, -np.inf, np.nan,
    ],
    np.float32,
)  # fmt: skip


@st.composite
def elementwise(draw: st.DrawFn, values: int = ANY) -> Case:
    """Any function, with the first of its parameters."""
    function = draw(st.sampled_from(list(ops.Unary)))
    op = ops.Elementwise(function, *PARAMETERS.get(function, [(0.0, 0.0)])[0])
    return op, (3 * normal(draw(seeds), *draw(shapes(values=values))),)


@st.composite
def arrays_with_axis(draw: st.DrawFn, values: int = ANY) -> tuple[np.ndarray, int]:
    """Small, usual and huge values."""
    shape = draw(shapes(values=values))
    scale = draw(st.sampled_from([0.01, 1.0, 30.0, 1e4, 1e30]))
    return np.float32(scale) * normal(draw(seeds), *shape), draw(st.integers(-len(shape), len(shape) - 1))


@st.composite
def ties(draw: st.DrawFn, values: int = ANY) -> Case:
    """Rows that hold each value many times."""
    x, axis = draw(arrays_with_axis(values))
    x = np.random.default_rng(draw(seeds)).integers(-1, 2, x.shape).astype(np.float32)
    return ops.RowWise(ops.Row.SPARSEMAX, axis), (x,)


@st.composite
def affine(draw: st.DrawFn, values: int = ANY) -> Case:
    """Parameters along any axis."""
    (x, axis), seed = draw(arrays_with_axis(values)), draw(seeds)
    mean, scale, offset = (normal(seed + i, x.shape[axis]) for i in range(3))
    return ops.Affine(mean, scale, offset, axis), (x,)


@st.composite
def gated_linear(draw: st.DrawFn, values: int = ANY) -> Case:
    """Along any axis."""
    shape = draw(shapes(values=values))
    axis = draw(st.integers(0, len(shape) - 1))
    shape[axis] *= 2
    return ops.GatedLinear(axis), (4 * normal(draw(seeds), *shape),)


@st.composite
def binary(draw: st.DrawFn, values: int = ANY) -> Case:
    """Inputs of which either is stretched along some axes."""
    shape, seed = draw(shapes(values=values)), draw(seeds)
    x, y = (normal(seed + i, *(draw(st.sampled_from([n, n, 1])) for n in shape)) for i in range(2))
    return ops.Binary(draw(st.sampled_from(list(ops.Merge)))), (x, y)


@st.composite
def binary_constant(draw: st.DrawFn, values: int = ANY) -> Case:
    """A constant of as many axes as the input or fewer, stretched along some."""
    shape, seed = draw(shapes(values=values)), draw(seeds)
    fewer = shape[draw(st.integers(0, len(shape))) :]
    constant = normal(seed + 1, *(draw(st.sampled_from([n, n, 1])) for n in fewer))
    op = ops.BinaryConstant(draw(st.sampled_from(list(ops.Merge))), constant, draw(st.booleans()))
    return op, (normal(seed, *shape),)


# Windows, whole maps and axes summed up -------------------------------------------------------------------------------


@st.composite
def pools(draw: st.DrawFn, rooms: tuple[int, int, int] = (9, 9, 4), channels: int = 20) -> Case:
    """Along one to three axes; the input is up to so many cells longer than the window needs it to be."""
    axes = draw(st.sampled_from([1, 2, 2, 2, 3]))
    size, strides = (
        tuple(draw(st.integers(1, most)) for _ in range(axes)) for most in ((5, 4), (4, 3), (3, 3))[axes - 1]
    )
    # Narrower than the window, so that every window holds a cell: as "same" makes them.
    sides = tuple((draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))) for n in size)
    room = rooms[axes - 1]
    shape = [max(1, n - sum(side)) + draw(st.integers(0, room)) for n, side in zip(size, sides, strict=True)]
    op = ops.Pool(draw(st.sampled_from(list(ops.PoolKind))), size, strides, sides)
    return op, (normal(draw(seeds), *shape, draw(st.integers(1, channels))),)


@st.composite
def pool_gradients(draw: st.DrawFn, rooms: tuple[int, int, int] = (9, 9, 4), channels: int = 20) -> Case:
    """Of equal values the first takes the gradient; some inputs have many."""
    pool, (x,) = draw(pools(rooms, channels))
    x = np.rint(x) if draw(st.booleans()) else x
    op = ops.PoolGradient(pool.kind, pool.size, pool.strides, pool.sides)
    return op, (normal(draw(seeds), *pool.shape(x.shape)), x)


@st.composite
def global_pools(draw: st.DrawFn, values: int = ANY) -> Case:
    """Over one to three axes."""
    shape = draw(st.lists(small, min_size=2, max_size=4).filter(lambda shape: math.prod(shape) <= values))
    return ops.GlobalPool(draw(st.sampled_from(list(ops.PoolKind)))), (normal(draw(seeds), *shape),)


@st.composite
def arrays_with_axes(draw: st.DrawFn, values: int = ANY) -> tuple[np.ndarray, tuple[int, ...]]:
    """Values of several sizes, around zero or not, and some of their axes."""
    shape = draw(shapes(values=values))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    offset = draw(st.sampled_from([0.0, 3.0]))  # so that mean and deviation differ
    signs = draw(st.lists(st.booleans(), min_size=len(axes), max_size=len(axes)))
    x = np.float32(offset) + np.float32(draw(st.sampled_from([0.01, 1.0, 1e4]))) * normal(draw(seeds), *shape)
    return x, tuple(a - len(shape) if s else a for a, s in zip(axes, signs, strict=True))


@st.composite
def contracts(draw: st.DrawFn, most_axes: int = 3, longest: int = 9) -> Case:
    """Two inputs of different ranks."""
    shared = draw(st.integers(1, 20))
    made, axes = [], []
    for _ in range(2):
        rest = draw(st.lists(st.integers(1, longest), max_size=most_axes))
        axes.append(draw(st.integers(0, len(rest))))
        made.append([*rest[: axes[-1]], shared, *rest[axes[-1] :]])
    seed = draw(seeds)
    x, y = (normal(seed + i, *shape) for i, shape in enumerate(made))
    return ops.Contract(axes[0], axes[1] - len(made[1])), (x, y)


@st.composite
def resamples(draw: st.DrawFn, values: int = ANY) -> Case:
    """Any cells with any weights."""
    shape, size, taps = draw(shapes(values=values)), draw(st.integers(1, 12)), draw(st.integers(1, 6))
    axis, seed = draw(st.integers(-len(shape), len(shape) - 1)), draw(seeds)
    cells = np.random.default_rng(seed).integers(0, shape[axis], (size, taps))
    return ops.Resample(axis, shape[axis], cells, normal(seed, size, taps)), (normal(seed, *shape),)
