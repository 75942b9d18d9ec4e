"""Count, mean, deviation, extremes and zeros of every filter, merged map by map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.kernels.cpu import bins
from fastact.kernels.cpu.library import load
from fastact.kernels.cpu.steps import Place, Row, Table

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

    @property
    def deviation(self) -> Doubles:
        """The standard deviation of the values themselves (divided by their count), 0 of none."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))


class Measure:
    """Measures maps of one shape with a compiled kernel, and adds their values to `histograms`.

    Its sums are of distances from a value near the mean, so that they lose nothing to a mean far from zero: the first
    value, later the mean so far.
    """

    def __init__(self, places: int, filters: int, histograms: Counts) -> None:
        self._library = load()
        self._places, self._figures = places, np.zeros((bins.ROWS, filters))
        self._shifts: Doubles = np.zeros(filters)
        row: Row = ["f32_summary", Place(0), self._figures, 1, places, filters, self._shifts, histograms]
        self._table = Table([row], 1, self._library.kernel)

    def __call__(self, table: Floats, around: Doubles | None) -> tuple[Moments, Counts]:
        """The moments of finite values (places, filters), and the first place of each filter's largest value.

        Args:
            table: contiguous.
            around: the means of the frames before; None for the first.
        """
        self._shifts[:] = table[0] if around is None else around
        self._table.place(0, table.ctypes.data)
        self._library.run(self._table.address, 1)
        figures, count = self._figures, self._places
        apart = figures[bins.TOTAL] / count
        moments = Moments(
            count=np.full(len(apart), count),
            mean=self._shifts + apart,
            squares=np.maximum(figures[bins.SQUARES] - apart * figures[bins.TOTAL], 0),
            nonzero=figures[bins.NONZERO].astype(np.int64),
            low=figures[bins.LOW].copy(),
            high=figures[bins.HIGH].copy(),
        )
        return moments, figures[bins.PLACE].astype(np.int64)
