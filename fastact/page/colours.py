"""The colour maps that the page offers, as tables and in words."""

from __future__ import annotations

import base64

from fastact.page.columns import Data
from fastact.views import color_table

OFFERED = {
    "viridis": ("dark violet", "yellow"),
    "cividis": ("dark blue", "yellow"),
    "magma": ("black", "pale yellow"),
    "gray": ("black", "white"),
    "matplotlib:coolwarm": ("blue", "red"),
}
"""Names from cmap's catalogue, and the colours at the ends of each in words. The first is readable by people with any
kind of colour blindness."""


def colour_maps(name: str | None) -> list[Data]:
    """The tables, that of `name` first; raises InputError where cmap's catalogue has no such name."""
    names = dict.fromkeys([*([name] if name else []), *OFFERED])
    return [_described(each) for each in names]


def _described(name: str) -> Data:
    low, high = OFFERED.get(name, ("the left end of the scale", "the right end"))
    table = base64.b64encode(color_table(name).tobytes()).decode("ascii")
    return {"name": name.rpartition(":")[2], "table": table, "low": low, "high": high}
