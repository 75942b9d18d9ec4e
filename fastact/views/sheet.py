"""One page a frame: the input beside what every layer makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastact.errors import InputError
from fastact.views.card import PADDING, Card, frame_card, layer_card
from fastact.views.colors import BAD, DIM, PAGE, TEXT, color_table, hatch
from fastact.views.grid import Room
from fastact.views.legend import SWATCH, Note, legend
from fastact.views.levels import percentile_names
from fastact.views.style import Style
from fastact.views.text import count, line_height, shorten, wrap, write

WIDTH = 1800
MARGIN = 40
GAP = 20
TITLE = 34
CAPTION = 16
MOST_LAYERS = 120

_INNER = WIDTH - 2 * MARGIN
_FRAME = Room(640, 480)
_VECTOR = Room(400, 170)
_FIRST_HEIGHT = 840
_FEW = 8
_GUTTER = 60
# For up to so many layers with maps: the width and height of the box for each, and the grid's proportions.
_SIZES = ((8, 796, 500, 1.8), (16, 600, 320, 1.8), (40, 480, 260, 1.7), (10**9, 330, 180, 1.7))


@dataclass(frozen=True)
class _Row:
    """Cards side by side over the page's whole width, all as high as the highest."""

    cards: tuple[Card, ...]

    @property
    def slack(self) -> int:
        """Pixels of the page's width that the cards do not need."""
        needed = sum(card.inner + 2 * PADDING for card in self.cards)
        return _INNER - needed - GAP * (len(self.cards) - 1)

    @property
    def head(self) -> int:
        """Pixels of the highest heading."""
        return max(card.head for card in self.cards)

    @property
    def height(self) -> int:
        """Pixels the row is high."""
        return self.head + max(card.image.height for card in self.cards) + 2 * PADDING

    def draw(self, page: Image.Image, top: int) -> None:
        """Draw the cards, each with its share of the slack."""
        left = MARGIN
        for i, card in enumerate(self.cards):
            share = self.slack * (i + 1) // len(self.cards) - self.slack * i // len(self.cards)
            width = card.inner + 2 * PADDING + share
            card.draw(page, (left, top), (width, self.height), self.head)
            left += width + GAP


def contact_sheet(
    frame: NDArray[np.generic] | None,
    layers: Mapping[str, NDArray[np.generic]],
    *,
    title: str,
    style: Style | None = None,
    caption: Sequence[str] = (),
) -> Image.Image:
    """One page, 1800 pixels wide: the frame, and a card for each layer.

    Args:
        frame: the input: (H, W), (H, W, 1), (H, W, 3), or (T, H, W, 1 or 3) for a sequence; uint8, or floats
            from 0 to 1. None where there is no picture: the page begins with the layers.
        layers: each layer's values by its name, of the shapes that `mosaic` takes, in the order to show.
            Layers with maps come before those with vectors. Where a layer has more filters than are legible,
            those whose values vary most (standard deviation over positions) are drawn, and the card says so.
            At most 120 layers are drawn; the page says when there are more.
        title: the page's heading.
        style: colours, normalization and columns; its sizes are for mosaics and have no effect here.
        caption: sentences below the heading, such as the model's file and the frame's.

    Returns:
        An RGB picture; its `info` has the metadata that `save_png` writes.

    Raises:
        InputError: a frame that is not a picture, a layer that `mosaic` refuses, no layer at all, or an
            unknown colour map.
    """
    style = replace(style or Style(), min_cell=1)
    color_table(style.colormap)
    if not layers:
        raise InputError("a contact sheet needs at least one layer to show")
    names = list(layers)[:MOST_LAYERS]
    maps = {name: layers[name] for name in names if not _is_vector(layers[name])}
    vectors = {name: layers[name] for name in names if _is_vector(layers[name])}
    rows = _rows(_cards(frame, maps, vectors, style))
    lines = [line for text in caption for line in wrap(text, CAPTION, _INNER)]
    head = line_height(TITLE) + len(lines) * line_height(CAPTION) + 20
    notes = _notes([card for row in rows for card in row.cards], style, len(layers))
    foot = legend(_ticks(style), notes, style, _INNER)
    height = MARGIN + head + sum(row.height + GAP for row in rows) + 10 + foot.height + MARGIN - 10
    page = Image.new("RGB", (WIDTH, height), PAGE)
    draw = ImageDraw.Draw(page)
    write(draw, (MARGIN, MARGIN - 8), shorten(title, TITLE, _INNER), TITLE, TEXT)
    top = MARGIN + line_height(TITLE)
    for line in lines:
        write(draw, (MARGIN, top), line, CAPTION, DIM)
        top += line_height(CAPTION)
    top = MARGIN + head
    for row in rows:
        row.draw(page, top)
        top += row.height + GAP
    page.paste(foot, (MARGIN, top + 10))
    page.info = {
        "Title": title,
        "Layers": ", ".join(names),
        "Normalization": style.normalization,
        "Colormap": style.colormap,
    }
    return page


def _is_vector(maps: NDArray[np.generic]) -> bool:
    return np.ndim(maps) < 3 or np.size(maps) == np.shape(maps)[-1]


def _cards(
    frame: NDArray[np.generic] | None,
    maps: dict[str, NDArray[np.generic]],
    vectors: dict[str, NDArray[np.generic]],
    style: Style,
) -> list[Card]:
    """The frame, the layers with maps, then the vectors; smaller the more there are."""
    cards = [] if frame is None else [frame_card(frame, _FRAME)]
    width, height, aspect = next(sizes for most, *sizes in _SIZES if len(maps) <= most)
    box = Room(width, height, aspect=aspect)
    beside = sum(card.inner + 2 * PADDING + GAP for card in cards)
    first = Room(_INNER - beside - 2 * PADDING, _FIRST_HEIGHT, aspect=1.8)
    # Several maps a filter: the whole width where there are few such layers, else half of it.
    broad = _INNER if len(maps) <= _FEW else (_INNER - GAP) // 2
    wide = Room(broad - 2 * PADDING - _GUTTER, 1.5 * height, aspect=2 * aspect)
    for i, (name, values) in enumerate(maps.items()):
        cards.append(layer_card(name, values, style, first if i == 0 else wide if np.ndim(values) > 3 else box))
    bars = Room(min(_VECTOR.width, box.width), _VECTOR.height)
    return cards + [layer_card(name, values, style, bars) for name, values in vectors.items()]


def _rows(cards: Sequence[Card]) -> list[_Row]:
    """The cards in their order, in the rows that make the page shortest and leave little slack."""
    best: list[tuple[float, list[_Row]]] = [(0.0, [])]
    for end in range(1, len(cards) + 1):
        choices: list[tuple[float, list[_Row]]] = []
        for start in range(end - 1, -1, -1):
            row = _Row(tuple(cards[start:end]))
            if row.slack < 0 and choices:
                break
            cost, before = best[start]
            choices.append((cost + (row.height + GAP) * _INNER + row.slack**2 / 4, [*before, row]))
        best.append(min(choices, key=lambda choice: choice[0]))
    return best[-1][1]


def _ticks(style: Style) -> list[str]:
    if style.normalization == "channel":
        return ["each filter's minimum", "its maximum"]
    if style.normalization == "layer":
        return ["each layer's minimum", "its maximum"]
    return [f"{name} percentile" for name in percentile_names(style.percentile)]


def _notes(cards: Sequence[Card], style: Style, layers: int) -> list[Note]:
    """The page's explanations, those of patterns only where they occur."""
    panels = [card.panel for card in cards if card.panel]
    low, high = percentile_names(style.percentile)
    words = {
        "channel": "Each filter is stretched over its own minimum to maximum; vectors have one scale.",
        "layer": "Each layer has one scale, from its minimum to its maximum.",
        "percentile": f"Each layer has one scale, from its {low} to its {high} percentile; values beyond are clipped.",
    }[style.normalization]
    notes = [Note(f"{words} Sizes are width x height.")]
    if any(panel.labels for panel in panels):
        notes.append(Note("Above each map: the filter's number and, where there is room, its extremes."))
    if any("most active" in panel.subset for panel in panels):
        notes.append(Note("The most active filters are those whose values vary most over the map."))
    if any(panel.levels.flat.any() for panel in panels):
        text = "Flat: the filter has one value everywhere for this frame."
        notes.append(Note(text, hatch(SWATCH, SWATCH)))
    if any(panel.levels.bad.any() for panel in panels):
        notes.append(Note("NaN or infinite.", np.full((SWATCH, SWATCH, 3), BAD, np.uint8)))
    if layers > MOST_LAYERS:
        notes.append(Note(f"The first {MOST_LAYERS} of {count(layers, 'layer')} are shown."))
    return notes
