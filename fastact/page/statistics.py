"""What many frames say of the filters, as the page shows it: figures in words, histograms, thumbnails of peaks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastact.errors import FastactError
from fastact.page.columns import Data
from fastact.stats import FilterStatistics, LayerStatistics, Peak, Statistics

THUMBNAILS = 4
"""Peaks shown of a filter."""

MOST_PICTURES = 600
"""Pictures that thumbnails are made of, all together: those of the first peaks come first."""

_WIDTH = 160


@dataclass(frozen=True)
class Told:
    """Statistics, and what lies behind a peak.

    Attributes:
        statistics: the figures.
        picture: from the path that a peak has to the picture, uint8 (H, W, 3).
        frame: from that path to the number of the frame, where the page is served.
    """

    statistics: Statistics
    picture: Callable[[str], npt.NDArray[np.uint8]]
    frame: Callable[[str], int | None] | None = None

    def as_data(self, size: tuple[int, int] | None) -> Data:
        """Plain data for the page; `size` (rows, columns) is that of the input, in whose pixels fields are."""
        statistics = self.statistics
        return {
            "frames": statistics.frames,
            "words": in_words(statistics),
            "size": size,
            "layers": {layer.name: _layer(layer, statistics.frames) for layer in statistics.layers},
            "pictures": self._thumbnails(),
            "places": self._places(),
        }

    def _images(self) -> list[tuple[int, str]]:
        """Records with the paths of their pictures, those of each filter's first peaks before the others."""
        images = {peak.record: peak.image for peak in _by_rank(self.statistics.layers) if peak.image}
        return list(images.items())[:MOST_PICTURES]

    def _places(self) -> dict[str, int]:
        """The numbers of frames by record."""
        if self.frame is None:
            return {}
        found = {str(record): self.frame(image) for record, image in self._images()}
        return {record: number for record, number in found.items() if number is not None}

    def _thumbnails(self) -> dict[str, str]:
        """Small pictures in data addresses by record."""
        made: dict[str, str] = {}
        for record, image in self._images():
            try:
                made[str(record)] = _thumbnail(self.picture(image))
            except FastactError:  # it could be read a moment ago
                continue
        return made


def _by_rank(layers: Iterable[LayerStatistics]) -> list[Peak]:
    ranked = [(rank, p) for x in layers for f in x.filters for rank, p in enumerate(f.peaks[:THUMBNAILS])]
    return [peak for _, peak in sorted(ranked, key=lambda pair: pair[0])]


def _thumbnail(picture: npt.NDArray[np.uint8]) -> str:
    image, stored = Image.fromarray(picture), BytesIO()
    if image.width > _WIDTH:
        image = image.resize((_WIDTH, max(1, round(image.height * _WIDTH / image.width))), Image.Resampling.LANCZOS)
    image.save(stored, "JPEG", quality=70, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stored.getvalue()).decode("ascii")


def in_words(statistics: Statistics) -> str:
    """How many frames stand behind all of it."""
    what = f"{_many(statistics.frames, 'frame')} of the tub, records {statistics.first} to {statistics.last}"
    left = f"; {_many(statistics.damaged, 'damaged record')} left out" if statistics.damaged else ""
    so_far = " so far" if not statistics.complete else ""
    return f"Statistics are over {what}{so_far}{left}."


def _layer(layer: LayerStatistics, frames: int) -> Data:
    said = []
    for verdict in ("dead", "nearly dead"):
        filters = layer.having(verdict)
        if filters:
            said.append(f"{_many(len(filters), 'filter')} {verdict}: {_listed(filters)}")
    if layer.duplicates:
        said.append("alike: " + "; ".join(_listed(group.filters) for group in layer.duplicates))
    finite = [edge for edge in layer.edges if np.isfinite(edge)]
    return {
        "words": f"Over {_many(frames, 'frame')}: {', '.join(said) or 'no filter dead, none alike'}.",
        "ends": [f"{finite[0]:.3g}", f"{finite[-1]:.3g}"] if finite else None,
        "filters": [_filter(f) for f in layer.filters],
    }


def _filter(f: FilterStatistics) -> Data:
    return {
        "verdict": f.verdict,
        "words": _figures(f),
        "histogram": list(f.histogram),
        "peaks": [_peak(peak) for peak in f.peaks[:THUMBNAILS]],
    }


def _figures(f: FilterStatistics) -> str:
    said = [
        f"mean {f.mean:.4g}", f"deviation {f.deviation:.4g}", f"{f.zeros:.1%} zeros",
        f"from {f.minimum:.4g} to {f.maximum:.4g}", f"not all zero in {f.active_frames:,} of {f.frames:,} frames",
    ]  # fmt: skip
    if f.broken_frames:
        said.append(f"{_many(f.broken_frames, 'frame')} left out, with values that are no numbers")
    if f.twin:
        said.append(f"most like filter {f.twin.filter} (correlation {f.twin.correlation:+.2f})")
    verdict = {"dead": f"Dead in all {f.frames:,} frames: ", "nearly dead": "Nearly dead: "}.get(f.verdict, "")
    return verdict + ", ".join(said)


def _peak(peak: Peak) -> dict[str, Any]:
    return {"value": f"{peak.value:.4g}", "record": peak.record, "field": peak.field}


def _listed(numbers: Iterable[int]) -> str:
    listed = [str(n) for n in numbers]
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
