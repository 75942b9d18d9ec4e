"""How an operation becomes rows of the table that the native entry walks.

A row is `FIELDS` int64: the address of a kernel, then addresses, counts and strides. The names below are the layout of
the rows; the kernels read them by the same names. An address is given as :class:`Place`, a region and an offset
into it, since a frame's input and output lie elsewhere at each call: :class:`Table` writes the regions' addresses in.
"""

from __future__ import annotations

import dataclasses
import itertools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .. import ops
from .tiles import TILES, split

FIELDS = 32

PREFIX = "fastact_kernel_"
"""What a kernel's name begins with in the compiled library."""

SUM = 128
"""Products that a convolution adds up in one float32 sum, about: the rounding error of a sum grows with its length."""


# Where things stand in a row. Every row: the address of its kernel, its first input and its output.
KERNEL, X, Y = 0, 1, 2
# From bytes, element-wise: how many values; the divisor's float32 bits, or where two float64 lie.
COUNT, PARAMETERS = 3, 4
# Copy: OUTER runs of LENGTH floats, X_STRIDE and Y_STRIDE floats apart.
OUTER, LENGTH, X_STRIDE, Y_STRIDE = 3, 4, 5, 6
# Affine, row-wise, gated linear: the memory as (OUTER, LENGTH, INNER).
INNER, MEAN, SCALE, OFFSET = 5, 6, 7, 8
# Pad, pools: the input's (IN_ROWS, IN_COLUMNS, CHANNELS), the output's (ROWS, COLUMNS).
IN_ROWS, IN_COLUMNS, CHANNELS, ROWS, COLUMNS, TOP, LEFT = 3, 4, 5, 6, 7, 8, 9
SIZE_Y, SIZE_X, STRIDE_Y, STRIDE_X = 10, 11, 12, 13
# Binary: the second input, the output's four axes, and the inputs' strides in floats along them.
X2, AXES, X_STRIDES, X2_STRIDES = 3, 4, 8, 12
# Convolution: see the micro-kernel in simd.py. BLOCKS blocks of filters,
# FILTER_BLOCK bytes apart in weights, bias and output, X_BLOCK in the input.
WEIGHTS, BIAS, PIXELS, OUT_COLUMNS, ROW_STEP, COLUMN_STEP = 3, 4, 5, 6, 7, 8
SEGMENTS, SEGMENT_COUNT, TOGETHER, WEIGHT_STEP, Y_STEP, LAST = 9, 10, 11, 12, 13, 14
LOW, HIGH, BLOCKS, X_BLOCK, FILTER_BLOCK = 15, 16, 17, 18, 19


@dataclass(frozen=True)
class Place:
    """`offset` bytes into region number `region` (see :class:`Table`)."""

    region: int
    offset: int = 0

    def __add__(self, offset: int) -> Place:
        return Place(self.region, self.offset + offset)


@dataclass(frozen=True)
class Buffer:
    """Where an input or output of an operation lies, and its shape."""

    place: Place
    shape: ops.Shape


Field: TypeAlias = "int | str | Place | npt.NDArray[Any]"
"""A row's field: a number, a kernel's name, an address in a region, or an array whose own address is meant."""
Row: TypeAlias = list[Field]
O = TypeVar("O", bound=ops.Op)  # noqa: E741
_ENCODERS: dict[type[ops.Op], Callable[..., list[Row]]] = {}


def legalize(op: ops.Op) -> tuple[ops.Op, ...]:
    """`op` as a chain of operations the kernels have: a padded convolution pads first."""
    if isinstance(op, ops.Conv2D) and op.pads != ops.NO_PADS:
        return ops.Pad2D(op.pads), dataclasses.replace(op, pads=ops.NO_PADS)
    return (op,)


def runs_in_place(op: ops.Op) -> bool:
    """Whether the output may lie where the first input does, if that has the output's shape."""
    return isinstance(op, ops.Affine | ops.Elementwise | ops.RowWise | ops.Binary)


def encode(op: ops.Op, inputs: Sequence[Buffer], output: Buffer, registers: str) -> list[Row]:
    """The rows that run `op`; `registers` names the tile table of the convolutions."""
    if isinstance(op, ops.Conv2D):
        return _conv2d(op, inputs[0], output, registers)
    if isinstance(op, ops.Dense):
        return _dense(op, inputs[0], output, registers)
    return _ENCODERS[type(op)](op, *inputs, output)


class Table:
    """Rows laid out for the native entry, and the addresses in them that change from call to call."""

    def __init__(self, rows: Sequence[Row], regions: int, kernel: Callable[[str], int]) -> None:
        """`kernel` gives the address of a kernel by name."""
        self.rows = np.zeros((len(rows), FIELDS), np.int64)
        self._kept: list[npt.NDArray[Any]] = []
        places: list[list[tuple[int, int]]] = [[] for _ in range(regions)]
        for r, row in enumerate(rows):
            for f, field in enumerate(row):
                if isinstance(field, Place):
                    places[field.region].append((r * FIELDS + f, field.offset))
                elif isinstance(field, np.ndarray):
                    self._kept.append(field)
                    self.rows[r, f] = field.ctypes.data
                else:
                    self.rows[r, f] = kernel(field) if isinstance(field, str) else field
        self._places = [np.array(p, np.int64).reshape(-1, 2).T for p in places]
        self._starts: list[int | None] = [None] * regions
        self._flat = self.rows.reshape(-1)
        self.address = self.rows.ctypes.data

    def place(self, region: int, address: int) -> None:
        """Lets `region` start at `address`."""
        if self._starts[region] != address:
            where, offsets = self._places[region]
            self._starts[region] = None  # an interrupt or a fork may come before the next two lines are done
            self._flat[where] = offsets + address
            self._starts[region] = address


def _bits(value: float) -> int:
    return int(struct.unpack("<i", struct.pack("<f", value))[0])


def _encoder(kind: type[O]) -> Callable[[Callable[..., list[Row]]], Callable[..., list[Row]]]:
    def register(function: Callable[..., list[Row]]) -> Callable[..., list[Row]]:
        _ENCODERS[kind] = function
        return function

    return register


def _count(buffer: Buffer) -> int:
    return int(np.prod(buffer.shape, dtype=np.int64))


def _conv2d(op: ops.Conv2D, x: Buffer, y: Buffer, registers: str) -> list[Row]:
    (_, width, channels), (rows, columns, filters) = x.shape, y.shape
    kh, kw, depth, _ = op.weights.shape
    (sy, sx), (dy, dx) = op.strides, op.dilation
    if depth == channels and dx == 1:  # a row of the receptive field is contiguous
        segments, together = _segments([ky * dy * width * channels for ky in range(kh)], kw * channels)
    else:
        offsets = [channels * (ky * dy * width + kx * dx) for ky in range(kh) for kx in range(kw)]
        segments, together = _segments(offsets, depth)
    per_group = filters // op.groups
    made: list[Row] = []
    for block in split(registers, rows * columns, per_group):
        tile = TILES[registers][block.tile]
        # One row takes all blocks of a group, or the one block of all groups, whichever there are more of; a row for
        # each where pixels share vectors, since their weights are repeated.
        over_groups = block.count == 1 and tile.cluster == 1
        for group in [0] if over_groups else range(op.groups):
            first = group * per_group + block.first
            weights, bias, weight_step = op.weights.reshape(-1)[first:], op.bias[first:], filters
            if tile.cluster > 1:
                own = slice(first, first + tile.filters)
                weights, bias = np.tile(op.weights[..., own], tile.cluster), np.tile(op.bias[own], tile.cluster)
                weight_step = tile.cluster * tile.filters
            made.append([
                tile.name, x.place + 4 * group * depth, y.place + 4 * first, weights, bias,
                rows * columns, columns, 4 * sy * width * channels, 4 * sx * channels,
                segments, len(segments), together, weight_step, filters, block.last, _bits(op.low), _bits(op.high),
                op.groups if over_groups else block.count,
                4 * depth if over_groups else 0,
                4 * (per_group if over_groups else block.stride),
            ])  # fmt: skip
    return made


def _segments(offsets: Sequence[int], length: int) -> tuple[npt.NDArray[np.int64], int]:
    """The runs (from, to) that the micro-kernel adds up, none much longer than SUM, and how many make one sum."""
    parts = max(1, round(length / SUM))
    cuts = [length * i // parts for i in range(parts + 1)]
    runs = [(offset + a, offset + b) for offset in offsets for a, b in itertools.pairwise(cuts)]
    return np.array(runs, np.int64), max(1, SUM * parts // length)


def _dense(op: ops.Dense, x: Buffer, y: Buffer, registers: str) -> list[Row]:
    inputs, units = op.weights.shape
    pixels = _count(x) // inputs
    conv = ops.Conv2D(op.weights.reshape(1, 1, inputs, units), op.bias, low=op.low, high=op.high)
    image, result = Buffer(x.place, (1, pixels, inputs)), Buffer(y.place, (1, pixels, units))
    return _conv2d(conv, image, result, registers)


@_encoder(ops.FromBytes)
def _from_bytes(op: ops.FromBytes, x: Buffer, y: Buffer) -> list[Row]:
    return [["u8_f32_scale", x.place, y.place, _count(x), _bits(op.divisor)]]


@_encoder(ops.Elementwise)
def _elementwise(op: ops.Elementwise, x: Buffer, y: Buffer) -> list[Row]:
    return [[_name(op.function), x.place, y.place, _count(x), np.array([op.a, op.b], np.float64)]]


@_encoder(ops.Pad2D)
def _pad2d(op: ops.Pad2D, x: Buffer, y: Buffer) -> list[Row]:
    return [["f32_nhwc_pad", x.place, y.place, *x.shape, *y.shape[:2], op.pads[0], op.pads[2]]]


@_encoder(ops.Crop2D)
def _crop2d(op: ops.Crop2D, x: Buffer, y: Buffer) -> list[Row]:
    stride = x.shape[1] * x.shape[2]
    first = x.place + 4 * (op.crops[0] * stride + op.crops[2] * x.shape[2])
    length = y.shape[1] * y.shape[2]
    return [["f32_copy", first, y.place, y.shape[0], length, stride, length]]


@_encoder(ops.Concat)
def _concat(op: ops.Concat, *buffers: Buffer) -> list[Row]:
    *inputs, y = buffers
    _, total, inner = ops.axis_split(y.shape, op.axis)
    made: list[Row] = []
    start = 0
    for x in inputs:
        outer, length, _ = ops.axis_split(x.shape, op.axis)
        run = length * inner
        made.append(["f32_copy", x.place, y.place + 4 * start, outer, run, run, total * inner])
        start += run
    return made


@_encoder(ops.Pool2D)
def _pool2d(op: ops.Pool2D, x: Buffer, y: Buffer) -> list[Row]:
    top, _, left, _ = op.pads
    kernel = f"f32_nhwc_{op.kind.name.lower()}_pool"
    return [[kernel, x.place, y.place, *x.shape, *y.shape[:2], top, left, *op.size, *op.strides]]


@_encoder(ops.GlobalPool)
def _global_pool(op: ops.GlobalPool, x: Buffer, y: Buffer) -> list[Row]:
    channels = x.shape[-1]
    kernel = f"f32_nhwc_global_{op.kind.name.lower()}_pool"
    return [[kernel, x.place, y.place, _count(x) // channels, 1, channels]]


@_encoder(ops.Affine)
def _affine(op: ops.Affine, x: Buffer, y: Buffer) -> list[Row]:
    around = ops.axis_split(x.shape, op.axis)
    return [["f32_affine", x.place, y.place, *around, op.mean, op.scale, op.offset]]


@_encoder(ops.RowWise)
def _row_wise(op: ops.RowWise, x: Buffer, y: Buffer) -> list[Row]:
    return [[_name(op.function), x.place, y.place, *ops.axis_split(x.shape, op.axis)]]


@_encoder(ops.GatedLinear)
def _gated_linear(op: ops.GatedLinear, x: Buffer, y: Buffer) -> list[Row]:
    return [["f32_gated_linear", x.place, y.place, *ops.axis_split(y.shape, op.axis)]]


@_encoder(ops.Binary)
def _binary(op: ops.Binary, x: Buffer, x2: Buffer, y: Buffer) -> list[Row]:
    if x.shape == y.shape == x2.shape:  # one long run, whatever the rank
        return [[_name(op.function), x.place, y.place, x2.place, 1, 1, 1, _count(y), 0, 0, 0, 1, 0, 0, 0, 1]]
    axes = (1,) * (4 - len(y.shape)) + y.shape
    return [[_name(op.function), x.place, y.place, x2.place, *axes, *_strides(x, axes), *_strides(x2, axes)]]


def _name(function: ops.Unary | ops.Row | ops.Merge) -> str:
    return f"f32_{function.name.lower()}"


def _strides(buffer: Buffer, axes: tuple[int, ...]) -> list[int]:
    """Floats from one value to the next along each of the output's axes: 0 where the buffer is stretched."""
    shape = (1,) * (len(axes) - len(buffer.shape)) + buffer.shape
    strides, step = [0] * len(axes), 1
    for a in reversed(range(len(axes))):
        strides[a] = step if shape[a] > 1 else 0
        step *= shape[a]
    return strides
