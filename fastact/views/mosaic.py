"""One picture of one layer: its name, every filter, and a colour scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastact.views.bars import sequence_panel, vector_panel
from fastact.views.colors import DIM, PAGE, RGB, TEXT
from fastact.views.grid import Room
from fastact.views.legend import Note, bad_note, flat_note, legend, scale_ticks
from fastact.views.levels import as_maps
from fastact.views.panel import Panel, maps_panel
from fastact.views.style import Style
from fastact.views.text import clean, line_height, shorten, wrap, write

_MARGIN = 28
_NAME = 24
_SHAPE = 15
_LEAST_WIDTH = 520
_BOX = Room(1320, 1040)
_LONGEST_SIDE = 4000
# Pixels beside and below a grid: margins and numbers of lines; heading and legend.
_BESIDE = 2 * _MARGIN + 70
_BELOW = 360


def layer_panel(
    maps: NDArray[np.generic],
    style: Style,
    box: Room,
    limit: Room,
    *,
    page: RGB,
    at_most: int | None = None,
) -> Panel:
    """A layer's maps drawn as their rank asks for; see `mosaic` for the ranks."""
    values = as_maps(maps)
    if values.ndim <= 1 or values.size == values.shape[-1]:
        return vector_panel(values, style, box, page=page)
    if values.ndim == 2:
        return sequence_panel(values, style, box, page=page)
    return maps_panel(values, style, box, limit, page=page, at_most=at_most)


def mosaic(
    maps: NDArray[np.generic], *, name: str, style: Style | None = None, caption: Sequence[str] = ()
) -> Image.Image:
    """One picture of all filters of one layer.

    Args:
        maps: the layer's values without the batch axis, real numbers, drawn as float32. (H, W, C): a grid of
            C maps, read line by line. (..., H, W, C): the same once for each step of the leading axes.
            (C,), or any shape with a single position: bars. (T, C): one line of colours a step.
        name: the layer's name; its middle is left out where it is too long, accents and characters beyond
            the font are replaced. The picture's metadata keeps it whole.
        style: colours, normalization and sizes.
        caption: sentences to add below the picture, such as the frame's name.

    Returns:
        An RGB picture of at most `style.max_pixels` pixels (a caption of many lines aside). Its `info` has
        the metadata that `save_png` writes.

    Raises:
        InputError: no values, values that are not real numbers, or an unknown colour map.
    """
    style = style or Style()
    limit = Room(_LONGEST_SIDE, _LONGEST_SIDE, style.max_pixels, _BESIDE, _BELOW, narrowest=_LEAST_WIDTH)
    panel = layer_panel(maps, style, _BOX, limit, page=PAGE)
    own = style.normalization == "channel" and len(panel.levels.low) > 1
    width = max(_LEAST_WIDTH, panel.image.width)
    size = " (width x height)" if panel.noun == "filter" else ""
    facts = wrap(f"{panel.shape}{size} · {panel.span}", _SHAPE, width)
    head = line_height(_NAME) + 4 + len(facts) * line_height(_SHAPE) + 16
    foot = legend(scale_ticks(panel.levels, style, own=own), _notes(panel, name, caption), style, width)
    top = _MARGIN + head + panel.image.height + 22
    image = Image.new("RGB", (width + 2 * _MARGIN, top + foot.height + _MARGIN - 6), PAGE)
    draw = ImageDraw.Draw(image)
    write(draw, (_MARGIN, _MARGIN - 4), shorten(name, _NAME, width), _NAME, TEXT)
    for i, fact in enumerate(facts):
        y = _MARGIN + line_height(_NAME) + 4 + i * line_height(_SHAPE)
        write(draw, (_MARGIN, y), fact, _SHAPE, DIM)
    image.paste(panel.image, (_MARGIN, _MARGIN + head))
    image.paste(foot, (_MARGIN, top))
    image.info = {
        "Title": name,
        "Layer": name,
        "Shape": " x ".join(map(str, np.shape(maps))) or "1",
        "Normalization": style.normalization,
        "Colormap": style.colormap,
    }
    return image


def _notes(panel: Panel, name: str, caption: Sequence[str]) -> list[Note]:
    """What the patterns, the colours and the sizes mean."""
    shown = f"Shown: {panel.subset}." if panel.subset else ""
    words = "" if panel.levels.values == 1 else panel.levels.words
    texts = [text for text in (shown, words, panel.how, panel.labels, *caption) if text]
    if clean(name) != name:
        texts.append("The name has characters that this font lacks; the picture's metadata has it whole.")
    return [*flat_note(panel.levels), *bad_note(panel.levels, panel.noun), *map(Note, texts)]
