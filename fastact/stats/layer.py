"""One layer's figures, gathered map by map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from fastact.cost import Sight
from fastact.fields import Field
from fastact.layers import Shape
from fastact.stats import likeness
from fastact.stats.histogram import Histograms, edges
from fastact.stats.likeness import Likeness
from fastact.stats.moments import Bools, Counts, Floats, Measure, Moments
from fastact.stats.peaks import Peaks
from fastact.stats.result import Duplicates, FilterStatistics, LayerStatistics, Peak, Twin, Verdict

NEARLY_ALL_ZERO = 0.999
"""A filter with this share of zeros or more is nearly dead."""
HARDLY_MOVES = 1e-3
"""So is one that deviates less than this times the median deviation of its layer's filters that are not dead."""


@dataclass(frozen=True)
class About:
    """What is known of a layer apart from its maps.

    Attributes:
        name, class_name, shape, sight: as :class:`LayerStatistics` has them.
        field: where each cell's receptive field lies.
        images: paths of the pictures of records among the peaks.
    """

    name: str
    class_name: str
    shape: Shape
    sight: Sight | None
    field: Field | None
    images: Mapping[int, str]


class Layer:
    """Gathers the figures of one layer's maps, all of one shape (..., filters).

    What it keeps has a size that the numbers of filters and of peaks decide, whatever the number of frames.
    """

    def __init__(self, shape: tuple[int, ...], keep: int, apart: int) -> None:
        *self._lengths, filters = shape
        self._moments = Moments.none(filters)
        self._measure = Measure(filters)
        self._histograms = Histograms(filters)
        self._likeness = Likeness(filters) if 1 < filters <= likeness.MOST_FILTERS else None
        self._frames: Counts = np.zeros(filters, np.int64)
        self._active: Counts = np.zeros(filters, np.int64)
        self._broken: Counts = np.zeros(filters, np.int64)
        self.peaks = Peaks(filters, keep, apart)

    def add(self, values: Floats, record: int) -> None:
        """Takes in the map of one frame, float32."""
        table = np.ascontiguousarray(values.reshape(-1, values.shape[-1]))
        broken = _broken(table)
        if broken is not None:
            table = np.where(broken, np.float32(0), table)
        moments, places = self._measure(table)
        self._histograms.add(table, moments.count - moments.nonzero, float(moments.low.min()))
        if self._likeness is not None:
            self._likeness.add(table)
        if broken is not None:
            moments = moments.without(broken)
            self._broken += broken
        self._frames += moments.count > 0
        self._active += moments.nonzero > 0
        self._moments.merge(moments)
        self.peaks.add(moments.high, record, places)

    def result(self, about: About) -> LayerStatistics:
        """The figures so far."""
        bins, counts = _in_use(self._histograms.counts())
        verdicts, peaks = self._verdicts(), self._found(about)
        twins, duplicates, compared = self._alike()
        filters = tuple(
            FilterStatistics(
                index=i,
                frames=int(self._frames[i]),
                broken_frames=int(self._broken[i]),
                active_frames=int(self._active[i]),
                **_figures(self._moments, i),
                histogram=tuple(map(int, counts[i])),
                verdict=verdicts[i],
                twin=twins[i],
                peaks=next(peaks),
            )
            for i in range(len(counts))
        )
        return LayerStatistics(
            name=about.name,
            class_name=about.class_name,
            shape=about.shape,
            sight=about.sight,
            edges=tuple(map(float, edges()[bins.start : bins.stop + 1])) if filters[0].histogram else (),
            filters=filters,
            duplicates=duplicates,
            compared=compared,
        )

    def _verdicts(self) -> list[Verdict]:
        """See docs/stats.md for what the words mean and where they come from."""
        m = self._moments
        dead = m.low == m.high
        moving = m.deviation[~dead & (m.count > 1)]
        little = HARDLY_MOVES * (np.median(moving) if len(moving) else 0.0)
        nearly = (m.nonzero <= (1 - NEARLY_ALL_ZERO) * m.count) | (m.deviation < little)
        words = np.where(dead, "dead", np.where(nearly, "nearly dead", "alive"))
        return [*np.where(m.count < 2, "unknown", words).tolist()]

    def _alike(self) -> tuple[list[Twin | None], tuple[Duplicates, ...], int]:
        """Each filter's twin, the groups of duplicates, and over how many values."""
        if self._likeness is None:
            return [None] * len(self._frames), (), 0
        found = self._likeness.correlations(self._broken > 0)
        size = np.nan_to_num(np.abs(found.matrix), nan=-1.0)
        twins = [
            Twin(j, float(found.matrix[i, j])) if size[i, j] >= 0 else None
            for i, j in enumerate(size.argmax(1).tolist())
        ]
        groups = tuple(
            Duplicates(group, (1.0, *(float(found.matrix[group[0], other]) for other in group[1:])))
            for group in likeness.groups(found)
        )
        return twins, groups, found.values

    def _found(self, about: About) -> Iterator[tuple[Peak, ...]]:
        """Each filter's peaks."""
        peaks = self.peaks.settled()
        for i, kept in enumerate(peaks.above(self._moments.low)):
            found = []
            for k in np.flatnonzero(kept):
                record = int(peaks.records[i, k])
                cell = tuple(map(int, np.unravel_index(peaks.places[i, k], self._lengths))) if self._lengths else ()
                field = about.field.rectangle(cell[-2], cell[-1]) if about.field and len(cell) > 1 else None
                found.append(Peak(float(peaks.values[i, k]), record, about.images.get(record, ""), cell, field))
            yield tuple(found)


def _broken(table: Floats) -> Bools | None:
    """The filters with a value that is not finite; None where there are none, which takes no second look."""
    with np.errstate(all="ignore"):
        if np.isfinite(table.sum()):
            return None
    broken: Bools = np.logical_not(np.isfinite(table).all(0))
    return broken if broken.any() else None


class _Figures(TypedDict):
    values: int
    mean: float
    deviation: float
    zeros: float
    minimum: float
    maximum: float


def _figures(moments: Moments, i: int) -> _Figures:
    """All 0 of no values."""
    count = int(moments.count[i])
    return _Figures(
        values=count,
        mean=float(moments.mean[i]),
        deviation=float(moments.deviation[i]),
        zeros=(count - int(moments.nonzero[i])) / count if count else 0.0,
        minimum=float(moments.low[i]) if count else 0.0,
        maximum=float(moments.high[i]) if count else 0.0,
    )


def _in_use(counts: Counts) -> tuple[slice, Counts]:
    """The bins from the first to the last that any filter has a value in."""
    used = np.flatnonzero(counts.any(0))
    bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
    return bins, counts[:, bins]
