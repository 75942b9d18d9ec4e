"""The frames of a film: the camera's picture, what the network saw in it, and the steering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastact.errors import InputError
from fastact.film.pixels import cover, enlarge
from fastact.film.steering import LEAST_HEIGHT, LEAST_WIDTH, Panel, Words, draw_commands
from fastact.film.watching import Film, Scales, Seen
from fastact.views.colors import PAGE, color_table
from fastact.views.live import LARGEST_SIDE, Mosaic
from fastact.views.overlay import COLORMAP
from fastact.views.style import Style
from fastact.views.text import number

Pixels = npt.NDArray[np.uint8]

StyleName = Literal["mosaic", "overlay", "saliency"]
STYLES: tuple[str, ...] = get_args(StyleName)

_MOSAIC_PICTURE, _PICTURE = 480, 640
"""Pixels that a picture is about wide without a scale given."""
_PANEL = 240


@dataclass(frozen=True)
class Look:
    """How a film looks.

    Attributes:
        scale: pixels of the film, each way, for one of the camera's picture; None for a picture about 640 wide, or 480
            beside a mosaic.
        fps: frames a second.
        driver: whether the driver's steering is drawn over the picture, too, as `donkey makemovie` does it.
        colormap: a name from cmap's catalogue; None for viridis in mosaics and inferno over pictures.
    """

    scale: int | None = None
    fps: Fraction = Fraction(20)
    driver: bool = False
    colormap: str | None = None


@dataclass(frozen=True)
class Scene:
    """Makes frames of one size: uint8 (height, width, 3), each in memory of its own."""

    width: int
    height: int
    draw: Callable[[Seen], Pixels]


def scene_for(film: Film, look: Look, first: Seen, scales: Scales, title: str) -> Scene:
    """The scene of a film whose first frame is `first`.

    Raises:
        InputError: the film would be too large, or the colour map is unknown.
    """
    rows, columns = first.shot.picture.shape[:2]
    wanted = _MOSAIC_PICTURE if film.style == "mosaic" else _PICTURE
    scale = look.scale or max(1, round(wanted / columns))
    if max(rows, columns) * scale * 3 > LARGEST_SIDE:
        raise InputError(
            f"a picture of {columns}x{rows} at --scale {scale} makes too large a film: choose a smaller one"
        )
    size = columns * scale, rows * scale
    color_table(look.colormap or COLORMAP)
    return (_beside if film.style == "mosaic" else _below)(film, look, first, scales, size, title)


def _beside(film: Film, look: Look, first: Seen, scales: Scales, size: tuple[int, int], title: str) -> Scene:
    """The picture with the panel below it at the left, the mosaic at the right, in the proportions of a screen."""
    width, picture_height = size
    width = max(width, LEAST_WIDTH)
    whole = width * 8 // 3
    width, whole = width + width % 2, whole + whole % 2
    height = _even(max(picture_height + LEAST_HEIGHT, whole * 9 // 16))
    colormap = look.colormap or Style.colormap
    shapes = {name: maps.shape for name, maps in first.maps.items()}
    mosaic = Mosaic(shapes, width=whole - width, height=height, colormap=colormap, ranges=scales.layers)
    words = Words(title, "Each layer has one scale, the same for the whole film.", ("least", "largest"), colormap)
    panel = Panel(width, height - picture_height, words, pilot=film.steers, fps=float(look.fps))
    page = _page(whole, height, panel)

    def draw(seen: Seen) -> Pixels:
        frame: Pixels = page.copy()
        _draw_picture(frame[:picture_height, :width], seen.shot.picture, seen, look, size)
        panel.draw(frame[picture_height:, :width], seen.shot.record.index, (seen.driver, seen.pilot))
        frame[:, width:] = mosaic(seen.maps)
        return frame

    return Scene(whole, height, draw)


def _below(film: Film, look: Look, first: Seen, scales: Scales, size: tuple[int, int], title: str) -> Scene:
    """The picture with the mask over it, and the panel below."""
    width, picture_height = _even(max(size[0], LEAST_WIDTH)), size[1]
    height = _even(picture_height + (_PANEL if size[0] >= 2 * LEAST_WIDTH else LEAST_HEIGHT))
    colormap = look.colormap or COLORMAP
    low, high = scales.strength
    words = Words(title, f"{film.subject}; one scale for the whole film.", (number(low), number(high)), colormap)
    panel = Panel(width, height - picture_height, words, pilot=film.steers, fps=float(look.fps))
    page = _page(width, height, panel)

    def draw(seen: Seen) -> Pixels:
        assert seen.strength is not None
        span = high - low if high > low else 1.0
        mask = (seen.strength - np.float32(low)) * np.float32(1 / span)
        # Before it is enlarged: there are fewer pixels, and one sees no difference.
        covered = cover(seen.shot.picture, mask, colormap)
        frame: Pixels = page.copy()
        _draw_picture(frame[:picture_height], covered, seen, look, size)
        panel.draw(frame[picture_height:], seen.shot.record.index, (seen.driver, seen.pilot))
        return frame

    return Scene(width, height, draw)


def _page(width: int, height: int, panel: Panel) -> Pixels:
    """What is the same on all frames: the panel at the lower left, the rest empty."""
    page = np.empty((height, width, 3), np.uint8)
    page[:] = PAGE
    page[height - len(panel.page) :, : panel.page.shape[1]] = panel.page
    return page


def _draw_picture(room: Pixels, picture: Pixels, seen: Seen, look: Look, size: tuple[int, int]) -> None:
    """Draws a picture at some size, width and height, into the middle of its room, and the steering over it."""
    left = (room.shape[1] - size[0]) // 2
    into = room[:, left : left + size[0]]
    times = size[0] // picture.shape[1]
    if times > 1 and (picture.shape[1] * times, picture.shape[0] * times) == size:
        enlarge(picture, times, into)
    elif picture.shape == into.shape:
        into[:] = picture
    else:  # a record that is not like the first
        into[:] = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    driver = seen.driver.angle if look.driver and seen.driver else None
    draw_commands(into, driver, seen.pilot.angle if seen.pilot else None)


def _even(n: int) -> int:
    return n + n % 2
