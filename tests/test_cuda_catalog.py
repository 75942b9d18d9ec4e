"""The CUDA kernels' table, and that every operation has launches that fit it. Nothing is compiled or simulated."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fastact.kernels import ops
from fastact.kernels.cuda import tiles
from fastact.kernels.cuda.boards import BOARDS, Board
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.cuda.encode import Target, encode
from fastact.kernels.cuda.encode.base import _ENCODERS
from fastact.kernels.cuda.fusion import Conv2DFromBytes
from fastact.kernels.cuda.launch import Argument, Count, Launch, Stride
from fastact.kernels.places import Buffer, Place


def floats(*shape: int) -> ops.Floats:
    return np.ones(shape, np.float32)


FLAT, MAP, VOLUME = (7,), (6, 5, 4), (4, 5, 6, 3)
BIG = (360, 640, 64)

EXAMPLES: list[tuple[ops.Op, tuple[ops.Shape, ...]]] = [
    (ops.FromBytes(255.0), (MAP,)),
    (ops.Pad(((1, 2), (0, 3))), (MAP,)),
    (ops.Pad(((1, 2), (0, 3), (1, 1))), (VOLUME,)),
    (ops.Pad(()), (MAP,)),
    (ops.Crop(((1, 2), (0, 3))), (MAP,)),
    (ops.Repeat((2, 3)), (MAP,)),
    (ops.Repeat((2, 3, 2)), (VOLUME,)),
    (ops.Concat(-1), (MAP, MAP)),
    (ops.Concat(0), (MAP, MAP)),
    (ops.Interleave((6, 6), (2, 2), ((0, 0), (1, 1)), floats(4)), ((3, 3, 4), (3, 3, 4))),
    (ops.Slice(1, 4, 2, -2), (MAP,)),
    (ops.Transpose((2, 0, 1)), (MAP,)),
    (ops.Transpose((4, 3, 2, 1, 0)), ((2, 3, 4, 3, 2),)),
    (ops.Affine(floats(4), floats(4), floats(4)), (MAP,)),
    (ops.Affine(floats(6), floats(6), floats(6), 0), (MAP,)),
    *((ops.Elementwise(function, 1.0, 0.5), (MAP,)) for function in ops.Unary),
    *((ops.RowWise(function, axis), (MAP,)) for function in ops.Row for axis in (-1, 0)),
    (ops.GatedLinear(), (MAP,)),
    *((ops.Binary(function), shapes) for function in ops.Merge for shapes in ((MAP, MAP), (MAP, (6, 1, 4)))),
    *((ops.BinaryConstant(function, floats(4), True), (MAP,)) for function in ops.Merge),
    *((ops.Pool(kind, (3,), (2,), ((1, 1),)), ((7, 4),)) for kind in ops.PoolKind),
    *((ops.Pool(kind, (3, 2), (2, 1), ((1, 1), (0, 1))), (MAP,)) for kind in ops.PoolKind),
    *((ops.Pool(kind, (2, 2, 2), (2, 2, 2), ((0, 0),) * 3), (VOLUME,)) for kind in ops.PoolKind),
    *((ops.PoolGradient(kind, (2, 2), (2, 2), ((0, 0),) * 2), ((3, 2, 4), MAP)) for kind in ops.PoolKind),
    *((ops.GlobalPool(kind), (shape,)) for kind in ops.PoolKind for shape in (MAP, VOLUME, BIG)),
    *((ops.Reduce(total, axes), (VOLUME,)) for total in ops.Total for axes in ((0,), (1, 3), (-1,))),
    *((ops.Standardize(scaling, (-1,), 1e-3), (MAP,)) for scaling in ops.Scaling),
    (ops.Contract(0, 0), (FLAT, FLAT)),
    (ops.Contract(2, 2), ((90, 80, 16), (90, 80, 16))),
    *((ops.Conv2D(floats(3, 2, 4, 5), floats(5), pads=pads), (MAP,)) for pads in (ops.NO_PADS, (1, 1, 0, 2))),
    *(
        (Conv2DFromBytes(ops.Conv2D(floats(3, 2, 4, 5), floats(5), pads=pads), 255.0), (MAP,))
        for pads in (ops.NO_PADS, (1, 1, 0, 2))
    ),
    *((ops.DepthwiseConv2D(floats(3, 2, 4, 2), floats(8), pads=pads), (MAP,)) for pads in (ops.NO_PADS, (1, 1, 0, 2))),
    (ops.Conv2D(floats(3, 2, 2, 6), floats(6), groups=2), (MAP,)),
    (ops.Conv3D(floats(2, 2, 2, 3, 5), floats(5)), (VOLUME,)),
    *((ops.Dense(floats(shape[-1], 9), floats(9)), (shape,)) for shape in (FLAT, MAP)),
    (ops.Resample(0, 6, np.zeros((9, 2), np.int64), floats(9, 2)), (MAP,)),
]
"""Operations of every kind, each function of every kind among them."""


def launches(op: ops.Op, shapes: tuple[ops.Shape, ...], board: Board) -> list[Launch]:
    buffers = [Buffer(Place(i), shape) for i, shape in enumerate(shapes)]
    return encode(op, buffers, Buffer(Place(len(shapes)), op.shape(*shapes)), Target(board, frames=2))


def test_every_operation_has_an_encoder():
    every = {kind for _, kind in inspect.getmembers(ops, inspect.isclass) if issubclass(kind, ops.Op)}
    computed = every - {ops.Op, ops.Reshape}  # a Reshape is a view
    assert computed | {Conv2DFromBytes} == set(_ENCODERS) == {type(op) for op, _ in EXAMPLES}


def test_every_kernel_is_launched_by_some_operation(monkeypatch: pytest.MonkeyPatch):
    used = set()
    for tile in tiles.TILES:
        monkeypatch.setattr(tiles, "choose", lambda *_, tile=tile: tile)
        used |= {launch.kernel for op, shapes in EXAMPLES for launch in launches(op, shapes, BOARDS[0])}
    measured = {name for name in KERNELS if name.startswith("ceiling_")}  # what a GPU can do at most
    assert used == set(KERNELS) - measured


SIZES = [
    *((pixels, 24, 75, 1) for pixels in (4_524, 56_604, 1_158_144)),
    *((pixels, 64, 576, 1) for pixels in (1, 234, 50_000)),
    *((1_000_000, filters, 4_608, 1) for filters in (16, 33, 512)),
    (196, 4, 36, 32),
]
"""Convolutions: pixels, filters of a group, products, groups."""


def test_every_tile_is_the_best_of_something():
    chosen = {tiles.choose(*size, board) for size in SIZES for board in BOARDS}
    assert chosen == set(tiles.TILES)


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.name)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e[0]).__name__)
def test_launches_fit_their_kernels(example: tuple[ops.Op, tuple[ops.Shape, ...]], board: Board):
    op, shapes = example
    made = launches(op, shapes, board)
    assert made
    for launch in made:
        kernel = KERNELS[launch.kernel]
        each = zip(launch.arguments, kernel.parameters, strict=True)
        assert "".join(letter(argument, wanted) for argument, wanted in each) == kernel.parameters
        assert 1 <= launch.blocks[0] < 2**31
        assert 1 <= launch.blocks[1] < 2**16
        assert kernel.threads <= 1024
        assert kernel.threads % 32 == 0
        strides = [a.region for a in launch.arguments if isinstance(a, Stride)]
        regions = [a.region for a in launch.arguments if isinstance(a, Place)]
        assert set(strides) == set(regions), "a stride for each buffer"
    assert any(Place(len(shapes)).region == a.region for a in made[-1].arguments if isinstance(a, Place)), "the output"


def letter(argument: Argument, wanted: str) -> str:
    """The letter of the parameter that an argument is for: one of those that it can be."""
    if isinstance(argument, Place):
        possible = "FBI"
    elif isinstance(argument, Stride):
        possible = "l"
    elif isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        possible = {"float32": "F", "uint8": "B", "int32": "I"}[argument.dtype.name]
    elif isinstance(argument, Count):
        possible = "u"
    elif isinstance(argument, np.int32):
        possible = "i"
    elif isinstance(argument, int):
        assert 0 <= argument < 2**32
        possible = "ul"
    else:
        assert isinstance(argument, float)
        possible = "f"
    return wanted if wanted in possible else possible
