from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import fastact
from fastact import samples
from fastact.errors import OutputError
from fastact.samples import road, track, train
from fastact.samples.road import Road, steering, throttle
from fastact.samples.scene import scene

STRAIGHT = [(10.0, 0.0)]
SEEDS = (0, 7, 11, train.SAMPLE_SEED)


def picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.asarray(opened)


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The mean absolute difference in levels of 255."""
    return float(np.mean(np.abs(a.astype(int) - b)))


@pytest.mark.parametrize("size", [(160, 120), (97, 61)])
def test_a_seed_always_gives_the_same_frame(size: tuple[int, int]) -> None:
    first, again, other = track.draw(5, *size), track.draw(5, *size), track.draw(6, *size)
    assert first.image.shape == (size[1], size[0], 3)
    assert first.image.dtype == np.uint8
    assert np.array_equal(first.image, again.image)
    assert first[1:] == again[1:]
    assert difference(first.image, other.image) > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sizes_show_the_same_scene(seed: int) -> None:
    small = track.draw(seed, 160, 120)
    wide = track.draw(seed, 640, 360)
    assert wide[1:] == small[1:]
    # The same width of view: the wide frame is the middle 90 of the small one's 120 rows.
    reduced = np.asarray(Image.fromarray(wide.image).reduce(4))
    middle = small.image[15:105]
    assert difference(reduced, middle) < 4
    assert difference(reduced, middle) < difference(reduced, np.roll(middle, 3, axis=1)) / 1.5


@pytest.mark.parametrize("seed", SEEDS)
def test_paint_lies_where_the_geometry_says(seed: int) -> None:
    drawn, size = scene(seed), (640, 480)
    frame = track.render(drawn, *size).astype(float)

    def colour(s: float, d: float) -> NDArray[np.float64] | None:
        x, z = drawn.road.point(s, d)
        column, row = track.project(drawn.camera, size, (x, 0.0, z))
        inside = 2 < column < size[0] - 3 and 2 < row < size[1] - 3 and z > 0
        return frame[int(row), int(column)] if inside else None

    period, seen = drawn.paint.dash + drawn.paint.gap, 0
    for turn in range(1, 7):
        s = (turn + 0.5 - drawn.paint.phase) * period
        dash, gap = colour(s, 0.0), colour(s + period / 2, 0.0)
        if dash is not None and gap is not None and s < 2:
            assert dash[0] - dash[2] > gap[0] - gap[2] + 25, "the dash is more yellow than the gap"
            seen += 1
    for s in np.arange(0.6, 1.8, 0.2):
        for side in (-1, 1):
            line, within = (
                colour(s, side * drawn.road.half_width),
                colour(s, side * drawn.road.half_width * 0.7),
            )
            if line is not None and within is not None:
                assert line.mean() > within.mean() + 15, "the side line is brighter than the floor"
                seen += 1
    assert seen >= 6


def test_locate_inverts_point() -> None:
    bent = Road.laid(0.2, -0.1, [(1.0, 0.8), (1.5, -0.6), (4.0, 0.0)])
    s = np.linspace(-0.5, 6.0, 40)
    d = np.linspace(-0.6, 0.6, 40)
    x, z = np.array([bent.point(*pair) for pair in zip(s, d, strict=True)], np.float32).T
    found_s, found_d = bent.locate(x, z)
    np.testing.assert_allclose(found_s, s, atol=1e-4)
    np.testing.assert_allclose(found_d, d, atol=1e-4)


def test_the_car_is_where_it_was_put() -> None:
    origin = np.zeros(1, np.float32)
    _, d = Road.laid(0.3, 0.2, [(2.0, 0.5)]).locate(origin, origin)
    assert d[0] == pytest.approx(0.3, abs=1e-5)


def test_points_beside_no_stretch_are_off_the_road() -> None:
    _, d = Road.laid(0.0, 0.0, [(2.0, 0.0)]).locate(np.zeros(2, np.float32), np.array([-5, 5], np.float32))
    assert (d == road.OFF_ROAD).all()


def test_labels_are_in_range_and_use_it() -> None:
    roads = [scene(seed).road for seed in range(400)]
    angles, speeds = np.array([steering(r) for r in roads]), np.array([throttle(r) for r in roads])
    assert angles.min() >= -1
    assert angles.max() <= 1
    assert speeds.min() > 0
    assert speeds.max() <= 1
    assert angles.std() > 0.25
    assert abs(angles.mean()) < 0.1
    assert speeds.std() > 0.08


@pytest.mark.parametrize(
    ("offset", "heading", "curvature"),
    [(-0.3, 0.0, 0.0), (0.0, -0.3, 0.0), (0.0, 0.0, 0.8)],
    ids=["left of the centre", "pointing left", "bend to the right"],
)
def test_steers_right_when_it_should(offset: float, heading: float, curvature: float) -> None:
    assert steering(Road.laid(offset, heading, [(5.0, curvature)])) > 0.1
    mirrored = Road.laid(-offset, -heading, [(5.0, -curvature)])
    assert steering(mirrored) == pytest.approx(-steering(Road.laid(offset, heading, [(5.0, curvature)])))


def test_goes_straight_on_a_straight_at_full_throttle() -> None:
    straight = Road.laid(0.0, 0.0, STRAIGHT)
    assert steering(straight) == pytest.approx(0)
    assert throttle(straight) == road.MAX_THROTTLE


@pytest.mark.parametrize("curvature", [-1.1, -0.4, 0.2, 0.9])
def test_on_a_circle_the_wheels_take_its_radius(curvature: float) -> None:
    # Pure pursuit from the centre line of a circle is exact: the bicycle model's atan(wheelbase / radius).
    angle = math.atan(road.WHEELBASE * curvature)
    label = steering(Road.laid(0.0, 0.0, [(3.0, curvature)]))
    assert label == pytest.approx(angle / road.MAX_STEERING_ANGLE)


def test_tighter_bends_are_taken_slower() -> None:
    speeds = [throttle(Road.laid(0.0, 0.0, [(5.0, k)])) for k in (0.0, 0.4, -0.8, 1.2)]
    assert speeds == sorted(speeds, reverse=True)
    assert len(set(speeds)) == 4
    soon = throttle(Road.laid(0.0, 0.0, [(0.5, 0.0), (3.0, 1.2)]))
    assert speeds[3] < soon < speeds[0], "a bend still ahead slows the car, less than one under its wheels"


def test_no_sample_seed_is_trained_on() -> None:
    # Training counts up from 0 and stops below the test seeds.
    assert train.TEST_SEEDS.stop <= train.SAMPLE_SEED


@pytest.mark.parametrize("size", get_args(samples.FrameSize))
def test_shipped_frames_are_what_the_script_draws(size: samples.FrameSize) -> None:
    shipped = picture(samples.frame(size))
    width, height = map(int, size.split("x"))
    assert shipped.shape == (height, width, 3)
    assert difference(shipped, track.draw(train.SAMPLE_SEED, width, height).image) < 3


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="160x120 and 640x360"):
        samples.frame("320x240")  # type: ignore[arg-type]


def test_the_shipped_pilot_is_the_network_it_says() -> None:
    assert samples.pilot().stat().st_size < 700_000
    with h5py.File(samples.pilot()) as file:
        config = json.loads(file.attrs["model_config"])["config"]
        names = [layer["config"]["name"] for layer in config["layers"] if layer["class_name"] != "Dropout"]
        first = file["model_weights/Conv2D_First_layer/Conv2D_First_layer/kernel"]
        assert first.shape == (5, 5, 3, 12)
        assert "optimizer_weights" not in file
    assert names == [
        "img_in",
        "Conv2D_First_layer",
        "Conv2D_Second_layer",
        "Conv2D_Third_layer",
        "Conv2D_Fourth_layer",
        "Conv2D_Fifth_layer",
        "flattened",
        "dense_1",
        "dense_2",
        "n_outputs0",
        "n_outputs1",
    ]


def test_frames_only_needs_no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    result = CliRunner().invoke(train.main, ["--frames-only", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"track_160x120.jpg", "track_640x360.jpg"}
    assert difference(picture(tmp_path / "track_160x120.jpg"), picture(samples.frame("160x120"))) < 2


def test_training_without_tensorflow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    result = CliRunner().invoke(train.main, ["--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "fastact[verify]" in result.output
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*track_160x120\.jpg"):
        train.write_frames(tmp_path / "absent")


def test_the_pilot_drives_better_than_the_mean() -> None:
    drawn = [track.draw(seed) for seed in range(3_000_000, 3_000_200)]
    labels = np.array([frame[1:] for frame in drawn])
    model = fastact.load(samples.pilot())
    maps = fastact.Extractor(model, model.outputs).batch([frame.image for frame in drawn])
    error = np.mean(np.square(np.hstack([maps[name] for name in model.outputs]) - labels), axis=0)
    ratio = error / labels.var(axis=0)  # the mean of these very frames: the best that one number can do
    assert ratio[0] < 0.1, "steering"
    # The bend ahead fills few rows of 120, so that the throttle is the harder of the two.
    assert ratio[1] < 0.6, "throttle"
