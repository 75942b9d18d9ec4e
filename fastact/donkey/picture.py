"""What the part shows: the mosaic below the camera's picture and the steering, or a layer over the picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from fastact.donkey.engine import Engine, Seen
from fastact.donkey.settings import Settings
from fastact.donkey.transformations import Pixels
from fastact.errors import UnsupportedError
from fastact.pilots import Command
from fastact.views.colors import DIM, FAINT, PAGE, PLOT, RGB, RULE, TEXT
from fastact.views.live import Mosaic, Scale, is_map
from fastact.views.overlay import COLORMAP, blend
from fastact.views.style import Style
from fastact.views.text import count, line_height, shorten, write

_MARGIN = 8
_HEAD = 136
_NAME, _TEXT = 18, 13
_GAUGE = 14
_LEAST_GAUGE, _LARGEST_GAUGE = 60, 320
_FOOT = 56
_FILL: RGB = (94, 201, 98)
_RATE = 0.1


class View:
    """Draws what an engine saw, as the settings ask for it: uint8 (height, width, 3) for every frame."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine
        self._mosaic: tuple[Mapping[str, tuple[int, ...]], Mosaic] | None = None
        self._scale = Scale.of("overlay")
        self._seconds = 0.0

    def __call__(self, seen: Seen) -> Pixels:
        """The picture of one frame; raises FastactError where there is nothing to draw."""
        self._seconds += (seen.seconds - self._seconds) * (_RATE if self._seconds else 1.0)
        maps = {name: seen.maps[name] for name in self._engine.layers if name in seen.maps}
        if seen.saliency is not None:
            return self._overlaid(seen, seen.saliency, "VisualBackProp: where all convolutions respond")
        if self._settings.style == "overlay":
            return self._overlaid(seen, *self._mean_map(maps))
        return self._tiled(seen, maps)

    def _tiled(self, seen: Seen, maps: Mapping[str, npt.NDArray[np.float32]]) -> Pixels:
        width, height = self._settings.width, self._settings.height
        head = _HEAD if self._settings.camera else 0
        shapes = {name: array.shape for name, array in maps.items()}
        if self._mosaic is None or self._mosaic[0] != shapes:
            colormap = self._settings.colormap or Style.colormap
            self._mosaic = shapes, Mosaic(shapes, width=width, height=height - head, colormap=colormap)
        tiles = self._mosaic[1](maps)
        if not head:
            return tiles
        return np.concatenate([np.asarray(self._head(seen, width)), tiles])

    def _head(self, seen: Seen, width: int) -> Image.Image:
        """The camera's picture as the network got it, the model's name, how long it took, and the command."""
        image = Image.new("RGB", (width, _HEAD), PAGE)
        camera = _enlarged(seen.picture, width // 3, _HEAD - 2 * _MARGIN)
        image.paste(camera, (_MARGIN, _MARGIN + (_HEAD - 2 * _MARGIN - camera.height) // 2))
        left = camera.width + 3 * _MARGIN
        draw = ImageDraw.Draw(image)
        room = width - left - _MARGIN
        write(draw, (left, _MARGIN), shorten(self._engine.name, _NAME, room), _NAME, TEXT)
        spent = f"{self._seconds * 1000:.1f} ms a frame"
        write(draw, (left, _MARGIN + line_height(_NAME)), spent, _TEXT, FAINT)
        _gauges(draw, seen.command, left, _HEAD - _MARGIN - 2 * line_height(_GAUGE + 4), room)
        return image

    def _mean_map(self, maps: Mapping[str, npt.NDArray[np.float32]]) -> tuple[npt.NDArray[np.float32], str]:
        """The mean of the filters of the last layer that has maps, 0 to 1 on a running scale, and its name in words."""
        drawable = [name for name, array in maps.items() if is_map(array.shape)]
        if not drawable:
            raise UnsupportedError(
                "an overlay needs a layer with maps, which have a height, a width and channels: choose a convolution"
            )
        name = drawable[-1]
        latest = maps[name].reshape(-1, *maps[name].shape[-3:])[-1]
        words = f"{name}: mean of {count(latest.shape[-1], 'filter')}"
        return self._scale.fractions(latest.mean(axis=-1)), words

    def _overlaid(self, seen: Seen, strength: npt.NDArray[np.float32], words: str) -> Pixels:
        """The camera's picture with a map of strengths, 0 to 1, over it, and below it what it says and the command."""
        width, height = self._settings.width, self._settings.height
        image = Image.new("RGB", (width, height), PAGE)
        colormap = self._settings.colormap or COLORMAP
        # Before it is enlarged, which takes a tenth of the time.
        blended = blend(_coloured(seen.picture), strength, colormap=colormap, opacity=self._settings.opacity)
        mixed = _enlarged(blended, width, height - _FOOT)
        image.paste(mixed, ((width - mixed.width) // 2, (height - _FOOT - mixed.height) // 2))
        draw = ImageDraw.Draw(image)
        half = width // 2 - 2 * _MARGIN
        write(draw, (_MARGIN, height - _FOOT + 6), shorten(words, _TEXT, half), _TEXT, DIM)
        spent = f"{self._engine.name}, {self._seconds * 1000:.1f} ms a frame"
        write(draw, (_MARGIN, height - _FOOT + 28), shorten(spent, _TEXT, half), _TEXT, FAINT)
        _gauges(draw, seen.command, width // 2, height - _FOOT + 4, width // 2 - _MARGIN)
        return np.array(image)


def _enlarged(picture: Pixels, width: int, height: int) -> Image.Image:
    """The picture in colours, as large as fits, in its proportions."""
    image = Image.fromarray(_coloured(picture))
    ratio = min(width / image.width, height / image.height)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def _coloured(picture: Pixels) -> Pixels:
    """The picture with three channels."""
    return picture if picture.shape[-1] == 3 else np.repeat(picture, 3, axis=-1)


def _gauges(draw: ImageDraw.ImageDraw, command: Command | None, left: int, top: int, room: int) -> None:
    """Steering and throttle as bars from the middle, -1 to 1, and as numbers; nothing for no command."""
    if command is None:
        return
    before, behind = 70, 56
    width = min(_LARGEST_GAUGE, room - before - behind)
    for name, value in (("steering", command.angle), ("throttle", command.throttle)):
        write(draw, (left, top), name, _TEXT, DIM)
        if width >= _LEAST_GAUGE:
            _bar(draw, value, left + before, top + 2, width)
        write(draw, (left + before + max(width, 0) + behind, top), f"{value:+.2f}", _TEXT, TEXT, "ra")
        top += line_height(_GAUGE + 4)


def _bar(draw: ImageDraw.ImageDraw, value: float, left: int, top: int, width: int) -> None:
    middle = left + width // 2
    bottom = top + _GAUGE
    draw.rectangle((left, top, left + width, bottom), fill=PLOT)
    reach = middle + round(max(-1.0, min(1.0, value if value == value else 0.0)) * (width // 2))
    draw.rectangle((min(middle, reach), top, max(middle, reach), bottom), fill=_FILL)
    draw.line((middle, top - 2, middle, bottom + 2), fill=RULE)
