"""Every type of donkeycar's pilots is recognised by its outputs, which become steering and throttle.

That the figures are donkeycar's own is tested in a car: `test_donkey_vehicle.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import KERAS2
from pilots import PILOTS, RUN

from fastact import Extractor, load, samples
from fastact.errors import InputError, UnsupportedError
from fastact.frames import fit
from fastact.graph import Model
from fastact.pilots import Command, Decoder, Feeding, decoder, inferred_throttle

FRAME = np.arange(120 * 160 * 3, dtype=np.uint32).reshape(120, 160, 3).astype(np.uint8)
OTHERS = {"imu": (np.linspace(-1, 1, 6),), "behavior": ([0, 1, 0],)}
LAYERS = {
    "linear": ("n_outputs0", "n_outputs1"),
    "inferred": ("n_outputs0",),
    "categorical": ("angle_out", "throttle_out"),
    "memory": ("steering", "throttle"),
    "imu": ("out_0", "out_1"),
    "behavior": ("angle_out", "throttle_out"),
    "localizer": ("angle", "throttle"),
    "rnn": ("model_outputs",),
    "three_d": ("outputs",),
    "latent": ("angle", "throttle"),
    "old_linear": ("angle_out", "throttle_out"),
}


@pytest.fixture(scope="module")
def pilots(keras_named: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    keras, folder = keras_named(KERAS2), tmp_path_factory.mktemp("pilots")
    models = {}
    for case in PILOTS:
        path = folder / f"{case.id}.h5"
        keras.utils.set_random_seed(7)
        case.make(keras).save(path)
        models[case.id] = load(path)
    return models


@pytest.mark.parametrize("name", LAYERS)
def test_every_pilot_gives_a_command(name: str, pilots: dict[str, Model]) -> None:
    model = pilots[name]
    decode, feed = decoder(model), Feeding(model)
    assert decode.layers == LAYERS[name]
    maps = Extractor(model, decode.layers)(feed(FRAME, *OTHERS.get(name, ())))
    command = decode(maps)
    assert all(math.isfinite(value) for value in command)
    numbers = [float(maps[layer].reshape(-1)[0]) for layer in decode.layers]
    if name in ("categorical", "behavior"):
        angle, throttle = (int(maps[layer].argmax()) for layer in decode.layers)
        assert command == pytest.approx((-1 + angle / 7, throttle / 40))
    elif name == "inferred":
        assert command == pytest.approx((numbers[0], inferred_throttle(numbers[0])))
    elif name in ("rnn", "three_d"):
        assert command == tuple(map(float, maps[decode.layers[0]]))
    else:
        assert command == tuple(numbers)


def test_places_reach_from_left_to_right_and_from_nothing_to_the_range() -> None:
    decode = Decoder(("a", "t"), throttle_range=0.8)
    for i, j in ((0, 0), (7, 10), (14, 19)):
        maps = {"a": np.eye(15, dtype=np.float32)[i], "t": np.eye(20, dtype=np.float32)[j]}
        assert decode(maps) == pytest.approx(((i - 7) / 7, 0.04 * j))


def test_throttle_of_an_inferred_pilot() -> None:
    """The values of donkeycar 5.3.0's utils.throttle."""
    assert [inferred_throttle(a) for a in (-1.0, 0.0, 1.0)] == pytest.approx([1.0, 0.7538007, 0.5565307])
    assert inferred_throttle(-5) == inferred_throttle(-1)


def test_a_model_that_steers_nothing_is_refused(pilots: dict[str, Model]) -> None:
    no_pilot = replace(pilots["linear"], outputs=("conv2d_5",))
    with pytest.raises(UnsupportedError, match="steers nothing: its outputs, conv2d_5 of 8x13x64"):
        decoder(no_pilot)


def test_outputs_in_another_order_are_taken_by_name(pilots: dict[str, Model]) -> None:
    for name in ("linear", "categorical", "localizer"):
        model = pilots[name]
        assert decoder(replace(model, outputs=model.outputs[::-1])).layers == LAYERS[name]


def test_a_run_begins_with_the_first_picture_and_moves_on(pilots: dict[str, Model]) -> None:
    feed = Feeding(pilots["rnn"])
    frames = [np.full((120, 160, 3), i, np.uint8) for i in range(4)]
    runs = [feed(frame)["img_in"][:, 0, 0, 0].tolist() for frame in frames]
    assert RUN == 3
    assert runs == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]


def test_a_pilot_with_memory_gets_its_last_commands(pilots: dict[str, Model]) -> None:
    feed = Feeding(pilots["memory"], start_speed=0.3)
    assert feed(FRAME)["mem_in"].tolist() == pytest.approx([0, 0.3, 0, 0.3, 0, 0.3])
    feed.remember(Command(-0.5, 0.25))
    assert feed(FRAME)["mem_in"].tolist() == pytest.approx([0, 0.3, 0, 0.3, -0.5, 0.25])


@pytest.mark.parametrize(
    ("others", "words"),
    [((), "nothing gives them"), ((None,), "nothing gives them"), ((range(5),), "not 5"), ((["x"] * 6,), "not list")],
)
def test_numbers_that_do_not_fit_are_refused(others: tuple, words: str, pilots: dict[str, Model]) -> None:
    feed = Feeding(pilots["imu"])
    assert feed.others == ("imu_in",)
    with pytest.raises(InputError, match=words):
        feed(FRAME, *others)


def test_frames_are_brought_to_the_model_s_size() -> None:
    feed = Feeding(load(samples.pilot()))
    name = feed.input
    for shape in ((240, 320, 3), (240, 320), (120, 160, 1), (7, 9, 3)):
        picture = feed(np.full(shape, 77, np.uint8))[name]
        assert picture.shape == (120, 160, 3)
        assert (picture == 77).all()
    assert feed(FRAME)[name] is FRAME
    assert fit(FRAME, (None, None, 1)).frame.shape == (120, 160, 1)


@pytest.mark.parametrize(
    "frame", ["x", np.zeros((2, 2, 3)), np.zeros((0, 5, 3), np.uint8), np.zeros((2, 2, 7), np.uint8)]
)
def test_what_is_no_frame_is_refused(frame: object) -> None:
    with pytest.raises(InputError, match="a frame is uint8"):
        fit(frame, (120, 160, 3))  # type: ignore[arg-type]


def test_a_model_without_pictures_is_refused(keras_named: Callable[[str], Any], tmp_path: Path) -> None:
    keras = keras_named(KERAS2)
    keras.Sequential([keras.layers.Dense(2, input_shape=(4,))]).save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedError, match="takes no pictures"):
        Feeding(load(tmp_path / "m.h5"))
