"""The kernels that make pictures of pictures against what they mean in NumPy: values, and nothing written outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import Guarded, compiled, examples, seeds, tables

from fastact.film import pixels
from fastact.kernels.cpu import library
from fastact.kernels.cpu.steps import Row, Table
from fastact.views import blend
from fastact.views.overlay import levels

sides = st.integers(1, 40)


def picture(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def enlarged(values: np.ndarray, times: int) -> np.ndarray:
    """Bilinear, pixels in the middle of their squares, along the first two axes."""
    for axis in (0, 1):
        count = values.shape[axis]
        place = np.clip((np.arange(count * times) + 0.5) / times - 0.5, 0, count - 1)
        first = np.minimum(place.astype(int), count - 1)
        second = np.minimum(first + 1, count - 1)
        share = (place - first).reshape([-1 if a == axis else 1 for a in range(3)])
        values = values.take(first, axis) * (1 - share) + values.take(second, axis) * share
    return values


@examples(60)
@given(height=sides, width=sides, seed=seeds, colormap=st.sampled_from(["inferno", "viridis"]))
def test_cover(height: int, width: int, seed: int, colormap: str):
    under, random = Guarded(picture(seed, height, width)), np.random.default_rng(seed)
    mask = random.uniform(-0.5, 1.5, (height, width)).astype(np.float32)
    mask[random.random(mask.shape) < 0.1] = np.nan
    palette = pixels.palette(colormap)[levels(mask, height, width)].astype(float)
    covered = pixels.cover(under.array, mask, colormap)
    assert np.abs(covered - (under.array * palette[..., 3:] + palette[..., :3])).max() <= 0.501
    assert np.abs(covered.astype(int) - blend(under.array, mask, colormap=colormap)).max() <= 1
    np.testing.assert_array_equal(under.array, picture(seed, height, width))
    stretched = random.random((3, 5))
    whole = pixels.cover(under.array[:, ::-1], stretched, colormap).astype(int)
    assert np.abs(whole - blend(under.array[:, ::-1], stretched, colormap=colormap)).max() <= 1


@examples(80)
@given(height=sides, width=sides, times=st.integers(1, 9), apart=st.integers(0, 5), seed=seeds)
def test_enlarge(height: int, width: int, times: int, apart: int, seed: int):
    small = picture(seed, height, width)
    whole = Guarded(np.full((height * times, width * times + apart, 3), 7, np.uint8))
    into = whole.array[:, : width * times]
    pixels.enlarge(small, times, into)
    assert np.abs(into - enlarged(small.astype(float), times)).max() <= 0.501
    assert (whole.array[:, width * times :] == 7).all()
    whole.check()


@examples(60)
@given(height=sides, width=sides, apart=st.integers(0, 5), seed=seeds)
def test_planes(height: int, width: int, apart: int, seed: int):
    shown = picture(seed, 2 * height, 2 * width)
    shown[: height // 2] = 255 * (seed % 2)
    kept = [
        Guarded(np.full((n * height, n * width + apart * n), 7, np.uint8)) for n in (2, 1, 1)
    ]  # Y, and two of a quarter
    found = [k.array[:, : k.array.shape[1] - apart * n] for k, n in zip(kept, (2, 1, 1), strict=True)]
    pixels.to_planes(shown, *found)
    red, green, blue = np.moveaxis(shown / 255, -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # ITU-R BT.709-6, 3.2 to 3.4
    assert np.abs(found[0] - (16 + 219 * luma)).max() <= 0.501
    for plane, part, most in ((found[1], blue, 1.8556), (found[2], red, 1.5748)):
        fours = ((part - luma) / most).reshape(height, 2, width, 2).mean((1, 3))
        assert np.abs(plane - (128 + 224 * fours)).max() <= 0.501
    for k, n in zip(kept, (2, 1, 1), strict=True):
        assert (k.array[:, k.array.shape[1] - apart * n :] == 7).all()
        k.check()


@tables
@pytest.mark.parametrize("team", [1, 2, 5])
def test_a_team_makes_the_same(registers: str, team: int):
    """Each member its share, with every table of tiles."""
    small, times = picture(3, 13, 17), 3
    alone = np.zeros((39, 51, 3), np.uint8)
    pixels.enlarge(small, times, alone)
    mask = small[..., 1] / np.float32(255)
    strength, covered = levels(mask, 13, 17), np.zeros_like(small)
    into, line = np.zeros_like(alone), np.zeros((team, 2, 51 * 3), np.float32)
    whole, planes = picture(4, 26, 34), [np.zeros(size, np.uint8) for size in ((26, 34), (13, 17), (13, 17))]
    shares, matrix = pixels.shares(times), pixels.bt709()
    rows: list[Row] = [
        ["u8_cover", small, covered, strength.size, strength, pixels.palette("inferno")],
        ["u8_enlarge", small, into, 13, 17, times, into.strides[0], shares, line],
        ["u8_planes", whole, planes[0], 26, 34, planes[1], planes[2], 34, 17, matrix],
    ]
    kernels: library.Library = compiled(registers)
    table = Table(rows, 0, kernels.kernel)
    for step in range(len(rows)):
        for me in range(team):
            kernels.run_part(table.address, step, step + 1, me, team)
    np.testing.assert_array_equal(covered, pixels.cover(small, mask, "inferno"))
    np.testing.assert_array_equal(into, alone)
    others = [np.zeros_like(plane) for plane in planes]
    pixels.to_planes(whole, *others)
    for one, other in zip(planes, others, strict=True):
        np.testing.assert_array_equal(one, other)
