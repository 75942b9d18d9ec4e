"""The kernel behind statistics against NumPy over generated values: figures, bins, nothing written outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import Guarded, examples, seeds

from fastact.kernels.cpu import bins, library
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.places import Place

EDGES = np.array([0, *(2.0**k * half for k in range(-12, 12) for half in (1, 1.5)), 2.0**12, np.inf])


def summarised(
    values: np.ndarray, shifts: np.ndarray, team: int = 1, before: int = 0
) -> tuple[np.ndarray, np.ndarray, list[Guarded]]:
    """Figures and counts of values (places, channels), the counts starting at `before`."""
    channels = values.shape[1]
    x, y = Guarded(values), Guarded(np.full((bins.ROWS, channels), np.nan))
    counts = Guarded(np.full((channels, 2, bins.BINS), before, np.int64))
    row: Row = ["f32_summary", Place(0), y.array, 1, *values.shape, shifts, counts.array]
    kernels = library.load()
    table = Table([row], 1, kernels.kernel)
    table.place(0, x.array.ctypes.data)
    for me in range(team):
        kernels.run_part(table.address, 0, 1, me, team)
    return y.array, counts.array, [x, y, counts]


def binned(values: np.ndarray) -> np.ndarray:
    """How many of the positive `values` are in each bin, the lower edge belonging to it."""
    return np.diff(np.searchsorted(np.sort(values), EDGES[1:], "left"), prepend=0)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    places, channels = draw(st.integers(1, 600)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(seeds))
    values = random.standard_normal((places, channels)) * 10.0 ** random.integers(-6, 6, (places, channels))
    values[random.random(values.shape) < draw(st.sampled_from([0, 0.3, 1]))] = 0
    values = np.round(values, draw(st.sampled_from([0, 8])))  # equal values; the first place counts
    return values.astype(np.float32)


@pytest.mark.parametrize("team", [1, 2, 7])
@examples(80)
@given(values=tables(), shifted=st.booleans())
def test_summary(team: int, values: np.ndarray, shifted: bool):
    wide = values.astype(np.float64)
    shifts = wide[0].copy() if shifted else np.zeros(values.shape[1])
    figures, counts, guarded = summarised(values, shifts, team, before=3)
    slack = 1e-13 * np.abs(wide - shifts).sum(0) + 1e-300
    assert (np.abs(figures[bins.TOTAL] - (wide - shifts).sum(0)) <= slack).all()
    np.testing.assert_allclose(figures[bins.SQUARES], ((wide - shifts) ** 2).sum(0), rtol=1e-12)
    np.testing.assert_array_equal(figures[bins.NONZERO], np.count_nonzero(values, axis=0))
    np.testing.assert_array_equal(figures[bins.LOW], wide.min(0))
    np.testing.assert_array_equal(figures[bins.HIGH], wide.max(0))
    np.testing.assert_array_equal(figures[bins.PLACE], values.argmax(0))
    for c, column in enumerate(wide.T):
        np.testing.assert_array_equal(counts[c, 1] - 3, binned(column[column > 0]))
        np.testing.assert_array_equal(counts[c, 0][::-1] - 3, binned(-column[column < 0]))
    for memory in guarded:
        memory.check()


def test_edges_and_the_smallest_numbers():
    tiny = np.finfo(np.float32).smallest_subnormal
    inner = EDGES[1:-1].astype(np.float32)
    values = np.concatenate([inner, np.nextafter(inner, np.float32(0)), [tiny, np.finfo(np.float32).max, 0.0]])
    both = np.concatenate([values, -values]).astype(np.float32)[:, np.newaxis]
    figures, counts, _ = summarised(both, np.zeros(1))
    assert figures[bins.NONZERO, 0] == np.count_nonzero(both)
    positive = binned(both[both > 0].astype(np.float64))
    np.testing.assert_array_equal(counts[0, 1], positive)
    np.testing.assert_array_equal(counts[0, 0][::-1], positive)
