"""The pictures of single layers: colours against NumPy and cmap's table, geometry, text, limits, files."""

from __future__ import annotations

import ast
import subprocess
import sys
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from cmap import Colormap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import fastact.views
from fastact.errors import InputError
from fastact.views import Style, color_table, mosaic
from fastact.views import text as words
from fastact.views.colors import BAD, PAGE, hatch
from fastact.views.grid import MAX_SCALE, Grid, Room, arrange

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


@pytest.mark.parametrize("colormap", ["viridis", "magma", "coolwarm"])
@pytest.mark.parametrize("normalization", ["channel", "layer", "percentile"])
def test_every_filter_has_the_colours_numpy_and_cmap_give(normalization, colormap):
    style = Style(normalization=normalization, colormap=colormap)
    picture = pixels(mosaic(MAPS, name="conv", style=style))
    scale = scale_of(MAPS, Style(colormap=colormap))
    assert scale > 8
    for k in range(MAPS.shape[-1]):
        one = MAPS[..., k]
        low, high = {
            "channel": (one.min(), one.max()),
            "layer": (MAPS.min(), MAPS.max()),
            "percentile": np.percentile(MAPS.astype(np.float64), (1, 99)),
        }[normalization]
        patch = expected(one, float(low), float(high), colormap, scale)
        assert len(places(picture, patch)) == 1, k


def test_percentiles_are_the_style_s_and_clip_what_lies_beyond():
    maps = MAPS.copy()
    maps[0, 0, 0], maps[5, 8, 4] = -1000, 1000
    style = Style(normalization="percentile", percentile=(10, 75))
    low, high = np.percentile(maps.astype(np.float64), (10, 75))
    picture = pixels(mosaic(maps, name="conv", style=style))
    scale = scale_of(MAPS, Style())
    for k in range(5):
        assert len(places(picture, expected(maps[..., k], low, high, "viridis", scale))) == 1


def test_equal_percentiles_fall_back_to_the_whole_range_and_say_so(drawn_text):
    maps = np.zeros((20, 20, 3), np.float32)
    maps[3, 4] = (1, 2, 3)
    picture = pixels(mosaic(maps, name="conv", style=Style(normalization="percentile")))
    assert any("percentile are equal (0)" in line for line in drawn_text)
    scale = next(s for s in range(48, 0, -1) if places(picture, expected(maps[..., 2], 0, 3, "viridis", s)))
    assert places(picture, expected(maps[..., 0], 0, 3, "viridis", scale))


def test_filters_stand_line_by_line_in_order():
    picture = pixels(mosaic(MAPS, name="conv", style=Style(max_columns=2)))
    scale = scale_of(MAPS, Style(max_columns=2))
    tops_lefts = []
    for k in range(5):
        one = MAPS[..., k]
        (place,) = places(picture, expected(one, one.min(), one.max(), "viridis", scale))
        tops_lefts.append(place)
    assert tops_lefts == sorted(tops_lefts)
    assert len({left for _, left in tops_lefts}) == 2
    assert len({top for top, _ in tops_lefts}) == 3


def test_a_large_map_is_not_enlarged():
    maps = RNG.normal(size=(178, 318, 12)).astype(np.float32)
    picture = pixels(mosaic(maps, name="conv"))
    one = maps[..., 7]
    assert len(places(picture, expected(one, one.min(), one.max(), "viridis", 1))) == 1


def test_maps_beyond_the_limit_are_block_means_and_the_picture_says_so(drawn_text):
    maps = RNG.normal(size=(112, 112, 512)).astype(np.float32)
    image = mosaic(maps, name="conv", style=Style(normalization="layer"))
    assert image.width * image.height <= Style().max_pixels
    means = maps[..., 100].astype(np.float64).reshape(56, 2, 56, 2).mean(axis=(1, 3))
    patch = expected(means, float(maps.min()), float(maps.max()), "viridis", 1)
    assert len(places(pixels(image), patch)) == 1
    assert "Shrunk to fit: each pixel is the mean of 2 x 2 values." in drawn_text


def test_steps_of_a_sequence_share_each_filter_s_scale(drawn_text):
    maps = RNG.normal(size=(3, 6, 9, 4)).astype(np.float32)
    picture = pixels(mosaic(maps, name="time"))
    tops = []
    for step in range(3):
        one, every = maps[step, ..., 1], maps[..., 1]
        hits = [places(picture, expected(one, every.min(), every.max(), "viridis", s)) for s in range(48, 5, -1)]
        ((place,),) = [hit for hit in hits if hit]
        tops.append(place[0])
    assert tops == sorted(tops)
    assert {"step 0", "step 1", "step 2"} <= set(drawn_text)
    assert any(line.startswith("3 steps of 4 filters, 9 x 6 (width x height)") for line in drawn_text)


def test_flat_filters_are_hatched_counted_and_not_in_the_colours(drawn_text):
    maps = MAPS.copy()
    maps[..., 1] = 0
    maps[..., 3] = 0.25
    picture = pixels(mosaic(maps, name="conv"))
    scale = scale_of(MAPS, Style())
    assert len(places(picture, hatch(6 * scale, 9 * scale))) == 2
    assert "2 of 5 filters flat for this frame, 1 of them zero everywhere." in drawn_text
    table = {tuple(color) for color in color_table("viridis").tolist()}
    assert not table & {tuple(c) for c in hatch(60, 90).reshape(-1, 3).tolist()}


def test_no_flat_filter_no_word_of_it(drawn_text):
    mosaic(MAPS, name="conv")
    assert not any("flat" in line for line in drawn_text)


def test_values_that_are_no_numbers_are_marked_and_leave_the_scale_alone(drawn_text):
    maps = MAPS.copy()
    maps[2, 3, 1], maps[0, 0, 1], maps[5, 8, 1] = np.nan, np.inf, -np.inf
    picture = pixels(mosaic(maps, name="conv"))
    scale = scale_of(MAPS, Style())
    finite = maps[..., 1][np.isfinite(maps[..., 1])]
    patch = expected(np.nan_to_num(maps[..., 1]), finite.min(), finite.max(), "viridis", scale)
    for y, x in ((2, 3), (0, 0), (5, 8)):
        patch[y * scale : (y + 1) * scale, x * scale : (x + 1) * scale] = BAD
    ((top, left),) = places(picture, patch)
    below, right = top + patch.shape[0], left + patch.shape[1]
    assert (picture[[top - 1, below], left:right] == BAD).all()
    assert (picture[top:below, [left - 1, right]] == BAD).all()
    assert "3 of 270 values NaN or infinite in 1 of 5 filters." in drawn_text


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_averaging_hides_no_value_that_is_no_number(wrong, drawn_text):
    maps = np.ones((400, 400, 64), np.float32)
    maps[::2] = 0
    maps[100, 100, 10] = wrong
    picture = pixels(mosaic(maps, name="conv"))
    assert any(line.startswith("Shrunk to fit") for line in drawn_text)
    bad = (picture == BAD).all(axis=-1)
    inside = bad & ~np.roll(bad, 1, 0) & ~np.roll(bad, -1, 0) & ~np.roll(bad, 1, 1) & ~np.roll(bad, -1, 1)
    assert np.count_nonzero(inside) == 1


def test_a_channel_scale_has_words_and_a_layer_scale_has_numbers(drawn_text):
    maps = np.linspace(-1, 3, 60, dtype=np.float32).reshape(5, 4, 3)
    mosaic(maps, name="conv")
    assert {"each filter's minimum", "its maximum"} <= set(drawn_text)
    drawn_text.clear()
    mosaic(maps, name="conv", style=Style(normalization="layer"))
    assert {"-1", "0", "1", "2", "3"} <= set(drawn_text)
    assert "each filter's minimum" not in drawn_text


def test_the_layer_is_named_and_its_shape_is_in_words(drawn_text):
    mosaic(np.ones((58, 78, 24), np.float32), name="conv2d_1", caption=["frame 7 of the tub"])
    assert "conv2d_1" in drawn_text
    assert "24 filters, 78 x 58 (width x height) · all 1" in drawn_text
    assert "frame 7 of the tub" in drawn_text


def test_numbers_and_extremes_stand_above_the_maps_where_there_is_room(drawn_text):
    maps = np.zeros((58, 78, 3), np.float32)
    maps[0, 0] = (0.5, 1.25, 2)
    mosaic(maps, name="conv")
    assert {"0", "1", "2", "0 … 0.5", "0 … 1.25", "0 … 2"} <= set(drawn_text)


def test_where_maps_have_no_room_for_a_number_lines_have_one(drawn_text):
    mosaic(RNG.normal(size=(2, 2, 40_000)), name="conv", style=Style(min_cell=1, max_columns=200))
    numbers = {int(text) for text in drawn_text if text.isdigit()}
    assert {0, 800, 1600} <= numbers
    assert all(number % 200 == 0 for number in numbers)


@pytest.mark.parametrize("n", [2, 10, 24])
def test_few_values_are_bars_with_their_numbers(n, drawn_text):
    values = np.linspace(-0.5, 1.5, n).astype(np.float32)
    picture = pixels(mosaic(values, name="angle_out"))
    assert {f"{v:.3g}" for v in values} <= set(drawn_text)
    top, bottom = color_table("viridis")[255], color_table("viridis")[0]
    # Zero lies a quarter of the way: the longest bar upward is three times the longest downward.
    up = max(_longest_run(row, top) for row in picture)
    down = max(_longest_run(row, bottom) for row in picture)
    assert up == pytest.approx(3 * down, rel=0.02)


def _longest_run(row: np.ndarray, color: np.ndarray) -> int:
    same = (row == color).all(axis=-1).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same, [0]])))
    return max((edges[1::2] - edges[::2]).tolist(), default=0)


def test_bars_of_a_vector_are_as_high_as_its_values():
    values = np.zeros(100, np.float32)
    values[[10, 60]] = (1.0, 0.5)
    picture = pixels(mosaic(values, name="dense"))
    table = color_table("viridis")
    columns = picture.transpose(1, 0, 2)
    whole = max(_longest_run(column, table[255]) for column in columns)
    half = max(_longest_run(column, table[128]) for column in columns)
    assert whole > 150
    assert half == pytest.approx(whole / 2, abs=1)


def test_a_single_value_is_printed(drawn_text):
    mosaic(np.float32([0.158]), name="n_outputs0")
    mosaic(np.float32(2.5), name="scalar")
    assert {"0.158", "2.5", "1 value · 0.158"} <= set(drawn_text)


def test_steps_of_a_vector_are_lines_of_colour(drawn_text):
    values = RNG.normal(size=(3, 16)).astype(np.float32)
    picture = pixels(mosaic(values, name="LSTM_seq"))
    levels = expected(values, values.min(), values.max(), "viridis", 1)
    assert any(places(picture, levels.repeat(h, axis=0).repeat(w, axis=1)) for w in (28,) for h in range(1, 60))
    assert {"step 0", "step 1", "step 2"} <= set(drawn_text)


def test_a_thousand_times_more_values_than_steps_keeps_the_steps_apart():
    values = np.zeros((3, 50_000), np.float32)
    values[1] = 1
    picture = pixels(mosaic(values, name="seq"))
    table = color_table("viridis")
    column = picture[:, picture.shape[1] // 2]
    assert _longest_run(column, table[255]) > 8
    assert _longest_run(column, table[0]) > 8


def test_maps_of_a_single_position_are_a_vector(drawn_text):
    mosaic(np.arange(5, dtype=np.float32).reshape(1, 1, 5), name="pool")
    assert any(line.startswith("5 values") for line in drawn_text)
    assert not any("flat" in line for line in drawn_text)


def test_a_very_long_vector_is_read_line_by_line(drawn_text):
    values = np.linspace(0, 1, 30_000, dtype=np.float32)
    picture = pixels(mosaic(values, name="flatten"))
    assert any(line.startswith("Read line by line") for line in drawn_text)
    assert picture.shape[0] < 1400


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, np.int64, np.bool_])
def test_other_types_of_real_numbers_are_drawn_as_float32(dtype):
    values = (RNG.random((4, 4, 3)) * 2).astype(dtype)
    one = mosaic(values, name="x")
    other = mosaic(values.astype(np.float32), name="x")
    assert one.tobytes() == other.tobytes()


def test_the_smallest_and_the_largest_floats_have_a_scale():
    for low, high in ((0.0, 1e-45), (-3.4e38, 3.4e38), (1e8, 1e8 + 8)):
        maps = np.full((4, 4, 1), low, np.float32)
        maps[1, 2] = high
        picture = pixels(mosaic(maps, name="x"))
        assert any(places(picture, expected(maps[..., 0], maps.min(), maps.max(), "viridis", s)) for s in (48,))


def test_arrays_are_left_as_they_are():
    maps = MAPS.copy()
    maps[0, 0, 0] = np.nan
    before = maps.copy()
    maps.setflags(write=False)
    mosaic(maps, name="x", style=Style(normalization="percentile"))
    assert np.array_equal(maps, before, equal_nan=True)


@pytest.mark.parametrize("maps", [np.zeros((0, 4, 3)), np.zeros((4, 4, 0)), np.zeros(0)])
def test_no_values_is_an_error(maps):
    with pytest.raises(InputError, match="no values"):
        mosaic(maps, name="x")


@pytest.mark.parametrize("maps", [np.zeros((2, 2, 2), complex), np.array(["a", "b"]), np.array([None])])
def test_what_is_not_real_numbers_is_an_error(maps):
    with pytest.raises(InputError, match="real numbers"):
        mosaic(maps, name="x")


def test_an_unknown_colour_map_is_an_error_that_names_some():
    with pytest.raises(InputError, match=r"'virdis'.*viridis.*magma"):
        mosaic(MAPS, name="x", style=Style(colormap="virdis"))


def test_a_map_of_separate_colours_is_spread_over_the_scale():
    table = color_table("tab10")
    assert table.shape == (256, 3)
    assert len(np.unique(table, axis=0)) == 10
    assert not table.flags.writeable


@pytest.mark.parametrize(
    "wrong",
    [
        {"normalization": "filter"},
        {"percentile": (50, 50)},
        {"percentile": (-1, 99)},
        {"percentile": (1, 101)},
        {"percentile": (float("nan"), 99)},
        {"max_columns": 0},
        {"min_cell": 0},
        {"max_pixels": 10},
    ],
)
def test_a_style_out_of_range_is_an_error(wrong):
    with pytest.raises(InputError):
        Style(**wrong)


NAMES = [
    "c",
    "conv2d_1",
    "tower/" * 60 + "last",
    "x" * 5000,
    "畳み込み_1",
    "",
    "a\nb\tc\0d",
    "é" * 400,
    "\ud800",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 3, 1), (6, 9, 40), (1,), (60,), (2, 50)])
def test_text_stays_within_the_margins(name, shape):
    picture = pixels(mosaic(RNG.normal(size=shape), name=name, caption=["word " * 60, "w" * 900]))
    ink = (picture != PAGE).any(axis=-1)
    assert ink.any()
    for border in (ink[:12], ink[-12:], ink[:, :20], ink[:, -20:]):
        assert not border.any()


def test_no_two_texts_overlap(text_boxes):
    for shape in [
        (58, 78, 12),
        (12, 17, 48),
        (2, 3, 64),
        (3, 5, 8, 32),
        (112, 112, 512),
        (100,),
        (1280,),
        (3, 90),
    ]:
        for normalization in ("channel", "layer", "percentile"):
            text_boxes.clear()
            size = mosaic(
                RNG.normal(size=shape) * 1e-4,
                name="name " * 50,
                style=Style(normalization=normalization),
            ).size
            assert size[0] > 0
            for boxes in text_boxes.values():
                assert not overlap(boxes), shape


def overlap(boxes: list[tuple[float, float, float, float]]) -> bool:
    array = np.array(boxes)
    left, top, right, bottom = array.T
    wide = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    high = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    both = (wide > 0) & (high > 0)
    np.fill_diagonal(both, False)
    return bool(both.any())


def test_a_long_name_loses_its_middle():
    short = words.shorten("block_1/" + "x" * 500 + "/conv2d_7", 24, 400)
    assert short.startswith("block_1/")
    assert short.endswith("/conv2d_7")
    assert words.ELLIPSIS in short
    assert words.text_width(short, 24) <= 400


def test_wrapped_words_are_all_there_and_fit():
    text = "the quick brown fox " * 20
    lines = words.wrap(text, 13, 180)
    assert " ".join(lines).split() == text.split()
    assert max(words.text_width(line, 13) for line in lines) <= 180


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0, 0.5], ["0", "0.5"]),
        ([-0.0], ["0"]),
        ([1000.01, 1000.02], ["1000.01", "1000.02"]),
        ([1e-12, 2e-12], ["1e-12", "2e-12"]),
    ],
)
def test_numbers_take_the_digits_that_tell_them_apart(values, texts):
    assert words.numbers(values) == texts


def test_the_same_input_gives_the_same_pixels_in_another_process():
    program = (
        "import numpy as np, hashlib; from fastact.views import mosaic;"
        "maps = np.random.default_rng(1).normal(size=(5, 8, 30)).astype('f');"
        "print(hashlib.sha256(mosaic(maps, name='conv').tobytes()).hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_importing_fastact_loads_no_pictures():
    program = "import sys, fastact; print(sorted({'PIL', 'cmap', 'fastact.views'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_views_import_nothing_of_fastact_but_errors_and_writing():
    folder = Path(fastact.views.__file__).parent
    imported = {
        name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ["." * node.level + (node.module or "")]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.startswith(("fastact", "."))
    }
    assert "fastact.errors" in imported
    allowed = {"fastact.errors", "fastact.writing"}
    assert {n for n in imported if n not in allowed and not n.startswith("fastact.views.")} == set()


SIZES = st.integers(1, 40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 3000)),
        st.tuples(SIZES, st.integers(1, 3000)),
        st.tuples(SIZES, SIZES, st.integers(1, 300)),
        st.tuples(st.integers(1, 2000), st.integers(1, 3), st.integers(1, 20)),
        st.tuples(st.integers(1, 200), st.integers(1, 3), st.integers(1, 3), st.integers(1, 20)),
        st.tuples(st.integers(1, 3), st.integers(1, 3), SIZES, SIZES, st.integers(1, 5)),
    ),
    values=st.lists(st.floats(width=32), min_size=1, max_size=8),
    normalization=st.sampled_from(["channel", "layer", "percentile"]),
    max_columns=st.one_of(st.none(), st.integers(1, 50)),
    min_cell=st.integers(1, 200),
    max_pixels=st.integers(2_000_000, 4_000_000),
)
def test_any_shape_any_values_any_style(shape, values, normalization, max_columns, min_cell, max_pixels):
    style = Style(normalization=normalization, max_columns=max_columns, min_cell=min_cell, max_pixels=max_pixels)
    maps = np.resize(np.array(values, np.float32), shape)
    image = mosaic(maps, name="any", style=style)
    if len(shape) > 2:
        assert image.width * image.height <= max_pixels
    assert image.width * image.height <= 6_000_000


@settings(max_examples=100, deadline=None)
@given(
    steps=st.integers(1, 30),
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    count=st.integers(1, 3000),
    strip=st.sampled_from([0, 16]),
    max_columns=st.one_of(st.none(), st.integers(1, 60)),
)
def test_a_grid_keeps_within_its_limit_and_its_cells_apart(steps, height, width, count, strip, max_columns):
    limit = Room(4000, 4000, 5_000_000, 100, 300)
    one = Grid(steps, height, width, count, 1, 1, 1, strip)
    grid = arrange(one, Room(1300, 1000), limit, min_cell=32, max_columns=max_columns)
    assert (grid.pixels_wide + 100) * (grid.pixels_high + 300) <= 5_000_000
    assert grid.columns <= (max_columns or count)
    assert grid.scale == 1 or grid.shrink == 1
    assert grid.cell_width == ceil(width / grid.shrink) * grid.scale
    last = grid.corner(grid.steps - 1, grid.count - 1)
    assert last[1] + grid.strip + grid.cell_height <= grid.pixels_high
    assert grid.corner(0, grid.columns - 1)[0] + grid.cell_width == grid.pixels_wide
    if grid.count > grid.columns:
        assert grid.corner(0, grid.columns)[1] - grid.corner(0, 0)[1] > grid.strip + grid.cell_height
