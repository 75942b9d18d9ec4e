"""The figures as CSV."""

from __future__ import annotations

import csv
import io

from fastact.stats.result import FilterStatistics, Statistics

_COLUMNS = (
    *("layer", "filter", "verdict", "frames", "active_frames", "broken_frames", "values"),
    *("mean", "deviation", "zeros", "minimum", "maximum", "twin", "correlation"),
    *("peak_record", "peak_value", "peak_cell"),
)


def to_csv(statistics: Statistics) -> str:
    """A row a filter under a row of names (RFC 4180, lines ending in a line feed); floats to six digits.

    Of the peaks there is the highest; histograms and the other peaks are in the JSON alone.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for layer in statistics.layers:
        rows.writerows([layer.name, *_row(f)] for f in layer.filters)
    return text.getvalue()


def _row(f: FilterStatistics) -> list[object]:
    figures = map(_six, (f.mean, f.deviation, f.zeros, f.minimum, f.maximum))
    row: list[object] = [f.index, f.verdict, f.frames, f.active_frames, f.broken_frames, f.values, *figures]
    row += [f.twin.filter, _six(f.twin.correlation)] if f.twin else ["", ""]
    if not f.peaks:
        return [*row, "", "", ""]
    peak = f.peaks[0]
    return [*row, peak.record, _six(peak.value), "x".join(map(str, peak.cell))]


def _six(value: float) -> str:
    return f"{value:.6g}"
