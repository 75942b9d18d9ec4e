"""Feature maps as a table for a notebook."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from io import BytesIO

import numpy as np
import numpy.typing as npt

from fastact.views.strip import strip

_MOST_ROWS = 40


def table(maps: Mapping[str, npt.NDArray[np.float32]], missing: Mapping[str, str]) -> str:
    """HTML that stands by itself: a line a layer with its shape, its values and its first filters.

    Args:
        maps: by layer name; of more than 40 the rest are counted.
        missing: layers that could not be computed, each with the reason.
    """
    rows = [_row(name, maps[name]) for name in list(maps)[:_MOST_ROWS]]
    if len(rows) < len(maps):
        rows.append(f"<tr><td colspan=4>and {len(maps) - len(rows)} more layers</td></tr>")
    rows += [
        f"<tr><td>{html.escape(name)}</td><td colspan=3>not computed: {html.escape(why)}</td></tr>"
        for name, why in missing.items()
    ]
    head = "".join(f"<th style='text-align:left'>{word}</th>" for word in ("layer", "shape", "values", "filters"))
    caption = f"Feature maps of {len(maps)} layers, each filter stretched over its own values"
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{''.join(rows)}</table>"


def _row(name: str, array: npt.NDArray[np.float32]) -> str:
    """A layer as a row of a table, its first filters as a picture in a data address."""
    shape = " × ".join(map(str, array.shape))
    if not array.size:
        return f"<tr><td>{html.escape(name)}</td><td>{shape}</td><td></td><td></td></tr>"
    stored, finite = BytesIO(), array[np.isfinite(array)]
    strip(array).quantize(256).save(stored, "PNG", optimize=True)
    address = "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode("ascii")
    span = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "none finite"
    picture = f"<img src='{address}' alt='The first filters' style='max-width:none;image-rendering:pixelated'>"
    return f"<tr><td>{html.escape(name)}</td><td>{shape}</td><td>{span}</td><td>{picture}</td></tr>"
