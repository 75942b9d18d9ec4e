"""The text of pictures: it stays within the margins, overlaps nothing, and fits."""

from __future__ import annotations

import pytest
import views_drawn
from views_drawn import RNG, overlap, pixels

from fastact.views import Style, mosaic
from fastact.views import text as words
from fastact.views.colors import PAGE

text_boxes = views_drawn.text_boxes


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
