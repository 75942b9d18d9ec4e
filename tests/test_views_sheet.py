"""The contact sheet, and pictures as files."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import numpy as np
import pytest
import views_drawn as single
from PIL import Image

from fastact.errors import InputError, OutputError
from fastact.views import Style, contact_sheet, mosaic, save_png
from fastact.views.card import frame_card, frame_picture, layer_card
from fastact.views.colors import PAGE
from fastact.views.grid import Room
from fastact.views.panel import most_active

drawn_text = single.drawn_text
text_boxes = single.text_boxes

RNG = np.random.default_rng(3)
FRAME = RNG.integers(0, 256, (120, 160, 3), dtype=np.uint8)
LARGE_FRAME = RNG.integers(0, 256, (360, 640, 3), dtype=np.uint8)


def pilot() -> dict[str, np.ndarray]:
    shapes = {
        "first": (58, 78, 12),
        "second": (27, 37, 24),
        "fifth": (2, 3, 64),
        "dense": (100,),
        "out": (1,),
    }
    return {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(("frame", "scale"), [(FRAME, 4), (LARGE_FRAME, 1)])
def test_the_frame_is_on_the_sheet_pixel_for_pixel(frame, scale):
    sheet = np.asarray(contact_sheet(frame, pilot(), title="What the pilot sees"))
    assert len(single.places(sheet, np.kron(frame, np.ones((scale, scale, 1), np.uint8)))) == 1


def test_the_sheet_names_everything(drawn_text):
    contact_sheet(FRAME, pilot(), title="What the pilot sees", caption=["pilot.h5", "frame 7"])
    assert {"What the pilot sees", "pilot.h5", "frame 7", "Input", *pilot()} <= set(drawn_text)
    assert any(line.startswith("12 filters, 78 x 58 · values from ") for line in drawn_text)
    assert any("stretched over its own minimum to maximum" in line for line in drawn_text)


@pytest.mark.parametrize("number", [1, 2, 30, 130])
@pytest.mark.parametrize("frame", [FRAME, LARGE_FRAME])
def test_few_and_many_layers_make_a_page(number, frame, drawn_text):
    kinds = list(pilot().values())
    layers = {f"block_{i}/layer": kinds[i % len(kinds)] for i in range(number)}
    sheet = contact_sheet(frame, layers, title="many")
    assert sheet.width == 1800
    assert 600 < sheet.height < 9000
    names = {line for line in drawn_text if line.startswith("block_")}
    assert names == set(list(layers)[:120])
    assert any("The first 120 of 130 layers" in line for line in drawn_text) == (number == 130)


def test_text_stays_within_the_page_and_apart(text_boxes):
    layers = {f"{'tower/' * 40}{name}": maps for name, maps in pilot().items()}
    layers["steps"] = RNG.normal(size=(3, 13, 18, 32))
    layers["sequence"] = RNG.normal(size=(3, 1280))
    layers["long"] = RNG.normal(size=5000)
    sheet = np.asarray(contact_sheet(FRAME, layers, title="title " * 100, caption=["caption " * 80]))
    ink = (sheet != PAGE).any(axis=-1)
    for border in (ink[:20], ink[-20:], ink[:, :39], ink[:, -39:]):
        assert not border.any()
    for boxes in text_boxes.values():
        assert not single.overlap(boxes)


def test_too_many_filters_are_the_most_active_and_the_sheet_says_so(drawn_text):
    maps = np.zeros((30, 30, 300), np.float32)
    lively = {211, 223, 227, 229, 233, 239, 241, 251}
    maps[:15, :, sorted(lively)] = 5
    contact_sheet(FRAME, {"few": np.ones((2, 2, 2)), "many": maps}, title="x")
    (fact,) = [line for line in drawn_text if "of 300 filters, the most active" in line]
    numbers = {int(line) for line in drawn_text if line.isdigit()}
    assert len(lively) <= int(fact.split()[0]) < 300
    assert lively <= numbers
    assert 299 not in numbers


def test_most_active_are_those_that_vary_most_in_their_order():
    maps = np.zeros((4, 4, 6), np.float32)
    maps[0, 0] = (1, 5, 0, 3, 0, 4)
    maps[..., 4] = 1000
    assert most_active(maps[None], 3).tolist() == [1, 3, 5]


@pytest.mark.parametrize(
    "frame",
    [
        FRAME[..., 0],
        FRAME[..., :1],
        FRAME,
        FRAME.astype(np.float32) / 255,
        FRAME[..., :1].astype(np.float64) / 255,
    ],
)
def test_a_frame_is_grey_or_colour_bytes_or_floats(frame):
    grey = frame.ndim == 2 or frame.shape[-1] == 1
    expected = np.repeat(FRAME[..., :1], 3, axis=-1) if grey else FRAME
    assert np.array_equal(np.asarray(frame_picture(frame)), expected)


def test_the_frames_of_a_sequence_stand_side_by_side(drawn_text):
    frames = np.stack([FRAME, FRAME[::-1], FRAME[:, ::-1]])
    assert np.array_equal(np.asarray(frame_picture(frames))[:, 160:320], FRAME[::-1])
    contact_sheet(frames, pilot(), title="x")
    assert "3 frames of 160 x 120" in drawn_text


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), int),
    ],
)
def test_what_is_not_a_frame_is_an_error(frame):
    with pytest.raises(InputError, match="frame"):
        contact_sheet(frame, pilot(), title="x")


def test_no_layers_is_an_error():
    with pytest.raises(InputError, match="at least one layer"):
        contact_sheet(FRAME, {}, title="x")


def test_a_sheet_is_the_same_each_time():
    layers = pilot()
    for normalization in ("channel", "layer", "percentile"):
        style = Style(normalization=normalization)
        one, two = (contact_sheet(FRAME, layers, title="x", style=style) for _ in range(2))
        assert one.tobytes() == two.tobytes()


# Files


def test_a_png_has_the_pixels_and_the_metadata(tmp_path):
    image = mosaic(RNG.normal(size=(3, 4, 5)), name="畳み込み é\0", style=Style(colormap="magma"))
    path = tmp_path / "a.png"
    save_png(image, path)
    with Image.open(path) as again:
        assert again.tobytes() == image.tobytes()
        assert again.text == {
            "Software": "fastact",
            "Title": "畳み込み é",
            "Layer": "畳み込み é",
            "Shape": "3 x 4 x 5",
            "Normalization": "channel",
            "Colormap": "magma",
        }
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_the_same_picture_gives_the_same_file(tmp_path):
    for name in ("a.png", "b.png"):
        save_png(mosaic(np.eye(5)[..., None], name="x"), str(tmp_path / name))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_half_a_surrogate_pair_in_a_name_does_not_stop_the_file(tmp_path):
    save_png(mosaic(np.ones(4), name="a\ud800"), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as again:
        assert again.text["Layer"] == "a?"


def test_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    save_png(Image.new("RGB", (2, 2)), path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "missing" / "a.png", "does not exist"),
        (lambda folder: folder / "file" / "a.png", "is a file"),
        (lambda folder: folder / "folder", "is a folder"),
        (lambda folder: folder / ("x" * 300), "too long"),
        (lambda folder: folder / "a\0b.png", "zero byte"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path, make, reason):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=reason) as caught:
        save_png(Image.new("RGB", (2, 2)), make(tmp_path))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_failing_move_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, number):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(number, "it failed")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match=r"a\.png"):
        save_png(Image.new("RGB", (2, 2)), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_stops_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    image = Image.fromarray(RNG.integers(0, 256, (100, 100, 3), dtype=np.uint8))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot write"):
            save_png(image, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_long_sequence_is_drawn_in_lines():
    frames = np.stack([np.full((30, 40, 3), i * 10, np.uint8) for i in range(20)])
    card = frame_card(frames, Room(640, 480))
    assert card.image.size == (600, 360)  # five frames a line, four lines, three pixels a pixel
    assert card.facts[0] == "20 frames of 40 x 30"
    corners = np.asarray(card.image)[::90, ::120][:4, :5, 0]
    np.testing.assert_array_equal(corners, np.arange(20).reshape(4, 5) * 10)


def test_the_maps_of_few_steps_are_not_shrunk():
    card = layer_card("c", np.random.default_rng(1).random((3, 58, 78, 24), np.float32), Style(), Room(1600, 750))
    assert card.panel is not None
    assert (card.panel.shrunk, card.panel.subset) == ("", "")


def test_a_sheet_without_a_frame():
    sheet = contact_sheet(None, {"dense": np.arange(6, dtype=np.float32)}, title="t")
    assert sheet.height < contact_sheet(FRAME, {"dense": np.arange(6, dtype=np.float32)}, title="t").height
