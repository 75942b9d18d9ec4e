"""All layers' figures, gathered frame by frame."""

from __future__ import annotations

import os
from collections.abc import Mapping

from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.fields import Field, receptive_fields
from fastact.maps import FeatureMaps
from fastact.stats.gather import Gatherer
from fastact.stats.layer import About, describe
from fastact.stats.result import Statistics

PEAKS = 5
"""Peaks kept for each filter."""
APART = 10
"""Frames that two of a filter's peaks are apart at least: half a second of a car's 20 Hz."""

_FORGET_AT = 4096


class Collector:
    """Gathers what frames say about the filters of an extractor's layers, in memory that does not grow with them.

    Args:
        extract: the extractor that gives the maps. Where its model leaves the size of the input open, all frames
            have to be of one size.
        peaks: how many of the frames that excite a filter most are kept, from 1 to 100.
        apart: how many frames two of them are apart at least, from 1 up.
    """

    def __init__(self, extract: Extractor, *, peaks: int = PEAKS, apart: int = APART) -> None:
        if not 1 <= peaks <= 100 or apart < 1:
            raise InputError(f"a filter has 1 to 100 peaks, and 1 or more frames apart, not {peaks} and {apart}")
        self._model, self._peaks, self._apart = extract.model, peaks, apart
        self._names: tuple[str, ...] = ()
        self._gatherer: Gatherer | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._fields: Mapping[str, Field | None] = {}
        self._missing: Mapping[str, str] = {}
        self._images: dict[int, str] = {}
        self._forget_at = _FORGET_AT
        self.frames = 0
        self.first = self.last = -1

    def add(self, maps: FeatureMaps, record: int | None = None, image: str = "") -> None:
        """Takes in the maps of one frame, which may be overwritten afterwards.

        Args:
            maps: what the extractor gave.
            record: the frame's number; its place in the stream where there is none.
            image: what :attr:`Peak.image` is to say of it.

        Raises:
            InputError: maps of other layers or shapes than those of the frames before.
        """
        record = self.frames if record is None else record
        gatherer = self._gatherer or self._begin(maps)
        if {name: array.shape for name, array in maps.items()} != self._shapes:
            raise InputError(
                "the frames are not of one size, and statistics are over one: give it with --input WIDTHxHEIGHT"
            )
        gatherer.add([self._model.as_pictures_have(maps[name]) for name in self._names], record)
        if image:
            self._images[record] = image
            self._forget(gatherer)
        self.first = self.first if self.frames else record
        self.last = record
        self.frames += 1

    def _begin(self, maps: FeatureMaps) -> Gatherer:
        self._missing = dict(maps.missing)
        self._fields = receptive_fields(self._model)
        self._shapes = {name: array.shape for name, array in maps.items()}
        self._names = tuple(name for name, array in maps.items() if array.size)
        shapes = [self._model.as_pictures_have(maps[name]).shape for name in self._names]
        if not shapes:
            raise InputError("none of the layers has a value to make statistics of: choose others")
        self._gatherer = Gatherer(shapes, self._peaks, self._apart)
        return self._gatherer

    def _forget(self, gatherer: Gatherer) -> None:
        """Drops the paths of pictures that no peak is in."""
        if len(self._images) < self._forget_at:
            return
        wanted = gatherer.in_use()
        self._images = {record: image for record, image in self._images.items() if record in wanted}
        self._forget_at = 2 * len(self._images) + _FORGET_AT

    def result(self, *, damaged: int = 0, complete: bool = True) -> Statistics:
        """The figures of all frames so far; more can be added afterwards.

        Args:
            damaged: records of a tub that had to be left out.
            complete: whether these are all frames that were to be looked at.

        Raises:
            InputError: there has been no frame.
        """
        if self._gatherer is None:
            raise InputError("there is no frame to make statistics of")
        model = self._model
        return Statistics(
            model=os.path.basename(model.source),  # noqa: PTH119 - a name out of a string
            model_sha256=model.identity,
            frames=self.frames,
            first=self.first,
            last=self.last,
            damaged=damaged,
            complete=complete,
            layers=tuple(map(describe, map(self._about, self._names), self._gatherer.figures())),
            missing=self._missing,
        )

    def _about(self, name: str) -> About:
        model = self._model
        cost = model.costs.get(name)
        sight = None if cost is None else cost.sight
        return About(
            name, model.layers[name].class_name, self._shapes[name], sight, self._fields.get(name), self._images
        )
