"""Convolutions and dense layers on a GPU, in the simulator, against their references."""

from __future__ import annotations

import numpy as np
import pytest
from convolution_cases import convolutions, depthwise, volumes
from cuda_simulation import run
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import assert_sums, examples, normal

from fastact.kernels import ops
from fastact.kernels.cuda import tiles
from fastact.kernels.cuda.fusion import Conv2DFromBytes, divides, fuse
from fastact.kernels.program import Instruction, Value

FRAMES = 2


def checked(op: ops.Op, *shape: int) -> None:
    x = normal(3, FRAMES, *shape)
    x[(0, *(n // 2 for n in shape))] = np.nan
    checked_on(op, x)


def checked_on(op: ops.Op, x: np.ndarray) -> None:
    for actual, frame in zip(run(op, x), x, strict=True):
        assert_sums(op, actual, frame)


@pytest.fixture(params=tiles.TILES, ids=lambda tile: tile.name)
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tiles.Tile:
    """Whatever tile would be chosen, this one is."""
    monkeypatch.setattr(tiles, "choose", lambda *_: request.param)
    return request.param


def test_every_tile(tile: tiles.Tile):
    checked(ops.Conv2D(normal(1, 3, 2, 3, tile.block_filters + 1), normal(2, tile.block_filters + 1), (2, 1)), 7, 5, 3)


def test_every_tile_padded(tile: tiles.Tile):
    checked(ops.Conv2D(normal(1, 3, 3, 2, 5), normal(2, 5), (1, 2), (2, 1, 0, 1), (2, 1), low=0.0), 4, 5, 2)


def test_every_tile_in_groups(tile: tiles.Tile):
    checked(ops.Conv2D(normal(1, 2, 2, 3, 6), normal(2, 6), pads=(1, 0, 0, 1), groups=2, high=1.0), 3, 3, 6)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("pads", [ops.NO_PADS, (2, 1, 0, 1)])
def test_depthwise(multiplier: int, pads: ops.Pads):
    weights, bias = normal(1, 3, 2, 5, multiplier), normal(2, 5 * multiplier)
    checked(ops.DepthwiseConv2D(weights, bias, (2, 1), pads, (1, 2), -1.0, 2.0), 6, 5, 5)


@pytest.mark.parametrize("filters", [4, 8])
def test_as_many_groups_as_channels(filters: int):
    checked(ops.Conv2D(normal(1, 2, 2, 1, filters), normal(2, filters), pads=(1, 0, 0, 0), groups=4), 3, 4, 4)


@pytest.mark.parametrize("groups", [1, 2])
def test_conv3d(groups: int):
    checked(ops.Conv3D(normal(1, 2, 2, 3, 2, 6), normal(2, 6), (1, 2, 1), (2, 1, 1), groups, 0.0), 4, 4, 5, 2 * groups)


@pytest.mark.parametrize("shape", [(7,), (1100,), (3, 20), (4, 3, 20)], ids=str)
def test_dense(shape: tuple[int, ...]):
    checked(ops.Dense(normal(1, shape[-1], 11), normal(2, 11), low=-3.0), *shape)


few = st.one_of(st.integers(1, 9), st.sampled_from([24, 33]))


@examples(15)
@given(st.one_of(convolutions(few, 3), depthwise(9, 3), volumes(few)))
def test_any(case: tuple[ops.Op, np.ndarray]):
    op, x = case
    checked_on(op, np.stack([x, x[::-1]]))


def bytes_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (FRAMES, *shape), np.uint8)


@pytest.mark.parametrize("pads", [ops.NO_PADS, (1, 1, 1, 1)])
def test_a_picture_in_bytes(tile: tiles.Tile, pads: ops.Pads):
    conv = ops.Conv2D(normal(1, 3, 3, 3, 5), normal(2, 5), (2, 2), pads)
    x = bytes_of(6, 5, 3)
    for actual, frame in zip(run(Conv2DFromBytes(conv, 255.0), x), x, strict=True):
        assert_sums(conv, actual, (frame / 255.0).astype(np.float32))


def test_bytes_divide_without_a_division():
    assert all(divides(divisor) for divisor in (255.0, 1.0, 127.5, 128.0, 256.0, 3.0, 58.395))


class Program:
    """A picture in bytes, a convolution of it, and whatever else reads the floats."""

    def __init__(self, *others: ops.Op, conv: ops.Op) -> None:
        self.picture, self.floats, self.maps = (Value(n, (6, 5, 3)) for n in range(3))
        self.instructions = [
            Instruction(ops.FromBytes(255.0), (self.picture,), self.floats),
            Instruction(conv, (self.floats,), self.maps),
            *(Instruction(op, (self.floats,), Value(3 + n, (6, 5, 3))) for n, op in enumerate(others)),
        ]

    def fused(self, *kept: Value) -> list[type[ops.Op]]:
        return [type(i.op) for i in fuse(self.instructions, {v.number for v in kept}, lambda value: value.number)]


def test_what_is_fused():
    conv = ops.Conv2D(normal(1, 3, 3, 3, 5), normal(2, 5))
    alone = ops.Conv2D(normal(1, 3, 3, 1, 3), normal(2, 3), groups=3)
    other = ops.Elementwise(ops.Unary.TANH)
    assert Program(conv=conv).fused() == [Conv2DFromBytes]
    program = Program(conv=conv)
    assert program.fused(program.maps) == [Conv2DFromBytes]
    assert program.fused(program.floats) == [ops.FromBytes, ops.Conv2D], "the floats are wanted"
    assert Program(other, conv=conv).fused() == [ops.FromBytes, ops.Conv2D, ops.Elementwise], "another reads them"
    assert Program(conv=alone).fused() == [ops.FromBytes, ops.Conv2D], "a kernel that reads floats alone"
    (joined,) = fuse(program.instructions, set(), lambda value: value.number)
    assert joined.inputs == (program.picture,)
    assert joined.output == program.maps


def test_a_padded_input_has_its_places_in_16_bits():
    op = ops.Conv2D(normal(1, 1, 3, 1, 1), normal(2, 1), pads=(0, 0, 1, 1))
    with pytest.raises(ValueError, match="65535 at most"):
        run(op, np.zeros((1, 1, 65534, 1), np.float32))
