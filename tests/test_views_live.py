"""The moving mosaic: its layout never changes, its tiles show the values, and its scales run as they say."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_threads import until

from fastact.errors import InputError
from fastact.views.colors import BAD, PAGE, color_table
from fastact.views.live import Mosaic, span

ARTICLE = {
    "conv2d_1": (58, 78, 24),
    "conv2d_2": (27, 37, 32),
    "conv2d_3": (12, 17, 64),
    "conv2d_4": (10, 15, 64),
    "conv2d_5": (8, 13, 64),
}


def maps_of(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: np.maximum(rng.normal(size=s), 0).astype(np.float32) for n, s in shapes.items()}


def test_every_filter_of_the_article_s_network_is_there() -> None:
    """A filter that alone is lit lights one rectangle, and no two filters the same one."""
    ranges = dict.fromkeys(ARTICLE, (0.0, 1.0))
    mosaic = Mosaic(ARTICLE, width=640, colormap="gray", ranges=ranges)
    dark = {n: np.zeros(s, np.float32) for n, s in ARTICLE.items()}
    nothing = mosaic(dark)
    lit = np.zeros(nothing.shape[:2], int)
    for name, shape in ARTICLE.items():
        for number in range(shape[-1]):
            maps = dict(dark)
            maps[name] = np.zeros(shape, np.float32)
            maps[name][..., number] = 1
            changed = (mosaic(maps) != nothing).any(axis=-1)
            ys, xs = np.nonzero(changed)
            assert changed.sum() == (np.ptp(ys) + 1) * (np.ptp(xs) + 1) >= 8 * 4
            lit += changed
    assert lit.max() == 1


def test_tiles_show_the_values_in_their_places() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    mosaic = Mosaic({"a": (2, 3, 1)}, width=320, height=200, colormap="gray", ranges={"a": (0.0, 5.0)})
    picture = mosaic({"a": values})
    tile = picture[(picture != PAGE).any(axis=-1).sum(axis=1) > 160]
    columns = np.flatnonzero((tile[0] != PAGE).any(axis=-1))
    tile = tile[:, columns[0] : columns[-1] + 1, 0]
    high, wide = tile.shape
    found = tile[[[high // 4], [3 * high // 4]], [wide // 6, wide // 2, 5 * wide // 6]]
    expected = np.rint(values[..., 0] / 5 * 255)
    np.testing.assert_allclose(found, expected, atol=2)


SHAPE = st.tuples(st.integers(1, 90), st.integers(2, 120), st.integers(1, 5) | st.integers(1, 1300))


@settings(max_examples=25, deadline=None)
@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 90), st.integers(2, 120), st.integers(1, 5) | st.integers(1, 1300)),
        min_size=1,
        max_size=12,
    ),
    width=st.integers(160, 900),
    height=st.none() | st.integers(60, 700),
)
def test_any_layers_fit_any_picture(shapes: list[tuple[int, int, int]], width: int, height: int | None) -> None:
    named = {f"layer {i}": shape for i, shape in enumerate(shapes)}
    mosaic = Mosaic(named, width=width, height=height)
    pictures = [mosaic(maps_of(named, seed)) for seed in (0, 1)]
    assert all(p.shape == (mosaic.height, width, 3) and p.dtype == np.uint8 for p in pictures)
    assert mosaic.height == (height or mosaic.height)
    assert height or mosaic.height % 2 == 0
    assert mosaic.layers == tuple(named)[: len(mosaic.layers)]
    assert mosaic.layers


def test_many_layers_of_few_filters_all_fit() -> None:
    shapes = {f"layer {i}": (30, 40, 1 + i % 3) for i in range(8)}
    assert len(Mosaic(shapes, width=640).layers) == 8


def test_layers_without_room_are_counted() -> None:
    shapes = {f"layer {i}": (30, 40, 64) for i in range(40)}
    mosaic = Mosaic(shapes, width=320)
    assert 3 < len(mosaic.layers) < 40
    last = mosaic(maps_of(shapes))[-16:]
    assert (last.astype(int).sum(axis=-1) > 250).sum() > 40  # the line of text below the last tiles


def test_pictures_do_not_share_memory() -> None:
    mosaic, maps = Mosaic(ARTICLE, width=640), maps_of(ARTICLE)
    first = mosaic(maps)
    kept = first.copy()
    mosaic(maps_of(ARTICLE, 1))
    np.testing.assert_array_equal(first, kept)


def test_a_running_scale_widens_at_once_and_narrows_slowly() -> None:
    mosaic = Mosaic({"a": (8, 8, 4)}, width=320)
    values = np.ones((8, 8, 4), np.float32)
    assert np.isnan(mosaic.ranges["a"]).all()
    mosaic({"a": values})
    mosaic({"a": 10 * values})
    assert mosaic.ranges["a"] == (0, 10)
    mosaic({"a": values})
    assert 9.7 < mosaic.ranges["a"][1] < 9.9
    for _ in range(200):
        mosaic({"a": values})
    assert 1 < mosaic.ranges["a"][1] < 1.2


def test_a_fixed_scale_stays() -> None:
    mosaic = Mosaic({"a": (8, 8, 4)}, width=320, ranges={"a": (-1.0, 2.0)})
    mosaic({"a": np.full((8, 8, 4), 50, np.float32)})
    assert mosaic.ranges == {"a": (-1.0, 2.0)}


def test_what_is_not_a_number_has_a_colour_of_its_own() -> None:
    values = np.zeros((8, 8, 4), np.float32)
    mosaic = Mosaic({"a": values.shape}, width=320)
    assert not (mosaic({"a": values}) == BAD).all(axis=-1).any()
    for bad in (np.nan, np.inf, -np.inf):
        values[2, 3, 1] = bad
        picture = mosaic({"a": values})
        assert (picture == BAD).all(axis=-1).any()
        assert (picture == color_table("viridis")[0]).all(axis=-1).any()
    nothing = mosaic({"a": np.full((8, 8, 4), np.nan, np.float32)})
    assert (nothing == BAD).all(axis=-1).any()


def test_large_maps_are_averaged_not_picked() -> None:
    shape = (400, 600, 16)
    values = np.zeros(shape, np.float32)
    values[::2] = 1  # every pixel averages as many ones as zeros
    mosaic = Mosaic({"a": shape}, width=320, height=240, colormap="gray", ranges={"a": (0.0, 1.0)})
    grey = mosaic({"a": values})[40:, :, 0]
    inside = grey[(grey > 60)]
    assert inside.size > 1000
    np.testing.assert_allclose(inside, 127, atol=24)


def test_the_last_step_of_a_sequence_is_drawn() -> None:
    maps = maps_of({"a": (3, 9, 9, 4)})["a"]
    one, many = Mosaic({"a": (9, 9, 4)}, width=320), Mosaic({"a": (3, 9, 9, 4)}, width=320)
    np.testing.assert_array_equal(many({"a": maps}), one({"a": maps[-1]}))


def test_layers_without_maps_are_left_out() -> None:
    assert Mosaic({"a": (9, 9, 4), "dense": (100,), "flat": (1, 1, 8)}, width=320).layers == ("a",)
    with pytest.raises(InputError, match="a layer with maps"):
        Mosaic({"dense": (100,)}, width=320)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 20}, "outside 160x60"),
        ({"width": 9000}, "outside 160x60"),
        ({"width": 320, "height": 10}, "outside 160x60"),
        ({"width": 320, "colormap": "nothing"}, "unknown colour map"),
        ({"width": 320, "ranges": {"a": (1.0, 0.0)}}, "no pair of ascending"),
        ({"width": 320, "ranges": {"a": (float("nan"), 0.0)}}, "no pair of ascending"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Mosaic({"a": (9, 9, 4)}, **arguments)


def test_maps_of_another_shape_are_refused() -> None:
    mosaic = Mosaic({"a": (9, 9, 4)}, width=320)
    for maps in ({}, {"a": np.zeros((9, 9, 5), np.float32)}):
        with pytest.raises(InputError, match="laid out for 'a'"):
            mosaic(maps)


def test_span_of_relu_s_maps_begins_at_zero() -> None:
    assert span(np.full((4, 4), 3.0)) == (0.0, 3.0)
    assert span(np.linspace(-1, 1, 1001))[0] == pytest.approx(-0.99, abs=0.005)
    assert np.isnan(span(np.full(4, np.nan))).all()


def test_it_is_fast() -> None:
    mosaic, maps = Mosaic(ARTICLE, width=640), maps_of(ARTICLE)

    def taken() -> float:
        start = time.thread_time()  # of the CPU, whoever else has it meanwhile
        mosaic(maps)
        return time.thread_time() - start

    until(lambda: taken() < 0.010)
