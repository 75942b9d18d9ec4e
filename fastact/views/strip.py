"""A layer at a glance: its first filters side by side, small enough for a line of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastact.views.colors import painter_table
from fastact.views.levels import as_maps, entries, measure
from fastact.views.style import Style

_GAP = 3


def strip(maps: NDArray[np.generic], *, filters: int = 10, height: int = 56, style: Style | None = None) -> Image.Image:
    """The first `filters` of a layer in one row, each stretched over its own values as `style` says.

    Args:
        maps: values without the batch axis, real numbers, channels last: (H, W, C); of (..., H, W, C) the last step
            is shown; (C,) and (T, C) as cells of colour.
        filters: at most so many.
        height: of the picture in pixels, at least 1; cells are enlarged by a whole number, or left out evenly.
        style: colours and normalization.

    Returns:
        An RGBA picture, transparent between the maps.

    Raises:
        InputError: no values, or values that are not real numbers; an unknown colour map.
    """
    style, values = style or Style(), as_maps(maps)
    if values.ndim >= 3:
        values = values.reshape(-1, *values.shape[-3:])[-1, ..., :filters]
    else:
        values = values.reshape(-1, values.shape[-1] if values.ndim else 1)[..., None]
    levels = measure(values, style)
    places = entries(values, ~np.isfinite(values), levels)
    planes = [_sized(painter_table(style.colormap)[places[..., n]], height) for n in range(places.shape[-1])]
    width = sum(plane.shape[1] for plane in planes) + _GAP * (len(planes) - 1)
    image = Image.new("RGBA", (width, planes[0].shape[0]), (0, 0, 0, 0))
    left = 0
    for plane in planes:
        image.paste(Image.fromarray(plane), (left, 0))
        left += plane.shape[1] + _GAP
    return image


def _sized(pixels: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Cells enlarged by a whole number up to `height` rows, or every n-th of more; at most 640 columns."""
    rows, columns = pixels.shape[:2]
    times = max(1, min(height // rows, 640 // columns))
    step = max(1, -(-rows // height), -(-columns // 640))
    return pixels[::step, ::step].repeat(times, axis=0).repeat(times, axis=1)
