"""The frames and places that excite each filter most."""

from __future__ import annotations

import numpy as np

from fastact.stats.moments import Bools, Counts, Doubles


class Peaks:
    """For each filter its largest values, one a frame at most, and no two less than `apart` frames from each other.

    Frames of a drive are much like those before them: without that, one place would be there five times. A frame whose
    value is high waits; it gives way to a higher one less than `apart` frames later, and is kept when there is none.
    """

    def __init__(self, filters: int, keep: int, apart: int) -> None:
        self._apart = apart
        self._frame = 0
        self.values: Doubles = np.full((filters, keep), -np.inf)
        self.records: Counts = np.full((filters, keep), -1)
        self.places: Counts = np.full((filters, keep), -1)
        self._value: Doubles = np.full(filters, -np.inf)  # what waits: the value, its frame, record and place
        self._since: Counts = np.full(filters, -1)
        self._record: Counts = np.full(filters, -1)
        self._place: Counts = np.full(filters, -1)

    def add(self, values: Doubles, record: int, places: Counts) -> None:
        """Takes in the largest value of each filter's map in the frame `record`, and where in the map it is."""
        waited = self._frame - self._since >= self._apart
        self._keep(waited & (self._value > self.values[:, -1]))
        (taken,) = np.nonzero(waited | (values > self._value))
        self._value[taken] = values[taken]
        self._place[taken] = places[taken]
        self._record[taken] = record
        self._since[taken] = self._frame
        self._frame += 1

    def _keep(self, which: Bools) -> None:
        """Puts what waits among the largest, for the filters where it belongs there."""
        (rows,) = np.nonzero(which)
        if not len(rows):
            return
        for kept, new in ((self.values, self._value), (self.records, self._record), (self.places, self._place)):
            kept[rows, -1] = new[rows]
        order = np.argsort(-self.values[rows], axis=1, kind="stable")
        for kept in (self.values, self.records, self.places):
            kept[rows] = kept[rows[:, np.newaxis], order]

    def settled(self) -> Peaks:
        """The same with what waits put in; more frames can still be added to this one."""
        filters, keep = self.values.shape
        copy = Peaks(filters, keep, self._apart)
        copy.values, copy.records, copy.places = self.values.copy(), self.records.copy(), self.places.copy()
        copy._value, copy._record, copy._place = self._value, self._record, self._place
        copy._keep(self._value > self.values[:, -1])
        return copy

    def part(self, filters: slice) -> Peaks:
        """Those of some filters."""
        part = Peaks(0, self.values.shape[1], self._apart)
        part.values, part.records, part.places = self.values[filters], self.records[filters], self.places[filters]
        return part

    def in_use(self) -> set[int]:
        """The records that are among the peaks or may come to be."""
        return {*np.unique(self.records).tolist(), *np.unique(self._record).tolist()}

    def above(self, low: Doubles) -> Bools:
        """Which of the kept values are there and lie above `low`, the filter's least value, (filters, keep)."""
        found: Bools = (self.records >= 0) & (self.values > low[:, np.newaxis])
        return found
