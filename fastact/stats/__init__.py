"""What many frames say about a network's filters: figures of every filter in one pass and constant memory.

    collector = Collector(extract)
    for frame in frames:
        collector.add(extract(frame))
    statistics = collector.result()

`docs/stats.md` defines every figure; `fastact.lap` feeds a tub.
"""

from fastact.stats.collector import Collector
from fastact.stats.result import (
    Duplicates,
    FilterStatistics,
    LayerStatistics,
    Peak,
    Statistics,
    Twin,
    Verdict,
)
from fastact.stats.spreadsheet import to_csv

__all__ = [
    "Collector",
    "Duplicates",
    "FilterStatistics",
    "LayerStatistics",
    "Peak",
    "Statistics",
    "Twin",
    "Verdict",
    "to_csv",
]
