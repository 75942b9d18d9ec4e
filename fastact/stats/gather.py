"""Figures of all layers, gathered frame by frame.

The filters of all layers stand side by side in one row, so that a frame costs a few operations on that row, however
many layers there are, beside the kernel's pass over the maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from fastact.stats import histogram, likeness
from fastact.stats.likeness import Likeness
from fastact.stats.moments import Bools, Counts, Floats, Measure, Moments
from fastact.stats.peaks import Peaks


@dataclass(frozen=True)
class Figures:
    """What was gathered of one layer; arrays have an entry a filter first.

    Attributes:
        lengths: of its map's axes but that of the filters, which is the last.
        moments: of all values.
        histograms: as :func:`histogram.empty` gives them.
        frames, active, broken: numbers of frames: counted, with a value other than zero, left out.
        peaks: all put in their places.
        likeness: None where filters are not compared.
    """

    lengths: tuple[int, ...]
    moments: Moments
    histograms: Counts
    frames: Counts
    active: Counts
    broken: Counts
    peaks: Peaks
    likeness: Likeness | None


class Gatherer:
    """Gathers the figures of maps of these shapes, (..., filters) each, in memory that does not grow with frames."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], keep: int, apart: int) -> None:
        filters = [shape[-1] for shape in shapes]
        self._shapes, self._total = shapes, sum(filters)
        self._parts = [slice(*ends) for ends in pairwise(accumulate(filters, initial=0))]
        self._histograms = [histogram.empty(n) for n in filters]
        self._measure = Measure([(math.prod(shape[:-1]), shape[-1]) for shape in shapes], self._histograms)
        self._likeness = [Likeness(n) if 1 < n <= likeness.MOST_FILTERS else None for n in filters]
        self._moments = Moments.none(self._total)
        self._frames, self._active, self._broken = np.zeros((3, self._total), np.int64)
        self._peaks = Peaks(self._total, keep, apart)

    def add(self, maps: Sequence[Floats], record: int) -> None:
        """Takes in the maps of one frame, float32."""
        tables = [np.ascontiguousarray(array.reshape(-1, array.shape[-1])) for array in maps]
        broken = self._repaired(tables)
        moments, places = self._measure(tables, self._moments.mean if self._frames.any() else None)
        for table, compared in zip(tables, self._likeness, strict=True):
            if compared is not None:
                compared.add(table)
        if broken is not None:
            moments = moments.without(broken)
            self._broken += broken
        self._frames += moments.count > 0
        self._active += moments.nonzero > 0
        self._moments.merge(moments)
        self._peaks.add(moments.high, record, places)

    def _repaired(self, tables: list[Floats]) -> Bools | None:
        """Puts zeros for filters with a value that is not finite, and says which; None where there are none."""
        with np.errstate(all="ignore"):
            suspect = [i for i, table in enumerate(tables) if not math.isfinite(table.sum())]
        if not suspect:
            return None
        broken: Bools = np.zeros(self._total, np.bool_)
        for i in suspect:
            broken[self._parts[i]] = here = ~np.isfinite(tables[i]).all(0)
            tables[i] = np.where(here, np.float32(0), tables[i])
        return broken

    def in_use(self) -> set[int]:
        """The records that are among the peaks, or may come to be."""
        return self._peaks.in_use()

    def figures(self) -> list[Figures]:
        """What was gathered of each layer so far; more can be added afterwards."""
        peaks = self._peaks.settled()
        return [
            Figures(
                lengths=shape[:-1],
                moments=self._moments.part(part),
                histograms=histograms,
                frames=self._frames[part],
                active=self._active[part],
                broken=self._broken[part],
                peaks=peaks.part(part),
                likeness=compared,
            )
            for shape, part, histograms, compared in zip(
                self._shapes, self._parts, self._histograms, self._likeness, strict=True
            )
        ]
