"""The bins of histograms, which are the same for any network: two for every power of two.

The edges are 0, 2^-12, 1.5 * 2^-12, 2^-11, ..., 2^12 and infinity, and their negatives. No range has to be known
before the first frame, histograms of two tubs can be added up, and a value's bin is exact, being read from its own bits
(`kernels/cpu/bins.py`). A bin of positive values holds its lower edge, and -x falls where x does. Zeros are in no bin;
they are counted on their own.
"""

from __future__ import annotations

import numpy as np

from fastact.kernels.cpu.bins import BINS, HIGHEST, LOWEST
from fastact.stats.moments import Counts, Doubles


def edges() -> Doubles:
    """All edges in ascending order, -inf and inf at the ends; one more than bins."""
    inner = [2.0**k * half for k in range(LOWEST, HIGHEST) for half in (1, 1.5)] + [2.0**HIGHEST, np.inf]
    return np.array([-x for x in reversed(inner)] + [0.0] + inner)


def empty(filters: int) -> Counts:
    """A histogram a filter, (filters, bins), in the order of :func:`edges`."""
    return np.zeros((filters, 2 * BINS), np.int64)
