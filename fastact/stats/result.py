"""The figures as data, and as JSON. `docs/stats.md` defines each of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from fastact.cost import Sight
from fastact.layers import Shape

FORMAT = "fastact statistics 1"
"""What the JSON says it is; the number rises when a reader of the last one would misread it."""

Verdict: TypeAlias = Literal["alive", "nearly dead", "dead", "unknown"]


@dataclass(frozen=True)
class Peak:
    """One of the places that excite a filter most.

    Attributes:
        value: the largest value of the filter's map in that frame.
        record: the frame: its number in the tub, or its place in the stream where there is no tub.
        image: path of its picture, relative to the tub; empty where there is none.
        cell: where in the map: (row, column), with the step in time or the plane before them where there is one, and
            () for a dense unit.
        field: the receptive field of that cell in pixels of the model's input: top, left, bottom, right, the last two
            exclusive, cut off at the picture's sides; None where it is all of the picture or not known.
    """

    value: float
    record: int
    image: str
    cell: tuple[int, ...]
    field: tuple[int, int, int, int] | None


@dataclass(frozen=True)
class Twin:
    """The filter of the same layer that is most like another, and the correlation of the two, -1 to 1."""

    filter: int
    correlation: float


@dataclass(frozen=True)
class FilterStatistics:
    """One filter over all frames.

    Attributes:
        index: its number among the layer's filters, from 0.
        frames: frames behind the figures.
        broken_frames: frames left out since its map holds a value that is not finite.
        active_frames: frames in which any of its values is not zero.
        values: numbers behind the figures, frames times places of the map; where there are none, the figures are 0.
        mean, deviation: of all values; the deviation divides by their count.
        zeros: share of values that are exactly zero, 0 to 1.
        minimum, maximum: of all values.
        histogram: counts of the values other than zero, between the layer's `edges`.
        verdict: whether it is dead; "unknown" of fewer than two values.
        twin: None where no correlation can be said.
        peaks: the highest first; none where the filter never rises above its least value.
    """

    index: int
    frames: int
    broken_frames: int
    active_frames: int
    values: int
    mean: float
    deviation: float
    zeros: float
    minimum: float
    maximum: float
    histogram: tuple[int, ...]
    verdict: Verdict
    twin: Twin | None
    peaks: tuple[Peak, ...]


@dataclass(frozen=True)
class Duplicates:
    """Filters that say the same: each is alike, or opposite, to the first of them.

    Attributes:
        filters: their numbers, ascending.
        correlations: of each with the first, which has 1.
    """

    filters: tuple[int, ...]
    correlations: tuple[float, ...]


@dataclass(frozen=True)
class LayerStatistics:
    """One layer over all frames.

    Attributes:
        name, class_name: the layer's, as the model has them.
        shape: of its map.
        sight: its receptive field; None where that is all of the input, or not known.
        edges: of the histograms' bins, ascending, one more than counts; -inf and inf at open ends. They reach as far
            as any of the layer's filters has values.
        filters: in order.
        duplicates: groups of filters that say the same.
        compared: values of each filter that correlations are over; 0 where they were not looked for.
    """

    name: str
    class_name: str
    shape: Shape
    sight: Sight | None
    edges: tuple[float, ...]
    filters: tuple[FilterStatistics, ...]
    duplicates: tuple[Duplicates, ...]
    compared: int

    def having(self, verdict: Verdict) -> tuple[int, ...]:
        """The numbers of the filters with a verdict."""
        return tuple(f.index for f in self.filters if f.verdict == verdict)


@dataclass(frozen=True)
class Statistics:
    """A model's filters over many frames.

    Attributes:
        model: its file's name.
        model_sha256: of the file, hexadecimal.
        frames: how many stand behind the figures.
        first, last: the first and the last frame's record number.
        damaged: records of the tub that were left out since they or their pictures could not be read.
        complete: False where the pass was ended early.
        layers: in the model's order.
        missing: layers that were asked for and cannot be computed, each with the reason.
    """

    model: str
    model_sha256: str
    frames: int
    first: int
    last: int
    damaged: int
    complete: bool
    layers: tuple[LayerStatistics, ...]
    missing: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """What :meth:`to_json` writes."""
        return {
            "format": FORMAT,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "frames": self.frames,
            "first_record": self.first,
            "last_record": self.last,
            "damaged_records": self.damaged,
            "complete": self.complete,
            "layers": [_layer(layer) for layer in self.layers],
            "not_computed": dict(self.missing),
        }

    def to_json(self, indent: int | None = None) -> str:
        """The figures as JSON, floats to six digits; `docs/stats.md` has the shape."""
        return json.dumps(self.as_dict(), indent=indent, allow_nan=False)


def _layer(layer: LayerStatistics) -> dict[str, Any]:
    sight = layer.sight
    return {
        "name": layer.name,
        "class": layer.class_name,
        "shape": list(layer.shape),
        "receptive_field": sight and {"size": list(map(float, sight.size)), "jump": list(map(float, sight.jump))},
        "edges": [x if math.isfinite(x) else None for x in layer.edges],
        "compared": layer.compared,
        "duplicates": [
            {"filters": list(d.filters), "correlations": list(map(_six, d.correlations))} for d in layer.duplicates
        ],
        "filters": [_filter(f) for f in layer.filters],
    }


def _filter(f: FilterStatistics) -> dict[str, Any]:
    return {
        "index": f.index,
        "verdict": f.verdict,
        "frames": f.frames,
        "broken_frames": f.broken_frames,
        "active_frames": f.active_frames,
        "values": f.values,
        "mean": _six(f.mean),
        "deviation": _six(f.deviation),
        "zeros": _six(f.zeros),
        "minimum": _six(f.minimum),
        "maximum": _six(f.maximum),
        "histogram": list(f.histogram),
        "twin": f.twin and {"filter": f.twin.filter, "correlation": _six(f.twin.correlation)},
        "peaks": [
            {
                "value": _six(p.value),
                "record": p.record,
                "image": p.image,
                "cell": list(p.cell),
                "field": p.field and list(p.field),
            }
            for p in f.peaks
        ],
    }


def _six(value: float) -> float:
    return float(f"{value:.6g}")
