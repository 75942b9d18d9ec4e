"""Convolutions in pairs of pixels against the reference of the convolution that they stand for."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from convolution_cases import BOUNDS
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import EPSILON, compiled, examples, normal, run, seeds, tables

from fastact.kernels import ops, reference
from fastact.kernels.cpu import bands, encode, pairing
from fastact.kernels.cpu.pairing import Chain, PairedConv2D, chains_of, in_pairs, paired
from fastact.kernels.cpu.tiles import PAIRED
from fastact.kernels.program import Instruction, Value


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[ops.Conv2D, np.ndarray]:
    """Windows that have a chain of three; some pictures with a NaN."""
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    kernel = draw(st.integers(1, 4)), draw(st.integers(2 * strides[1] + 1, 8))
    down = draw(st.integers(1, 2))
    pads = draw(st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 3)]))
    rows = max(1, (kernel[0] - 1) * down + 1 - pads[0] - pads[1]) + draw(st.integers(0, 7))
    columns = kernel[1] + strides[1] - pads[2] - pads[3] + draw(st.integers(0, 12))
    depth, filters = draw(st.integers(8, 37)), draw(st.one_of(st.integers(16, 40), st.sampled_from([48, 64, 65, 100])))
    seed, (low, high) = draw(seeds), draw(BOUNDS)
    x = normal(seed, rows, max(1, columns), depth)
    if draw(st.booleans()):
        x[draw(st.integers(0, rows - 1)), draw(st.integers(0, x.shape[1] - 1)), draw(st.integers(0, depth - 1))] = (
            np.nan
        )
    weights, bias = normal(seed, *kernel, depth, filters), normal(seed, filters)
    return ops.Conv2D(weights, bias, strides, pads, (down, 1), low=low, high=high), x


def assert_near(op: ops.Conv2D, actual: np.ndarray, x: np.ndarray) -> None:
    """Within n roundings of what is added up: each value of a chain of taps by each of its weights, twice at most."""
    exact = reference.run(op, x.astype(np.float64))
    wide = np.abs(op.weights).astype(np.float64)
    for chain in chains_of(op.weights.shape[1], op.strides[1]):
        taps = [chain.first + n * op.strides[1] for n in range(chain.taps)]
        wide[:, taps] = 2 * np.abs(op.weights[:, taps]).sum(1, keepdims=True)
    bare = dataclasses.replace(op, weights=wide, bias=np.abs(op.bias), low=-math.inf, high=math.inf)
    bound = (math.prod(op.weights.shape[:-1]) + 6) * EPSILON * reference.run(bare, np.abs(x).astype(np.float64))
    assert actual.shape == exact.shape
    assert np.array_equal(np.isnan(actual), np.isnan(exact)), "NaN must pass through, and come from nowhere else"
    assert np.all((np.abs(actual - exact) <= bound) | np.isnan(exact))


@tables
@examples(60)
@given(case=convolutions())
def test_paired_convolutions(registers: str, case: tuple[ops.Conv2D, np.ndarray]):
    op, x = case
    assert_near(op, run(compiled(registers), in_pairs(op), x), x)


@tables
@pytest.mark.parametrize("filters", [16, 17, 24, 31, 33, 48, 64, 100, 130])
@pytest.mark.parametrize("columns", [2, 3, 9])
def test_paired_convolutions_of_every_width(registers: str, filters: int, columns: int):
    for width, stride in ((3, 1), (5, 2), (7, 2), (7, 3)):
        op = ops.Conv2D(normal(1, 2, width, 9, filters), normal(2, filters), (1, stride), low=-1.0)
        x = normal(3, 4, (columns - 1) * stride + width, 9)
        assert_near(op, run(compiled(registers), in_pairs(op), x), x)


def test_a_chain_is_taps_as_far_apart_as_windows():
    assert chains_of(3, 1) == [Chain(0, 3)]
    assert chains_of(5, 2) == [Chain(0, 3), Chain(1, 2)]
    assert chains_of(5, 1) == [Chain(0, 3), Chain(3, 2)]
    assert chains_of(7, 2) == [Chain(0, 3), Chain(1, 3), Chain(6, 1)]
    for taps, stride in itertools.product(range(1, 12), range(1, 6)):
        chains = chains_of(taps, stride)
        assert sorted(c.first + n * stride for c in chains for n in range(c.taps)) == list(range(taps))
        assert chains == sorted(chains, key=lambda chain: -chain.taps)


@pytest.mark.parametrize(("taps", "stride"), [(3, 1), (5, 1), (5, 2), (7, 2), (7, 3), (4, 1), (11, 3)])
def test_factors_give_both_pixels(taps: int, stride: int):
    """The four sums by the module's formulas, in whole numbers, where nothing is rounded."""
    random = np.random.default_rng(0)
    weights = random.integers(-8, 9, (1, taps, 1, 1)).astype(np.float32) * 2
    x = random.integers(-8, 9, taps + stride).astype(np.float32)
    chains = chains_of(taps, stride)
    made = pairing.factors(weights, stride, tuple(chains))
    sums, used = [0.0] * 4, [0] * 4
    for chain in chains:
        v = [x[chain.first + n * stride] for n in range(chain.taps + 1)]
        spread = {
            3: lambda v: (v[0] - v[2], v[1] + v[2], v[2] - v[1], v[1] - v[3]),
            2: lambda v: (v[0] - v[1], v[1], v[1] - v[2]),
            1: lambda v: v,
        }[chain.taps](v)
        for number, value in zip(chain.sums, spread, strict=True):
            sums[number] += value * made[number][used[number], 0]
            used[number] += 1
    a, b, c, d = sums
    w = weights[0, :, 0, 0]
    assert (a + b + c, b - c - d) == (np.dot(x[:taps], w), np.dot(x[stride:], w))
    assert used == [len(factor) for factor in made]


def instruction(op: ops.Op, *shape: int) -> Instruction:
    return Instruction(op, (Value(0, shape),), Value(1, op.shape(shape)))


def conv(kernel: tuple[int, int], depth: int, filters: int, **options) -> ops.Conv2D:
    shape = *kernel, depth // options.get("groups", 1), filters
    return ops.Conv2D(normal(1, *shape), normal(2, filters), **options)


@pytest.mark.parametrize(
    ("op", "shape", "wanted"),
    [
        (conv((5, 5), 24, 32, strides=(2, 2)), (58, 78, 24), True),
        (conv((3, 3), 64, 64), (12, 17, 64), True),
        (conv((3, 3), 64, 64, pads=(1, 1, 1, 1)), (12, 17, 64), True),
        (conv((3, 3), 64, 64), (5, 6, 64), False),  # few pixels
        (conv((5, 5), 3, 24, strides=(2, 2)), (120, 160, 3), False),  # few channels
        (conv((3, 3), 32, 4), (58, 78, 32), False),  # few filters
        (conv((3, 3), 32, 32, strides=(2, 2)), (58, 78, 32), False),  # few products to save
        (conv((1, 1), 32, 32), (58, 78, 32), False),
        (conv((3, 3), 32, 32, dilation=(1, 2)), (58, 78, 32), False),
        (conv((3, 3), 32, 32, groups=2), (58, 78, 32), False),
        (conv((3, 3), 512, 32), (28, 28, 512), False),  # more factors than a cache holds
    ],
)
def test_convolutions_are_paired_where_that_is_faster(op: ops.Conv2D, shape: tuple[int, ...], wanted: bool):
    made = paired(instruction(op, *shape))
    assert isinstance(made.op, PairedConv2D) == wanted
    assert made.output.shape == op.shape(shape)
    share = made.op.multiply_adds(shape) / op.multiply_adds(shape)
    assert 0.6 < share < 0.8 if wanted else share == 1


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1)])
def test_a_band_has_room_for_each_of_its_lanes(pads: tuple[int, int, int, int]):
    program = [instruction(conv((3, 3), 64, 64, pads=pads), 30, 40, 64)]
    for lanes in (1, 2, 3):
        (band,) = bands.band(program, {1}, lambda value: value.number, lanes)
        assert isinstance(band.instructions[0].op, PairedConv2D)
        assert band.lanes == lanes
        assert band.scratch >= encode.room(band.instructions[0].op) > 0


def test_tiles_of_pairs_fit_their_room():
    for tile in itertools.chain.from_iterable(PAIRED.values()):
        assert tile.cluster == 1
        assert tile.pixels <= pairing.PAIRS
        assert tile.pixels * tile.vectors * tile.width <= pairing.CELLS
