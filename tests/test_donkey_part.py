"""The parts by themselves, as a loop calls them; in donkeycar's own loop they are in `test_donkey_vehicle.py`."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from cli_runs import changed_pilot
from configurations import entry, image, on
from configurations import model as configured
from oracles import handmade
from PIL import Image
from python_threads import until

from fastact import Extractor, Model, samples
from fastact.donkey import CvController, FeatureMapPart, Pilot
from fastact.donkey.settings import Settings, values_of
from fastact.errors import InputError
from fastact.pilots import decoder
from fastact.views.colors import PAGE
from fastact.views.notice import notice

MODEL = str(samples.pilot())
FRAME = np.asarray(Image.open(samples.frame("160x120")).convert("RGB"))
ALL = ["image", "angle", "throttle"]


def car(**settings: object) -> SimpleNamespace:
    return SimpleNamespace(**{f"FASTACT_{name.upper()}": value for name, value in settings.items()})


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command grows old, however long a busy machine takes to compute a frame or to ask for its command."""
    monkeypatch.setattr("fastact.donkey.part.STALE_SECONDS", float("inf"))
    monkeypatch.setattr("fastact.donkey.part._JOIN_SECONDS", 60.0)


def driven(part: FeatureMapPart, frame: np.ndarray = FRAME, *others: object) -> Any:
    """What the part gives once it has drawn the frame."""
    card = part.run_threaded(None)  # starts no thread, which might have drawn already what is waited for
    picture = card[0] if isinstance(card, tuple) else card
    results: list[Any] = [card]

    def drawn() -> bool:
        results.append(part.run(frame, *others))
        latest = results[-1]
        return not np.array_equal(latest[0] if isinstance(latest, tuple) else latest, picture)

    until(drawn)
    return results[-1]


@lru_cache
def extractor() -> Extractor:
    return Extractor(samples.pilot(), "all")


def command_of(frame: np.ndarray) -> tuple[float, float]:
    return tuple(decoder(extractor().model)(extractor()(frame)))


@pytest.mark.parametrize("style", ["mosaic", "overlay", "saliency"])
def test_every_style_shows_the_frame_and_gives_the_command(style: str) -> None:
    part = FeatureMapPart(car(model=MODEL, style=style, outputs=ALL))
    before = set(threading.enumerate())  # of other tests
    picture, *command = driven(part)
    assert picture.shape == (600, 800, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000
    assert command == pytest.approx(list(command_of(FRAME)))
    other = np.ascontiguousarray(FRAME[:, ::-1])
    expected = pytest.approx(tuple(command_of(other)))
    until(lambda: part.run(other)[1:] == expected)
    part.shutdown()
    assert set(threading.enumerate()) <= before


def test_a_mosaic_without_the_camera_and_of_another_size() -> None:
    picture = driven(FeatureMapPart(car(model=MODEL, camera=False, width=640, height=300, layers="*First*")))
    assert picture.shape == (300, 640, 3)


def test_an_overlay_of_a_chosen_layer_is_another_picture() -> None:
    pictures = [
        driven(FeatureMapPart(car(model=MODEL, style="overlay", overlay=name))) for name in ("*First*", "*Fifth*")
    ]
    assert (pictures[0] != pictures[1]).any(axis=-1).mean() > 0.2


def test_a_pilot_steers_by_the_frame_it_is_given() -> None:
    pilot = Pilot(None, model=samples.pilot())
    for frame in (FRAME, FRAME[:, ::-1], FRAME[::-1]):
        assert pilot.run(frame) == pytest.approx(command_of(np.ascontiguousarray(frame)))
    assert pilot.run(None) == (0.0, 0.0)
    assert pilot.run(FRAME[:0]) == (0.0, 0.0)


def overflowing(places: int) -> Model:
    """A pilot with memory whose outputs, of so many places each, are finite of a black picture alone."""
    layers = [
        image("img_in", (4, 6, 3)), image("mem_in", (6,)), entry("Flatten", "flat", [on("img_in")]),
        entry("Concatenate", "both", [on("flat", "mem_in")]),
        entry("Dense", "n_outputs0", [on("both")], units=places),
        entry("Dense", "n_outputs1", [on("both")], units=places),
    ]  # fmt: skip
    ends = ["img_in", "mem_in"], ["n_outputs0", "n_outputs1"]
    made = handmade(configured(layers, *([[name, 0, 0] for name in names] for names in ends)))
    for name in ends[1]:
        layer = made.layers[name].layer
        assert layer is not None
        layer.weights = {key: grown(array.copy()) for key, array in layer.weights.items()}
    return made


def grown(weights: np.ndarray) -> np.ndarray:
    """The weights with those of the picture so large that sums of them are infinite."""
    if weights.ndim == 2:
        weights[: 4 * 6 * 3] = 3e38
    return weights


@pytest.mark.parametrize("places", [1, 5])
def test_a_command_that_is_no_number_is_standing_still(
    places: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fastact.donkey.engine.load", lambda _: overflowing(places))
    black, white = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)
    first, second = Pilot(None, model="p.h5"), Pilot(None, model="p.h5")
    expected = [first.run(black) for _ in range(3)]
    assert (0.0, 0.0) not in expected
    with caplog.at_level(logging.ERROR, logger="fastact.donkey"):
        found = [second.run(frame) for frame in (black, white, white, black, white, black)]
    still = (0.0, 0.0)
    assert found == [expected[0], still, still, expected[1], still, expected[2]]  # and nothing of it is remembered
    words = "steering and throttle of p.h5 are not numbers (NaN or infinity), and the car stands: give it another model"
    assert [record.getMessage() for record in caplog.records] == [words]


@pytest.mark.parametrize("style", ["mosaic", "overlay", "saliency"])
def test_weights_that_are_no_numbers_are_shown_and_do_not_steer(style: str, tmp_path: Path) -> None:
    def spoil(file: h5py.File) -> None:
        for name in ("n_outputs0", "n_outputs1"):
            file[f"model_weights/{name}"].visititems(lambda _, x: x.write_direct(np.full(x.shape, np.nan, x.dtype))
                                                     if isinstance(x, h5py.Dataset) else None)  # fmt: skip

    path = changed_pilot(tmp_path / "nan.h5", spoil)
    assert Pilot(None, model=path).run(FRAME) == (0.0, 0.0)
    part = FeatureMapPart(car(model=str(path), style=style, outputs=ALL))
    picture, *command = driven(part)
    part.shutdown()
    assert command == [0.0, 0.0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000


def test_an_old_command_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    part = FeatureMapPart(car(model=MODEL, outputs=ALL))
    driven(part)
    monkeypatch.setattr("fastact.donkey.part.STALE_SECONDS", -1.0)
    assert part.run(FRAME)[1:] == (0.0, 0.0)


def test_transformations_are_applied_unless_they_are_not_wanted() -> None:
    crop = {"TRANSFORMATIONS": ["CROP"], "ROI_CROP_TOP": 60}
    cropped = np.concatenate([np.zeros_like(FRAME[:60]), FRAME[60:]])
    assert Pilot(crop, model=MODEL).run(FRAME) == pytest.approx(command_of(cropped))
    assert Pilot(crop | {"FASTACT_TRANSFORM": False}, model=MODEL).run(FRAME) == pytest.approx(command_of(FRAME))


def test_what_goes_wrong_is_said_once_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="fastact.donkey"):
        part = FeatureMapPart(car(model="/nowhere/pilot.h5", outputs=ALL))
        picture, *command = driven(part)
        for _ in range(5):
            part.run(FRAME)
    assert command == [0.0, 0.0]
    assert [record.getMessage() for record in caplog.records] == ["no feature maps: '/nowhere/pilot.h5' does not exist"]
    np.testing.assert_array_equal(
        picture, notice("no feature maps", "'/nowhere/pilot.h5' does not exist", width=800, height=600)
    )


def test_a_card_goes_when_a_frame_can_be_computed_again() -> None:
    part = FeatureMapPart(car(model=MODEL))
    driven(part)
    good = driven(part, FRAME[:0])  # a card
    until(lambda: (part.run(FRAME) != good).any())
    until(lambda: len(np.unique(part.run(FRAME).reshape(-1, 3), axis=0)) > 1000)


def test_outputs_are_as_many_as_asked_for() -> None:
    assert FeatureMapPart(car(model=MODEL, outputs=[])).run(FRAME) is None
    assert FeatureMapPart(car(model=MODEL, outputs="angle")).run(None) == 0.0
    assert FeatureMapPart(car(model=MODEL, outputs=["throttle", "image"])).run(None)[0] == 0.0
    broken = FeatureMapPart(car(model=MODEL, outputs=ALL, style="poster", width=400, height=300)).run(FRAME)
    assert broken[0].shape == (300, 400, 3)
    assert broken[1:] == (0.0, 0.0)


def test_a_controller_gives_the_picture_later(tmp_path: Path) -> None:
    controller = CvController(object(), car(model=MODEL))
    card = controller.run(None)[2]  # before there is a thread, which may have drawn when `run` answers
    assert controller.run(FRAME)[:2] == pytest.approx(command_of(FRAME))
    until(lambda: (controller.run(FRAME)[2] != card).any())
    controller.shutdown()
    assert controller.run(FRAME)[:2] == (0.0, 0.0)


def test_parts_are_hashable_and_shut_down_twice() -> None:
    for part in (FeatureMapPart(), Pilot(), CvController(None, None)):
        assert len({part, part}) == 1
        part.shutdown()
        part.shutdown()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("style", "poster"), ("width", 10), ("width", "wide"), ("height", 10**6), ("threads", 1.5), ("camera", "yes"),
        ("outputs", ["speed"]), ("outputs", ["image", "image"]), ("opacity", 2), ("opacity", "x"), ("layers", [1]),
        ("model", 5), ("throttle_range", 0), ("colormap", 3), ("layers", 7), ("outputs", 3), ("outputs", [["image"]]),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"FASTACT_{name.upper()} is"):
        Settings.of(values_of(car(**{name: value})))
    assert Settings.as_far_as_right(values_of(car(**{name: value}))) == Settings()


def test_settings_come_from_objects_and_mappings() -> None:
    wanted = Settings(model="a.h5", layers=("conv*",), throttle_range=0.8)
    values = {"FASTACT_MODEL": "a.h5", "FASTACT_LAYERS": ["conv*"], "MODEL_CATEGORICAL_MAX_THROTTLE_RANGE": 0.8}
    assert Settings.of(values) == Settings.of(values_of(SimpleNamespace(**values))) == wanted
    assert Settings.of(values, Path("b.h5")).model == "b.h5"


def test_a_notice_keeps_its_size_however_long_the_words() -> None:
    picture = notice("title", "words " * 500, width=320, height=240)
    assert picture.shape == (240, 320, 3)
    assert (picture[:24] == PAGE).all()
