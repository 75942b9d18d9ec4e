"""A bar from the middle of a box, to the left or to the right, as steering and throttle are shown."""

from __future__ import annotations

from PIL import ImageDraw

from fastact.views.colors import PLOT, RGB, RULE


def gauge(draw: ImageDraw.ImageDraw, value: float, box: tuple[int, int, int, int], color: RGB) -> None:
    """Draws a value from -1 to 1 into a box (left, top, right, bottom), whose middle line stands out by two pixels."""
    left, top, right, bottom = box
    middle = (left + right) // 2
    reach = middle + round(clipped(value) * ((right - left) // 2))
    draw.rectangle(box, fill=PLOT)
    draw.rectangle((min(middle, reach), top, max(middle, reach), bottom), fill=color)
    draw.line((middle, top - 2, middle, bottom + 2), fill=RULE)


def clipped(value: float) -> float:
    """The value, or the nearer of -1 and 1 beyond them; 0 for NaN."""
    return max(-1.0, min(1.0, value if value == value else 0.0))
