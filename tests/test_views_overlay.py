"""Strengths over a picture: the bare blend against its formula, the page with its words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fastact.errors import InputError
from fastact.views import blend, color_table, overlay

RNG = np.random.default_rng(3)
PICTURE = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)


def test_where_the_mask_is_zero_the_picture_stays() -> None:
    before = PICTURE.copy()
    mixed = blend(PICTURE, np.zeros((3, 4), np.float32))
    assert np.array_equal(mixed, PICTURE)
    assert not np.shares_memory(mixed, PICTURE)
    mixed[:] = 0
    assert np.array_equal(PICTURE, before)


@pytest.mark.parametrize("opacity", [0.0, 0.35, 0.6, 1.0])
@pytest.mark.parametrize("colormap", ["inferno", "viridis", "gray"])
def test_it_mixes_as_the_formula_says(opacity: float, colormap: str) -> None:
    mask = RNG.random((12, 16)).astype(np.float32)
    level = np.rint(mask * 255).astype(int)
    cover = np.rint(level * opacity)[..., None] / 255
    expected = PICTURE * (1 - cover) + color_table(colormap)[level] * cover
    assert np.abs(blend(PICTURE, mask, colormap=colormap, opacity=opacity) - expected).max() <= 1.01


def test_a_coarse_mask_is_stretched_without_steps() -> None:
    black = np.zeros((8, 256, 3), np.uint8)
    ramp = blend(black, np.array([[0.0, 1.0]]), colormap="gray", opacity=1.0)[4, :, 0].astype(int)
    assert ramp[0] == 0
    assert ramp[-1] == 255
    assert np.all(np.diff(ramp) >= 0)
    assert np.diff(ramp).max() <= 5


def test_values_beyond_are_clipped_and_nan_shows_nothing() -> None:
    mask = np.array([[-3.0, np.nan, 0.0], [1.0, 7.0, np.inf]], np.float32)
    mixed = blend(PICTURE[:2, :3], mask)
    assert np.array_equal(mixed[0], PICTURE[0, :3])
    assert np.array_equal(mixed[1], blend(PICTURE[:2, :3], np.ones((2, 3)))[1])


@pytest.mark.parametrize(
    ("picture", "mask", "opacity", "words"),
    [
        (PICTURE.astype(np.float32), np.zeros((2, 2)), 0.6, "uint8"),
        (PICTURE[..., 0], np.zeros((2, 2)), 0.6, "picture"),
        (PICTURE, np.zeros((2, 2), np.uint8), 0.6, "floats"),
        (PICTURE, np.zeros((0, 2)), 0.6, "mask"),
        (PICTURE, np.zeros((2, 2, 1)), 0.6, "mask"),
        (PICTURE, np.zeros((2, 2)), 1.5, "opacity"),
        (PICTURE, np.zeros((2, 2)), float("nan"), "opacity"),
    ],
)
def test_what_it_cannot_draw_it_says(picture: np.ndarray, mask: np.ndarray, opacity: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        blend(picture, mask, opacity=opacity)


def test_an_unknown_colour_map_is_named() -> None:
    with pytest.raises(InputError, match="inferna"):
        blend(PICTURE, np.zeros((2, 2)), colormap="inferna")


def test_the_page_has_both_pictures_and_says_what_it_shows() -> None:
    mask = np.linspace(0, 1, 12 * 16, dtype=np.float32).reshape(12, 16)
    page = overlay(PICTURE, mask, name="What it sees", facts=["Facts."], notes=["A note."])
    pixels = np.asarray(page)
    large = PICTURE.repeat(40, 0).repeat(40, 1)[:480, :640]
    top = next(y for y in range(page.height) if np.array_equal(pixels[y, 28 : 28 + 640], large[0]))
    assert np.array_equal(pixels[top : top + 480, 28 : 28 + 640], large)
    assert np.array_equal(pixels[top : top + 480, 28 + 640 + 14 :][:, :640], blend(large, mask))
    assert page.info["Description"].startswith("Facts. A note. Colour covers none")


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (1080, 1920, 3), (900, 2), (7, 5, 1)])
def test_any_size_of_picture_has_a_page(shape: tuple[int, ...]) -> None:
    page = overlay(np.zeros(shape, np.uint8), np.ones((2, 2)), name="x" * 300, facts=["word " * 80])
    assert isinstance(page, Image.Image)
    assert 520 <= page.width <= 1400
    assert page.height <= 900


def test_a_mask_with_nan_has_no_page() -> None:
    with pytest.raises(InputError, match="NaN"):
        overlay(PICTURE, np.array([[np.nan]]), name="a")
