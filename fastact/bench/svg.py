"""Parts of plots: inline SVG in the classes of the page's style sheet, so that they follow its light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 960
NAME, BAR, GAP = 190, 13, 12
"""Pixels: of a column of names, a bar's height, and between groups of bars."""


@dataclass(frozen=True)
class Plot:
    """An SVG with its title and a sentence on how to read it."""

    title: str
    svg: str
    reading: str


def svg(height: float, label: str, parts: Sequence[str]) -> str:
    """The parts as one drawing; `label` says what it is to whoever cannot see it."""
    body = "\n".join(parts)
    name = escape(label, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}">\n{body}\n</svg>'


def text(x: float, y: float, said: str, anchor: str = "start", kind: str = "") -> str:
    """A text at its baseline."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(said)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line of a class of the style sheet."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def bar(x: float, y: float, width: float, kind: str, title: str) -> str:
    """A bar from its upper left corner, at least a pixel wide."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR}" class="{kind}">'
        f"<title>{escape(title)}</title></rect>"
    )


def dot(x: float, y: float, kind: str, title: str) -> str:
    """A dot around its middle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="{kind}"><title>{escape(title)}</title></circle>'


def short(name: str, most: int = 26) -> str:
    """A name of at most about `most` characters, its middle left out."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}...{name[-(most // 2 - 2) :]}"


def color(number: int) -> str:
    """The style sheet's class for a size, by its place."""
    return f"c{number % 6}"
