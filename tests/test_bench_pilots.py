"""Pilots that take more than one picture, or none, and what `fastact bench` says of them."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is run from the repository, not installed

import fastact  # noqa: E402
from benchmarks.recorder import write_h5  # noqa: E402
from fastact import samples  # noqa: E402
from fastact.bench import measure as measuring  # noqa: E402
from fastact.bench import words  # noqa: E402
from fastact.bench.measure import Request, measure  # noqa: E402
from fastact.bench.result import to_json  # noqa: E402
from fastact.errors import InputError  # noqa: E402
from fastact.frames import read_picture  # noqa: E402

SCHEMA = json.loads((Path(measuring.__file__).parent / "report.schema.json").read_text())


@pytest.fixture(scope="module")
def other_pilots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Networks that take two pictures, a sequence of pictures, a volume, and no picture."""
    folder = tmp_path_factory.mktemp("pilots")

    def two(k: Any) -> Any:
        eyes = [k.layers.Input((60, 80, 3), name=name) for name in ("left", "right")]
        return k.Model(eyes, k.layers.Add()([k.layers.Conv2D(4, 5, strides=2)(eye) for eye in eyes]))

    def volume(k: Any) -> Any:
        image = k.layers.Input((5, 60, 80, 3), name="image")
        return k.Model(image, k.layers.Conv3D(filters=4, kernel_size=3, strides=2)(image))

    def numbers(k: Any) -> Any:
        given = k.layers.Input((6,), name="imu")
        return k.Model(given, k.layers.Dense(2)(given))

    made = {"two": two, "volume": volume, "numbers": numbers}
    written = {name: write_h5(network, folder / f"{name}.h5") for name, network in made.items()}
    return {**written, "sequence": Path(__file__).parent / "golden/sequence-keras.h5"}


@pytest.mark.parametrize(
    ("name", "shown", "sizes"),
    [
        ("two", "38x28x4", ["80x60"]),
        ("sequence", "3x7x5x4", ["16x12", "640x360"]),
        ("volume", "2x39x29x4", ["80x60", "640x360"]),
    ],
)
def test_pilots_that_take_more_than_one_picture(
    other_pilots: dict[str, Path], name: str, shown: str, sizes: list[str]
) -> None:
    """Of two pictures another size is for one; a model of theirs is measured at the size it has."""
    model = fastact.load(other_pilots[name])
    report = measure(Request(model, seconds=0.1)).report
    assert [size.label for size in report.sizes] == sizes
    assert words.shape(report.sizes[0].layers[-1]) == shown
    assert len(report.sweep) == (7 if len(sizes) > 1 else 1)
    for size in report.sizes:
        assert size.picture is not None
        assert size.picture.decoding.median > 0
        assert size.process_bytes is not None
    jsonschema.validate(json.loads(to_json(report)), SCHEMA)


def test_the_samples_are_seen_as_each_camera_sees_them() -> None:
    """160x120 is no squashed 640x360; a picture that is asked for is fed at every size."""
    sizes, frames = ((120, 160), (360, 640)), [samples.frame("160x120"), samples.frame("640x360")]
    request = Request(fastact.load(samples.pilot()), sizes, "Conv2D_First_layer", seconds=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "_beside", lambda *_: None)
        patch.setattr(measuring, "_sweep", lambda *_: None)
        own, asked = measure(request), measure(dataclasses.replace(request, image=frames[1]))
    for runner, path in zip(own.runners, frames, strict=True):
        np.testing.assert_array_equal(runner.inputs["img_in"], np.asarray(Image.open(path)))
    squashed = read_picture(frames[1], (120, 160, 3)).frame
    np.testing.assert_array_equal(asked.runners[0].inputs["img_in"], squashed)


def test_another_size_of_two_pictures_is_refused(other_pilots: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="has 2 inputs for pictures, and another size is for one"):
        measure(Request(fastact.load(other_pilots["two"]), [(360, 640)]))


def test_a_model_without_pictures_is_refused(other_pilots: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="takes no picture, whose size could be changed"):
        measure(Request(fastact.load(other_pilots["numbers"])))
