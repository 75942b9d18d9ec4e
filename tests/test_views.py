"""The pictures of single layers: colours against NumPy and cmap's table, geometry, numbers."""

from __future__ import annotations

import numpy as np
import pytest
import views_drawn
from views_drawn import MAPS, RNG, expected, pixels, places, scale_of

from fastact.views import Style, color_table, mosaic
from fastact.views.colors import BAD, hatch

drawn_text = views_drawn.drawn_text


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
