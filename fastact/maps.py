"""Feature maps: what comes out for a frame."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from fastact.kernels.ops import Floats

if TYPE_CHECKING:
    from PIL import Image

    from fastact.views import Style

_ROWS_IN_A_NOTEBOOK = 40


class FeatureMaps(Mapping[str, Floats]):
    """The maps of one frame by layer name, each (H, W, C) float32, channels last, as Keras gives it without batch axis.

    Attributes:
        missing: layers that were asked for and cannot be computed, each with the reason.
        home: for the extractor that gave them: what computes into them, and their block's address.
    """

    def __init__(
        self, arrays: Mapping[str, Floats], missing: Mapping[str, str], home: tuple[object, int] | None = None
    ) -> None:
        self._arrays = dict(arrays)
        self.missing = dict(missing)
        self.home = home

    def __getitem__(self, name: str) -> Floats:
        try:
            return self._arrays[name]
        except KeyError:
            if name in self.missing:
                raise KeyError(f"{name!r} is not computed: {self.missing[name]}") from None
            raise KeyError(f"there is no map {name!r}; there are {', '.join(self._arrays)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        lines = [f"    {name!r}: {'x'.join(map(str, a.shape))}" for name, a in self.items()]
        lines += [f"    {name!r}: not computed: {why}" for name, why in self.missing.items()]
        return "\n".join([f"FeatureMaps of {len(self)} layers:", *lines])

    def mosaic(self, name: str, style: Style | None = None) -> Image.Image:
        """One picture of all filters of a layer; see :func:`fastact.views.mosaic`.

        Raises:
            KeyError: there is no map of that name.
            InputError: an unknown colour map, or a map without values.
        """
        from fastact.views import mosaic  # Pillow is loaded only where something is drawn

        return mosaic(self[name], name=name, style=style)

    def _repr_html_(self) -> str:
        """What a notebook shows: a line a layer, with its first filters."""
        shown = list(self.items())[:_ROWS_IN_A_NOTEBOOK]
        rows = [_row(name, array) for name, array in shown]
        if len(shown) < len(self):
            rows.append(f"<tr><td colspan=4>and {len(self) - len(shown)} more layers</td></tr>")
        rows += [
            f"<tr><td>{html.escape(name)}</td><td colspan=3>not computed: {html.escape(why)}</td></tr>"
            for name, why in self.missing.items()
        ]
        head = "".join(f"<th style='text-align:left'>{word}</th>" for word in ("layer", "shape", "values", "filters"))
        caption = f"Feature maps of {len(self)} layers, each filter stretched over its own values"
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{''.join(rows)}</table>"

    def copy(self) -> FeatureMaps:
        """The same maps in memory of their own: what `stream` gives is overwritten by its next frame."""
        return FeatureMaps({name: np.array(a) for name, a in self.items()}, self.missing)


def _row(name: str, array: Floats) -> str:
    """A layer as a row of a table, its first filters as a picture in a data address."""
    from fastact.views import strip

    shape = " × ".join(map(str, array.shape))
    if not array.size:
        return f"<tr><td>{html.escape(name)}</td><td>{shape}</td><td></td><td></td></tr>"
    stored, finite = BytesIO(), array[np.isfinite(array)]
    strip(array).quantize(256).save(stored, "PNG", optimize=True)
    address = "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode("ascii")
    span = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "none finite"
    picture = f"<img src='{address}' alt='The first filters' style='max-width:none;image-rendering:pixelated'>"
    return f"<tr><td>{html.escape(name)}</td><td>{shape}</td><td>{span}</td><td>{picture}</td></tr>"
