"""Histograms whose bins are the same for any network: two for every power of two, found in a number's own bits.

The edges are 0, 2^-12, 1.5 * 2^-12, 2^-11, ..., 2^12 and infinity, and their negatives. No range has to be known
before the first frame, histograms of two tubs can be added up, and a value's bin is exact: the upper bits of a float32
are its exponent and the first bit of its fraction (IEEE 754). A positive bin holds its lower edge, a negative one the
edge farther from zero excluded likewise: -x falls where x does. Zeros are in no bin; they are counted on their own.
"""

from __future__ import annotations

import numpy as np

from fastact.stats.moments import Counts, Doubles, Floats

LOWEST, HIGHEST = -12, 12
"""Exponents of the first and the last edge that is neither zero nor infinite."""

_SHIFT = 22  # of a float32's 32 bits, the exponent's and one bit of the fraction remain
_BEFORE = (127 + LOWEST) * 2 - 1  # 127: the exponent's bias
_BINS = (HIGHEST - LOWEST) * 2 + 2
"""Bins of one sign."""


def edges() -> Doubles:
    """All edges in ascending order, -inf and inf at the ends; one more than bins."""
    inner = [2.0**k * half for k in range(LOWEST, HIGHEST) for half in (1, 1.5)] + [2.0**HIGHEST, np.inf]
    return np.array([-x for x in reversed(inner)] + [0.0] + inner)


class Histograms:
    """One histogram a filter. Those of negative values take memory once there are any."""

    def __init__(self, filters: int) -> None:
        self._positive: Counts = np.zeros((filters, _BINS), np.int64)
        self._negative: Counts | None = None
        self._offsets = np.arange(filters, dtype=np.int32)

    def add(self, table: Floats, zeros: Counts, low: float) -> None:
        """Takes in finite values (places, filters), of which `zeros` a filter are zero and none is below `low`."""
        filters = len(self._offsets)
        if low >= 0:
            code = table.view(np.int32) >> _SHIFT
            code -= _BEFORE
            np.clip(code, 0, _BINS - 1, out=code)
            code += self._offsets * _BINS
            found = np.bincount(code.ravel(), minlength=filters * _BINS).reshape(filters, _BINS)
        else:
            bits = (table + np.float32(0)).view(np.int32)  # -0 becomes 0
            code = (bits & 0x7FFFFFFF) >> _SHIFT
            code -= _BEFORE
            np.clip(code, 0, _BINS - 1, out=code)
            code ^= bits >> 31  # bin b of a negative value becomes -b - 1
            code += self._offsets * (2 * _BINS) + _BINS
            both = np.bincount(code.ravel(), minlength=2 * filters * _BINS).reshape(filters, 2, _BINS)
            found = both[:, 1]
            self._negative = both[:, 0].copy() if self._negative is None else self._negative + both[:, 0]
        self._positive += found
        self._positive[:, 0] -= zeros

    def counts(self) -> Counts:
        """(filters, bins), in the order of :func:`edges`."""
        negative = np.zeros_like(self._positive) if self._negative is None else self._negative
        return np.concatenate([negative, self._positive], 1)
