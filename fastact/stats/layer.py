"""One layer's statistics from what was gathered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from fastact.cost import Sight
from fastact.fields import Field
from fastact.layers import Shape
from fastact.stats import histogram, likeness
from fastact.stats.gather import Figures
from fastact.stats.moments import Counts, Moments
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


def describe(about: About, gathered: Figures) -> LayerStatistics:
    """A layer's statistics from what was gathered of it."""
    bins, counts = _in_use(gathered.histograms)
    verdicts, peaks = _verdicts(gathered.moments), _found(about, gathered)
    twins, duplicates, compared = _alike(gathered)
    filters = tuple(
        FilterStatistics(
            index=i,
            frames=int(gathered.frames[i]),
            broken_frames=int(gathered.broken[i]),
            active_frames=int(gathered.active[i]),
            **_figures(gathered.moments, i),
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
        edges=tuple(map(float, histogram.edges()[bins.start : bins.stop + 1])) if filters[0].histogram else (),
        filters=filters,
        duplicates=duplicates,
        compared=compared,
    )


def _verdicts(m: Moments) -> list[Verdict]:
    """See docs/stats.md for what the words mean and where they come from."""
    dead = m.low == m.high
    moving = m.deviation[~dead & (m.count > 1)]
    little = HARDLY_MOVES * (np.median(moving) if len(moving) else 0.0)
    nearly = (m.nonzero <= (1 - NEARLY_ALL_ZERO) * m.count) | (m.deviation < little)
    words = np.where(dead, "dead", np.where(nearly, "nearly dead", "alive"))
    return [*np.where(m.count < 2, "unknown", words).tolist()]


def _alike(gathered: Figures) -> tuple[list[Twin | None], tuple[Duplicates, ...], int]:
    """Each filter's twin, the groups of duplicates, and over how many values."""
    if gathered.likeness is None:
        return [None] * len(gathered.frames), (), 0
    found = gathered.likeness.correlations(gathered.broken > 0)
    size = np.nan_to_num(np.abs(found.matrix), nan=-1.0)
    twins = [
        Twin(j, float(found.matrix[i, j])) if size[i, j] >= 0 else None for i, j in enumerate(size.argmax(1).tolist())
    ]
    groups = tuple(
        Duplicates(group, (1.0, *(float(found.matrix[group[0], other]) for other in group[1:])))
        for group in likeness.groups(found)
    )
    return twins, groups, found.values


def _found(about: About, gathered: Figures) -> Iterator[tuple[Peak, ...]]:
    """Each filter's peaks."""
    peaks = gathered.peaks
    for i, kept in enumerate(peaks.above(gathered.moments.low)):
        found = []
        for k in np.flatnonzero(kept):
            record = int(peaks.records[i, k])
            cell = tuple(map(int, np.unravel_index(peaks.places[i, k], gathered.lengths))) if gathered.lengths else ()
            field = about.field.rectangle(cell[-2], cell[-1]) if about.field and len(cell) > 1 else None
            found.append(Peak(float(peaks.values[i, k]), record, about.images.get(record, ""), cell, field))
        yield tuple(found)


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
