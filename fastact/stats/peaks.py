"""The frames and places that excite each filter most."""

from __future__ import annotations

import numpy as np

from fastact.stats.moments import Bools, Counts, Doubles


class Peaks:
    """For each filter its largest values, one a frame at most, and one at most of each `apart` frames in a row.

    Frames of a drive are much like those before them: without that, the places would be one place five times. The
    stream is cut into stretches of `apart` frames; the largest value of a stretch stands for it.
    """

    def __init__(self, filters: int, keep: int, apart: int) -> None:
        self._apart = apart
        self._seen = 0
        self.values: Doubles = np.full((filters, keep), -np.inf)
        self.records: Counts = np.full((filters, keep), -1)
        self.places: Counts = np.full((filters, keep), -1)
        self._begin()

    def _begin(self) -> None:
        filters = len(self.values)
        self._value = np.full(filters, -np.inf)
        self._record = np.full(filters, -1)
        self._place = np.full(filters, -1)

    def add(self, values: Doubles, record: int, places: Counts) -> None:
        """Takes in the largest value of each filter's map in the frame `record`, and where in the map it is."""
        higher = values > self._value
        self._value[higher] = values[higher]
        self._record[higher] = record
        self._place[higher] = places[higher]
        self._seen += 1
        if self._seen % self._apart == 0:
            self._settle()

    def _settle(self) -> None:
        """Puts the stretch's largest values among those kept."""
        (rows,) = np.nonzero(self._value > self.values[:, -1])
        for kept, new in ((self.values, self._value), (self.records, self._record), (self.places, self._place)):
            kept[rows, -1] = new[rows]
        order = np.argsort(-self.values[rows], axis=1, kind="stable")
        for kept in (self.values, self.records, self.places):
            kept[rows] = np.take_along_axis(kept[rows], order, 1)
        self._begin()

    def settled(self) -> Peaks:
        """The same with the stretch that is under way put in; more frames can still be added to this one."""
        filters, keep = self.values.shape
        copy = Peaks(filters, keep, self._apart)
        copy.values, copy.records, copy.places = self.values.copy(), self.records.copy(), self.places.copy()
        copy._value, copy._record, copy._place = self._value, self._record, self._place
        copy._settle()
        return copy

    def in_use(self) -> set[int]:
        """The records that are among the peaks or may come to be."""
        return {*map(int, np.unique(self.records)), *map(int, np.unique(self._record))}

    def above(self, low: Doubles) -> Bools:
        """Which of the kept values are there and lie above `low`, the filter's least value, (filters, keep)."""
        found: Bools = (self.records >= 0) & (self.values > low[:, np.newaxis])
        return found
