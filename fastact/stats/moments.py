"""Count, mean, deviation, extremes and zeros of every filter, merged map by map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_CHUNK = 2**16
"""Values worked on at a time: the float64 of so many stay in a core's cache."""


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
    """Measures maps of one number of filters; keeps working memory."""

    def __init__(self, filters: int) -> None:
        self._rows = max(1, _CHUNK // filters)
        self._ones = np.ones(self._rows)
        self._work = np.empty((self._rows, filters))
        self._flags = np.empty((self._rows, filters), np.bool_)

    def __call__(self, table: Floats) -> tuple[Moments, Counts]:
        """The moments of finite values (places, filters), and the first place of each filter's largest value."""
        places = table.argmax(0)
        moments = Moments.none(table.shape[1])
        for start in range(0, len(table), self._rows):
            moments.merge(self._chunk(table[start : start + self._rows]))
        moments.low = _least(table).astype(np.float64)
        moments.high = table[places, np.arange(table.shape[1])].astype(np.float64)
        return moments, places

    def _chunk(self, table: Floats) -> Moments:
        """Mean first, then distances from it: exact to float64's rounding, whatever the values lie around."""
        rows, moments = len(table), Moments.none(table.shape[1])
        ones, work, flags = self._ones[:rows], self._work[:rows], self._flags[:rows]
        np.not_equal(table, 0, out=flags)
        np.copyto(work, flags)
        moments.nonzero = (ones @ work).astype(np.int64)
        np.copyto(work, table)
        moments.mean = ones @ work / rows
        work -= moments.mean
        moments.squares = np.einsum("ij,ij->j", work, work)
        moments.count += rows
        return moments


def _least(table: Floats) -> Floats:
    """The minimum along the first axis; several rows are laid side by side, since NumPy is slow on short ones."""
    rows, columns = table.shape
    fold = min(rows, max(1, 512 // columns))
    whole = rows // fold * fold
    least: Floats = table[:whole].reshape(-1, fold * columns).min(0).reshape(fold, columns).min(0)
    return np.minimum(least, table[whole:].min(0)) if whole < rows else least
