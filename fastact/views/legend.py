"""What stands around the maps: the colour scale and the words that explain the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan

import numpy as np
from PIL import Image, ImageDraw

from fastact.views.colors import BAD, COLORS, DIM, FAINT, PAGE, RULE, Pixels, color_table, hatch
from fastact.views.levels import Levels
from fastact.views.style import Style
from fastact.views.text import count, line_height, numbers, text_width, wrap, write

BAR_WIDTH = 300
SWATCH = 14
_NOTE = 13
_TICK = 12
_BAR = 12
_SPACE = 32
_LEAST_NOTES = 360


@dataclass(frozen=True)
class Note:
    """A line of explanation, with a patch of the pattern that it explains."""

    text: str
    swatch: Pixels | None = None


def flat_note(levels: Levels) -> list[Note]:
    """How many filters are flat, if any."""
    flat, dead = int(np.count_nonzero(levels.flat)), levels.dead
    if not flat:
        return []
    kind = "" if not dead else ": zero everywhere" if dead == flat else f", {dead} of them zero everywhere"
    text = f"{flat} of {count(len(levels.flat), 'filter')} flat for this frame{kind}."
    return [Note(text, hatch(SWATCH, SWATCH))]


def bad_note(levels: Levels, noun: str) -> list[Note]:
    """How many values are not finite numbers, if any."""
    bad = int(levels.bad.sum())
    if not bad:
        return []
    where = ""
    if noun == "filter":
        where = f" in {np.count_nonzero(levels.bad)} of {count(len(levels.bad), 'filter')}"
    text = f"{bad:,} of {count(levels.values, 'value')} NaN or infinite{where}."
    return [Note(text, np.full((SWATCH, SWATCH, 3), BAD, np.uint8))]


def scale_ticks(levels: Levels, style: Style, *, own: bool) -> list[str]:
    """What stands below the colour scale, from its left end to its right: numbers where all maps share it,
    words where each has its own; nothing where there is a single value, or none, and so no scale."""
    if own:
        return ["each filter's minimum", "its maximum"]
    start, end = float(levels.start[0]), float(levels.end[0])
    if isnan(start) or levels.values == 1:
        return []
    if start == end:
        return numbers([start])
    return numbers([start + (end - start) * i / 4 for i in range(5)])


def legend(ticks: Sequence[str], notes: Sequence[Note], style: Style, width: int) -> Image.Image:
    """The colour scale, none where there are no ticks, and the notes: beside it where the width allows, else
    below it."""
    bar_height = _BAR + 5 + line_height(_TICK)
    beside = bool(ticks) and width - BAR_WIDTH - _SPACE >= _LEAST_NOTES
    left = BAR_WIDTH + _SPACE if beside else 0
    top = bar_height + 10 if ticks and not beside else 0
    lines = _lines(notes, width - left)
    high = top + len(lines) * line_height(_NOTE)
    image = Image.new("RGB", (width, max(high, bar_height if ticks else 1)), PAGE)
    if ticks:
        _draw_scale(image, ticks, style)
    draw = ImageDraw.Draw(image)
    for text, swatch, indent in lines:
        if swatch is not None:
            image.paste(Image.fromarray(swatch), (left, top + 1))
        write(draw, (left + indent, top), text, _NOTE, FAINT)
        top += line_height(_NOTE)
    return image


def _draw_scale(image: Image.Image, ticks: Sequence[str], style: Style) -> None:
    """The colours with the ticks below; ticks between the ends give way where they have no room."""
    rows = color_table(style.colormap)[np.arange(BAR_WIDTH) * COLORS // BAR_WIDTH]
    image.paste(Image.fromarray(np.broadcast_to(rows, (_BAR, BAR_WIDTH, 3)).copy()), (0, 0))
    draw = ImageDraw.Draw(image)
    last = max(len(ticks) - 1, 1)
    places = [((BAR_WIDTH - 1) * i / last, i / last, text) for i, text in enumerate(ticks)]
    while len(places) > 2 and not _apart(places):
        places = places[::2] if len(places) % 2 else [places[0], places[-1]]
    for x, part, text in places:
        draw.line([(x, _BAR), (x, _BAR + 3)], fill=RULE)
        write(draw, (x, _BAR + 5), text, _TICK, DIM, "la" if part == 0 else "ra" if part == 1 else "ma")


def _apart(places: Sequence[tuple[float, float, str]]) -> bool:
    """Whether texts that are aligned left, in the middle and right along the scale leave each other room."""
    middles = {0.0: 0.0, 1.0: 1.0}
    edges = [
        (x - text_width(text, _TICK) * middles.get(part, 0.5), text_width(text, _TICK)) for x, part, text in places
    ]
    return all(b - (a + width) >= 8 for (a, width), (b, _) in pairwise(edges))


def _lines(notes: Sequence[Note], width: int) -> list[tuple[str, Pixels | None, int]]:
    """The notes in lines that fit the width: text, the swatch of a note's first line, indent."""
    lines: list[tuple[str, Pixels | None, int]] = []
    for note in notes:
        indent = 0 if note.swatch is None else SWATCH + 8
        for i, text in enumerate(wrap(note.text, _NOTE, width - indent)):
            lines.append((text, note.swatch if i == 0 else None, indent))
    return lines
