"""Words on pictures: measured before they are drawn, so that none is cut off or lies on another."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from fastact.views.colors import RGB

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

ELLIPSIS = "…"
# What Pillow's built-in font draws beyond ASCII; everything else would come out as the same empty box.
_GLYPHS = frozenset("…·°")


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    """Pillow's built-in font at a size in pixels."""
    return ImageFont.load_default(size)


def line_height(size: int) -> int:
    """The distance between two lines of text, in pixels."""
    return math.ceil(size * 1.4)


def clean(text: str) -> str:
    """The text in characters that the font has: accents dropped, white space as spaces, others as "?"."""
    out = []
    for char in text:
        if " " <= char <= "~" or char in _GLYPHS:
            out.append(char)
        elif char.isspace():
            out.append(" ")
        else:
            plain = [c for c in unicodedata.normalize("NFKD", char) if " " <= c <= "~"]
            out.append("".join(plain) or "?")
    return "".join(out)


def text_width(text: str, size: int) -> int:
    """Pixels that a line of clean text takes."""
    return math.ceil(font(size).getlength(text))


def shorten(text: str, size: int, width: int) -> str:
    """The clean text, with its middle left out where it is wider than `width` pixels.

    The middle goes first because names in a model differ at their ends ("block_12_expand", "tower/conv_7").
    """
    text = clean(text)
    if text_width(text, size) <= width:
        return text
    fits, too_many = 0, len(text)
    while too_many - fits > 1:
        keep = (fits + too_many) // 2
        if text_width(_without_middle(text, keep), size) <= width:
            fits = keep
        else:
            too_many = keep
    return _without_middle(text, fits)


def _without_middle(text: str, keep: int) -> str:
    head = (keep + 1) // 2
    tail = keep - head
    return text[:head] + ELLIPSIS + (text[-tail:] if tail else "")


def wrap(text: str, size: int, width: int) -> list[str]:
    """The clean text in lines of at most `width` pixels; a word that is wider loses its middle."""
    lines: list[str] = []
    line = ""
    for word in clean(text).split():
        word = shorten(word, size, width)
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines


def write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, fill: RGB, anchor: str = "la"
) -> None:
    """Draw one line of clean text; `anchor` is Pillow's (first letter: left, middle, right)."""
    draw.text(at, text, font=font(size), fill=fill, anchor=anchor)


def numbers(values: Sequence[float]) -> list[str]:
    """Numbers for a scale: three significant digits, or as many more as tell neighbours apart, up to nine."""
    wanted = len(set(values))
    for digits in range(3, 10):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == wanted:
            break
    return ["0" if text == "-0" else text for text in texts]


def number(value: float) -> str:
    """One number in three significant digits; NaN as "NaN"."""
    return "NaN" if math.isnan(value) else numbers([value])[0]


def count(n: int, noun: str) -> str:
    """The number with thousands separated, and the noun in its number: "1 filter", "1,280 values"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
