"""What tests of pictures look at: every text that is drawn, and places in a picture."""

from __future__ import annotations

import numpy as np
import pytest
from cmap import Colormap
from PIL import Image, ImageDraw

from fastact.views import Style, mosaic
from fastact.views.grid import MAX_SCALE

RNG = np.random.default_rng(7)
MAPS = RNG.normal(size=(6, 9, 5)).astype(np.float32)


@pytest.fixture
def drawn_text(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn, in order."""
    texts: list[str] = []
    draw = ImageDraw.ImageDraw.text

    def spy(self, xy, text, *args, **kwargs):
        texts.append(text)
        return draw(self, xy, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    return texts


@pytest.fixture
def text_boxes(monkeypatch: pytest.MonkeyPatch) -> dict[ImageDraw.ImageDraw, list[tuple[float, ...]]]:
    """The boxes of ink of all texts, for each picture they were drawn on; all must lie on the picture."""
    boxes: dict[ImageDraw.ImageDraw, list[tuple[float, ...]]] = {}
    draw = ImageDraw.ImageDraw.text

    def spy(self, xy, text, *args, **kwargs):
        box = self.textbbox(xy, text, font=kwargs["font"], anchor=kwargs["anchor"])
        width, height = self.im.size
        assert box[0] >= -1, text
        assert box[1] >= 0, text
        assert box[2] <= width + 1, text
        assert box[3] <= height, text
        boxes.setdefault(self, []).append(box)
        return draw(self, xy, text, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    return boxes


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


def places(picture: np.ndarray, patch: np.ndarray) -> list[tuple[int, int]]:
    """Every place (top, left) at which the patch stands in the picture, pixel for pixel."""
    height, width = patch.shape[:2]
    tall, wide = picture.shape[0] - height + 1, picture.shape[1] - width + 1
    if tall < 1 or wide < 1:
        return []
    y, x = np.nonzero((picture[:tall, :wide] == patch[0, 0]).all(axis=-1))
    for dy, dx in [(height - 1, width - 1), (0, width - 1), (height - 1, 0), (height // 2, width // 2)]:
        same = (picture[y + dy, x + dx] == patch[dy, dx]).all(axis=-1)
        y, x = y[same], x[same]
    return [
        (int(top), int(left))
        for top, left in zip(y, x, strict=True)
        if np.array_equal(picture[top : top + height, left : left + width], patch)
    ]


def expected(values: np.ndarray, low: float, high: float, colormap: str, scale: int) -> np.ndarray:
    """A map as it should look, by the textbook: clip to 0..1, 256 equal bins, cmap's table, blocks."""
    low, high = float(low), float(high)
    place = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    table = np.rint(np.asarray(Colormap(colormap).lut(256))[:, :3] * 255).astype(np.uint8)
    return np.kron(table[np.minimum((place * 256).astype(int), 255)], np.ones((scale, scale, 1), np.uint8))


def scale_of(maps: np.ndarray, style: Style) -> int:
    """The enlargement the picture states in words is looked for by trying all."""
    picture = pixels(mosaic(maps, name="x", style=style))
    return next(
        s
        for s in range(MAX_SCALE, 0, -1)
        if places(picture, expected(maps[..., 0], maps[..., 0].min(), maps[..., 0].max(), style.colormap, s))
    )


def overlap(boxes: list[tuple[float, float, float, float]]) -> bool:
    array = np.array(boxes)
    left, top, right, bottom = array.T
    wide = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    high = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    both = (wide > 0) & (high > 0)
    np.fill_diagonal(both, False)
    return bool(both.any())
