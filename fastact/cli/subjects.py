"""What a page is made of: models, each with what feeds it."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastact.cli.feeding import Feed, Feeder, NamedFile
from fastact.cli.laps import lap_of
from fastact.cli.options import say
from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.frames import decode, fit
from fastact.graph import Model
from fastact.kernels.records import dataclass

if TYPE_CHECKING:
    from fastact.donkey.camera import Camera
    from fastact.page.columns import Column, Fed
    from fastact.page.telling import Pass

TRIED = 20
"""Runs of a tub's pictures looked at for the first that can be read."""


@dataclass(frozen=True)
class Subject:
    """A model at one size, with what feeds it and what computes its maps."""

    label: str
    model: Model
    feeder: Feeder | None
    extract: Extractor | None

    def column(self, number: int) -> Column:
        """The page's column for one of the feeder's runs."""
        from fastact.page.columns import Column

        if self.feeder is None or self.extract is None:
            return Column(self.label, self.model, {})
        feed = self.feeder.feed(self.feeder.runs[number])
        maps = self.extract(feed.inputs)
        drawn = {name: self.model.as_pictures_have(array) for name, array in maps.items()}
        return Column(self.label, self.model, drawn, _fed(feed))


def columns_of(subjects: Sequence[Subject], number: int) -> list[Column]:
    """The page's columns for one run of the feeders."""
    return [subject.column(number) for subject in subjects]


def first_readable(subjects: Sequence[Subject]) -> tuple[int, list[Column]]:
    """The first run that every subject can read, by its number, and its columns; one that is not the first is named.

    Raises InputError where none of the first few can be read.
    """
    last = min([TRIED, *(len(s.feeder.runs) for s in subjects if s.feeder is not None)]) - 1
    number = 0
    while True:
        try:
            columns = columns_of(subjects, number)
            break
        except InputError:
            if number == last:
                raise
        number += 1
    if number and columns[0].fed is not None:
        say(f"fastact: shown is {columns[0].fed.title}, the first of the tub that can be read")
    return number, columns


def pass_of(
    subject: Subject, tub: str, arrays: Sequence[NamedFile], limit: int | None, camera: Camera | None
) -> Pass | None:
    """A subject's way through a tub, for statistics; None where it computes nothing."""
    from fastact.page.telling import Pass

    if subject.extract is None:
        return None
    lap = lap_of(subject.model, tub, arrays, 0, None, camera, limit)

    def picture(image: str) -> npt.NDArray[np.uint8]:
        taken = decode(lap.tub.path / image)
        return taken if camera is None else fit(camera(taken, (None, None, None)).frame, (None, None, 3)).frame

    return Pass(subject.extract, lap, picture)


def _fed(feed: Feed) -> Fed:
    from fastact.page.columns import Fed

    shown = feed.shown
    if shown is not None and shown.dtype.kind == "f":
        shown = np.rint(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)
    return Fed(", ".join(feed.files), shown, feed.notes)


def open_browser(address: str) -> None:
    """Opens an address in the system's browser; says so where there is none."""
    if not webbrowser.open(address):
        say(f"fastact: no browser was found to open it: open {address}")
