"""Which filters of a layer say the same: their correlation over places of all frames."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from fastact.stats.moments import Bools, Counts, Doubles, Floats

PLACES = 64
"""Places of each frame's map that are compared, drawn anew for every frame; all of a smaller map."""
MOST_FILTERS = 512
"""A layer with more is not searched: the memory for it grows with the square of them."""
FEWEST_VALUES = 10
"""Values other than zero that a filter must show before it is likened to another."""
ALIKE = 0.99
"""Filters are duplicates from this correlation on, and opposites from its negative on."""

_ROWS = 1024
_SEED = 1


@dataclass(frozen=True)
class Correlations:
    """Pearson's correlation of each two filters, (filters, filters), NaN where it cannot be said, over `values`."""

    matrix: Doubles
    values: int


class Likeness:
    """Gathers values at sampled places, and merges their co-moments block by block, as moments.py does moments.

    The places are drawn by a generator with a fixed seed, so that the same frames give the same result.
    """

    def __init__(self, filters: int) -> None:
        self._random = np.random.default_rng(_SEED)
        self._block = np.empty((_ROWS, filters), np.float32)
        self._filled = 0
        self._count = 0
        self._mean: Doubles = np.zeros(filters)
        self._products: Doubles = np.zeros((filters, filters))
        self._nonzero: Counts = np.zeros(filters, np.int64)

    def add(self, table: Floats) -> None:
        """Takes in places of a frame's finite values, (places, filters)."""
        if len(table) > PLACES:
            table = table[self._random.integers(0, len(table), PLACES)]
        if self._filled + len(table) > _ROWS:
            self._merge()
        self._block[self._filled : self._filled + len(table)] = table
        self._filled += len(table)

    def _merge(self) -> None:
        if not self._filled:
            return
        block = self._block[: self._filled]
        self._nonzero += np.count_nonzero(block, axis=0)
        around = block.astype(np.float64)
        mean = around.mean(0)
        around -= mean
        total = self._count + self._filled
        apart = mean - self._mean
        self._products += around.T @ around + np.outer(apart, apart) * (self._count * self._filled / total)
        self._mean += apart * (self._filled / total)
        self._count, self._filled = total, 0

    def correlations(self, left_out: Bools) -> Correlations:
        """Of all filters but those where `left_out` holds."""
        whole = copy.deepcopy(self)  # more may be added to this one, with the result it would have had
        whole._merge()
        known = (whole._nonzero >= FEWEST_VALUES) & ~left_out
        spread = np.sqrt(np.where(known, np.diagonal(whole._products), np.nan))
        spread[spread == 0] = np.nan
        matrix = np.clip(whole._products / np.outer(spread, spread), -1, 1)
        np.fill_diagonal(matrix, np.nan)
        return Correlations(matrix, whole._count)


def groups(correlations: Correlations) -> list[tuple[int, ...]]:
    """Filters that are alike or opposite, group by group: each is linked to the first of its group."""
    near = np.abs(correlations.matrix) >= ALIKE
    found, taken = [], np.zeros(len(near), np.bool_)
    for first in range(len(near)):
        if taken[first]:
            continue
        others = np.flatnonzero(near[first] & ~taken)
        others = others[others > first]
        if len(others):
            taken[others] = True
            found.append((first, *map(int, others)))
    return found
