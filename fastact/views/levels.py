"""From values to colours: extremes, flat filters, what is not a number, and the place on the colour scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastact.errors import InputError
from fastact.views.colors import BAD_ENTRY, COLORS
from fastact.views.style import Style

Maps = NDArray[np.float32]
Entries = NDArray[np.uint16]


@dataclass(frozen=True)
class Levels:
    """What a layer's values are, and which of them the ends of the colour scale stand for.

    `low` and `high` are each filter's extremes among its finite values, float64 (C,), NaN where it has none.
    `start` and `end` are the ends of the colour scale, float64 (C,). `flat` tells filters with one single
    value at all positions, `bad` counts values that are NaN or infinite, `values` counts all.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    flat: NDArray[np.bool_]
    bad: NDArray[np.int64]
    values: int
    words: str

    @property
    def lowest(self) -> float:
        """The layer's smallest finite value; NaN where it has none."""
        return float(np.fmin.reduce(self.low))

    @property
    def highest(self) -> float:
        """The layer's largest finite value; NaN where it has none."""
        return float(np.fmax.reduce(self.high))

    @property
    def dead(self) -> int:
        """How many filters are zero at all positions."""
        return int(np.count_nonzero(self.flat & (self.low == 0)))

    def of(self, filters: NDArray[np.intp]) -> Levels:
        """The levels of some of the filters, on the scale of all."""
        return Levels(
            self.low[filters],
            self.high[filters],
            self.start[filters],
            self.end[filters],
            self.flat[filters],
            self.bad[filters],
            self.values,
            self.words,
        )


def as_maps(maps: NDArray[np.generic]) -> Maps:
    """The maps as float32, the type feature maps have.

    Raises `InputError` for an array without values or of a type that is not real numbers.
    """
    array = np.asarray(maps)
    if array.size == 0:
        raise InputError(f"feature maps of shape {array.shape} have no values to draw")
    if array.dtype.kind not in "biuf":
        raise InputError(f"feature maps are real numbers, but this array holds {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def measure(values: Maps, style: Style, *, alone: bool = False) -> Levels:
    """The levels of (..., C) values.

    `alone` says that a filter has too few values for a range of its own (a dense layer's vector), so that
    "channel" means the whole layer.
    """
    flat_values = values.reshape(-1, values.shape[-1])
    finite = np.isfinite(flat_values)
    bad = np.count_nonzero(~finite, axis=0)
    if bad.any():
        low = np.where(finite, flat_values, np.inf).min(axis=0).astype(np.float64)
        high = np.where(finite, flat_values, -np.inf).max(axis=0).astype(np.float64)
        nothing = low > high
        low[nothing] = high[nothing] = np.nan
    else:
        low = flat_values.min(axis=0).astype(np.float64)
        high = flat_values.max(axis=0).astype(np.float64)
    flat = (low == high) & (bad == 0) & (len(flat_values) > 1)
    if style.normalization == "channel" and not alone:
        start, end, words = low, high, "Each filter is stretched over its own minimum to maximum."
    else:
        start, end, words = _shared(flat_values[finite] if bad.any() else flat_values, style)
        start, end = (np.full(low.shape, x) for x in (start, end))
    return Levels(low, high, start, end, flat, bad, values.size, words)


def _shared(finite: Maps, style: Style) -> tuple[float, float, str]:
    """The ends of one colour scale for all filters, and the words for them."""
    if finite.size == 0:
        return np.nan, np.nan, "No value is a finite number."
    least, most = float(finite.min()), float(finite.max())
    if style.normalization != "percentile":
        return least, most, "One scale for the whole layer, from its minimum to its maximum."
    names = " and ".join(percentile_names(style.percentile))
    start, end = (float(x) for x in np.percentile(finite.astype(np.float64), style.percentile))
    if start == end:
        return (
            least,
            most,
            f"The layer's {names} percentile are equal ({start:.3g}), so the scale runs from its minimum to "
            "its maximum.",
        )
    return (
        start,
        end,
        f"One scale between the layer's {names} percentile; values beyond are clipped (they reach from "
        f"{least:.3g} to {most:.3g}).",
    )


def percentile_names(percentile: tuple[float, float]) -> tuple[str, str]:
    """Two percentiles in words: "1st", "99th"."""
    return _ordinal(percentile[0]), _ordinal(percentile[1])


def _ordinal(percentile: float) -> str:
    if percentile != int(percentile):
        return f"{percentile:g}th"
    n = int(percentile)
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def shrink(values: Maps, down: int, across: int) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """(T, H, W, C) values averaged over blocks `down` high and `across` wide, those at the edge smaller;
    and which blocks hold a value that is not a finite number, so that averaging hides none."""
    bad = ~np.isfinite(values)
    if down == across == 1:
        return values, bad
    _, height, width, _ = values.shape
    ys, xs = np.arange(0, height, down), np.arange(0, width, across)
    with np.errstate(invalid="ignore"):
        sums = np.add.reduceat(np.add.reduceat(values, ys, axis=1, dtype=np.float64), xs, axis=2)
    rows = np.diff(np.append(ys, height))
    columns = np.diff(np.append(xs, width))
    bad = np.logical_or.reduceat(np.logical_or.reduceat(bad, ys, axis=1), xs, axis=2)
    return sums / (rows[:, None, None] * columns[:, None]), bad


def entries(values: NDArray[np.floating], bad: NDArray[np.bool_], levels: Levels) -> Entries:
    """The colour table's entry for each of (..., C) values: floor(256 (x - start) / (end - start)), the ends
    clipped to 0 and 255, and `BAD_ENTRY` where `bad`."""
    span = levels.end - levels.start
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        place = np.subtract(values, levels.start, dtype=np.float64)
        # Divided before multiplied: the smallest spans float32 knows would make COLORS / span infinite.
        place /= np.where(span > 0, span, 1.0)
        place *= COLORS
        np.clip(place, 0, COLORS - 1, out=place)
        place[bad | np.isnan(place)] = BAD_ENTRY
    numbers: Entries = place.astype(np.uint16)
    return numbers
