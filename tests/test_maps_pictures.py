"""Feature maps show themselves: in a notebook, and as a picture of one layer."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import fastact
from fastact import samples
from fastact.maps import FeatureMaps
from fastact.views import Style, color_table, mosaic, strip


@pytest.fixture(scope="module")
def maps() -> FeatureMaps:
    frame = np.array(Image.open(samples.frame("160x120")))
    return fastact.Extractor(samples.pilot(), "all")(frame)


def test_mosaic_is_that_of_the_views(maps: FeatureMaps) -> None:
    name = "Conv2D_Second_layer"
    assert maps.mosaic(name).tobytes() == mosaic(maps[name], name=name).tobytes()
    style = Style(colormap="magma", normalization="layer")
    assert maps.mosaic(name, style).tobytes() == mosaic(maps[name], name=name, style=style).tobytes()
    with pytest.raises(KeyError, match="there is no map 'conv9'"):
        maps.mosaic("conv9")


def test_a_strip_has_the_colours_of_its_values(random: np.random.Generator) -> None:
    array = random.random((7, 9, 14), np.float32)
    pixels = np.array(strip(array, filters=3, height=21))
    assert pixels.shape == (21, 3 * 27 + 2 * 3, 4)
    for n in range(3):
        values = array[..., n].astype(np.float64)
        entries = np.clip(np.floor(256 * (values - values.min()) / np.ptp(values)), 0, 255).astype(int)
        expected = color_table("viridis")[entries].repeat(3, 0).repeat(3, 1)
        np.testing.assert_array_equal(pixels[:, 30 * n : 30 * n + 27, :3], expected)
    assert (pixels[:, 27:30, 3] == 0).all()


@pytest.mark.parametrize("shape", [(1,), (100,), (3, 5), (2, 6, 7, 3), (300, 500, 2), (1, 2000, 1), (1, 1, 4)])
def test_strips_of_any_shape_are_small(shape: tuple[int, ...], random: np.random.Generator) -> None:
    array = random.random(shape, np.float32)
    array.flat[0] = np.nan
    image = strip(array)
    assert image.height <= 56
    assert image.width <= 10 * 643


def test_a_notebook_shows_every_layer(maps: FeatureMaps) -> None:
    text = maps._repr_html_()
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(text)
    assert set(tags) == {"table", "caption", "tr", "th", "td", "img"}
    assert tags.count("img") == len(maps)
    for address in re.findall(r"src='data:image/png;base64,([^']*)'", text):
        Image.open(BytesIO(base64.b64decode(address))).load()
    assert all(name in text for name in maps)
    assert "58 × 78 × 12" in text
    assert len(text) < 300_000


def test_names_are_no_markup_and_what_is_missing_is_said() -> None:
    evil = "<script>alert(1)</script>"
    text = FeatureMaps({evil: np.full((2, 2, 1), np.inf, np.float32)}, {evil + "2": evil})._repr_html_()
    assert "<script" not in text
    assert "none finite" in text
    assert "not computed: &lt;script&gt;" in text
    many = FeatureMaps({f"l{n}": np.zeros((1, 1, 1), np.float32) for n in range(50)}, {})._repr_html_()
    assert "and 10 more layers" in many


def test_maps_load_nothing_to_draw_with_until_they_draw() -> None:
    code = "import sys, fastact.maps; assert not {'PIL', 'cmap', 'fastact.views'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
