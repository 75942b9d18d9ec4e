"""Count, mean, deviation, extremes and zeros of every filter, merged map by map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.kernels.cpu import bins
from fastact.kernels.cpu.library import load
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.places import Place

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass
class Moments:
    """Figures of some values of each filter; every attribute has an entry a filter.

    Attributes:
        count: how many values.
        mean: their mean.
        squares: the sum of the squares of their distances from the mean.
        nonzero: how many of them are not exactly zero.
        low, high: the least and the largest; +inf and -inf of no values.
    """

    count: Counts
    mean: Doubles
    squares: Doubles
    nonzero: Counts
    low: Doubles
    high: Doubles

    @classmethod
    def none(cls, filters: int) -> Moments:
        """Of no values."""
        whole, real = np.zeros(filters, np.int64), np.zeros(filters)
        return cls(whole, real, real.copy(), whole.copy(), np.full(filters, np.inf), np.full(filters, -np.inf))

    def merge(self, other: Moments) -> None:
        """Takes in the values that `other` is of.

        Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances":
        with d the difference of the means, mean += d n' / (n + n') and squares += squares' + d^2 n n' / (n + n').
        """
        total = self.count + other.count
        share = other.count / np.maximum(total, 1)
        apart = other.mean - self.mean
        self.mean += apart * share
        self.squares += other.squares + apart * apart * share * self.count
        self.count = total
        self.nonzero += other.nonzero
        np.minimum(self.low, other.low, out=self.low)
        np.maximum(self.high, other.high, out=self.high)

    def without(self, left_out: Bools) -> Moments:
        """The same, of no values for the filters where `left_out` holds."""
        none = Moments.none(len(left_out))
        pairs = zip(vars(none).values(), vars(self).values(), strict=True)
        return Moments(*(np.where(left_out, empty, own) for empty, own in pairs))

    def part(self, filters: slice) -> Moments:
        """Those of some filters."""
        return Moments(*(array[filters] for array in vars(self).values()))

    @property
    def deviation(self) -> Doubles:
        """The standard deviation of the values themselves (divided by their count), 0 of none."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))


class Measure:
    """Measures maps of these shapes, (places, filters) each, with a compiled kernel; values are added to `histograms`.

    Its sums are of distances from a value near the mean, so that they lose nothing to a mean far from zero: the first
    value, later the mean so far.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], histograms: Sequence[Counts]) -> None:
        self._library = load()
        filters = [n for _, n in shapes]
        self._counts: Counts = np.repeat([places for places, _ in shapes], filters)
        self._shifts: Doubles = np.zeros(sum(filters))
        self._figures = [np.zeros((bins.ROWS, n)) for n in filters]
        shifts = np.split(self._shifts, np.cumsum(filters)[:-1])
        rows: list[Row] = [
            ["f32_summary", Place(i), self._figures[i], 1, *shapes[i], shifts[i], histograms[i]]
            for i in range(len(shapes))
        ]
        self._table = Table(rows, len(rows), self._library.kernel)

    def __call__(self, tables: Sequence[Floats], around: Doubles | None) -> tuple[Moments, Counts]:
        """The moments of finite values, and the first place of each filter's largest value, filters side by side.

        Args:
            tables: contiguous arrays of the shapes.
            around: the means of the frames before; None for the first.
        """
        np.concatenate([t[0] for t in tables] if around is None else [around], out=self._shifts)
        for i, table in enumerate(tables):
            self._table.place(i, table.ctypes.data)
        self._library.run(self._table.address, self._table.steps)
        total, squares, nonzero, low, high, places = np.concatenate(self._figures, axis=1)
        apart = total / self._counts
        moments = Moments(
            count=self._counts,
            mean=self._shifts + apart,
            squares=np.maximum(squares - apart * total, 0),
            nonzero=nonzero.astype(np.int64),
            low=low,
            high=high,
        )
        return moments, places.astype(np.int64)
