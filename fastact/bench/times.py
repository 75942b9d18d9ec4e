"""Times of runs and what they come to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_FAR = 0.2
"""Of the median: where half of the runs lie within a hundredth, one that takes a tenth more is not far above them."""


@dataclass(frozen=True)
class Times:
    """Seconds of every run, in the order they were made, and what they come to.

    Attributes:
        low, high: the quartiles.
        slowest_tenth: what 9 of 10 runs do not exceed.
        outliers: those more than three times the quartiles' distance, and more than a fifth of the median, above the
            upper one; they are in `runs`, too.
    """

    runs: tuple[float, ...]
    median: float
    low: float
    high: float
    slowest_tenth: float
    outliers: tuple[float, ...]

    @classmethod
    def of(cls, runs: Sequence[float]) -> Times:
        """From one run or more."""
        ordered = sorted(runs)
        low, high = quantile(ordered, 0.25), quantile(ordered, 0.75)
        median = statistics.median(ordered)
        far = high + max(3 * (high - low), _FAR * median)
        outliers = tuple(t for t in runs if t > far)
        return cls(tuple(runs), median, low, high, quantile(ordered, 0.9), outliers)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which `part` of the sorted values lie, between two of them by proportion."""
    place = part * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def median_error(values: Sequence[float], deviations: float = 1.96) -> float:
    """Half the width of the median's interval, as a part of it, by order statistics; 95 % for 1.96 `deviations`."""
    ordered, count = sorted(values), len(values)
    half = deviations * math.sqrt(count) / 2
    low, high = max(0, math.floor(count / 2 - half)), min(count - 1, math.ceil(count / 2 + half))
    return (ordered[high] - ordered[low]) / 2 / statistics.median(ordered)


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The slope of a straight line through the logarithms, by least squares; None for fewer than three points."""
    if len({x for x, _ in points}) < 3 or any(v <= 0 for point in points for v in point):
        return None
    return statistics.linear_regression(*zip(*((math.log(x), math.log(y)) for x, y in points), strict=True)).slope
