"""A picture that holds a few words, for where a picture is expected and there is nothing to draw."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from fastact.views.colors import DIM, PAGE, TEXT, Pixels
from fastact.views.text import line_height, shorten, wrap, write

_TITLE = 22
_TEXT = 16
_MARGIN = 24


def notice(title: str, text: str, *, width: int, height: int) -> Pixels:
    """A page with a heading and wrapped text below it, uint8 (height, width, 3); what has no room is left out."""
    image = Image.new("RGB", (width, height), PAGE)
    draw = ImageDraw.Draw(image)
    room = max(width - 2 * _MARGIN, 1)
    lines = wrap(text, _TEXT, room)
    top = max(_MARGIN, (height - line_height(_TITLE) - len(lines) * line_height(_TEXT)) // 2)
    write(draw, (_MARGIN, top), shorten(title, _TITLE, room), _TITLE, TEXT)
    top += line_height(_TITLE) + 4
    for line in lines:
        write(draw, (_MARGIN, top), line, _TEXT, DIM)
        top += line_height(_TEXT)
    return np.array(image)
