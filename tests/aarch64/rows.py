"""The table of `check_kernels.py`: operations and inputs, always the same for one generator of random numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from parameters import PARAMETERS

from fastact.kernels import ops
from fastact.kernels.cpu.pairing import in_pairs

Case = tuple[ops.Op, tuple[np.ndarray, ...]]


def cases(random: np.random.Generator) -> Iterator[Case]:
    """All of them."""
    for part in (convolutions, paired, depthwise, volumes, dense, elementwise, others):
        yield from part(random)


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


def paired(random: np.random.Generator) -> Iterator[Case]:
    """Convolutions in pairs of pixels: tiles of every width, rows of odd and even length, chains of every kind."""
    for filters in (16, 17, 24, 40, 48, 64, 96, 100):
        for kernel, stride, columns in ((3, 1, 2), (3, 1, 9), (5, 2, 6), (7, 2, 5), (7, 3, 4)):
            conv = ops.Conv2D(normal(random, 2, kernel, 12, filters), normal(random, filters), (1, stride), low=0.0)
            yield in_pairs(conv), (normal(random, 6, (columns - 1) * stride + kernel, 12),)


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
