"""What a page is made of: models, each with what feeds it."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

import numpy as np

from fastact.cli.feeding import Feed, Feeder
from fastact.cli.options import say
from fastact.extractor import Extractor
from fastact.graph import Model
from fastact.kernels.records import dataclass

if TYPE_CHECKING:
    from fastact.page.columns import Column, Fed


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
