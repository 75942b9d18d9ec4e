"""A tub fed to a model: one rule for all commands on which records, what other inputs get, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cases import KERAS2
from configurations import conv, entry, image, model, on
from oracles import handmade
from PIL import Image
from tubs import COUNT, SIZE, pixels, record, write_manifest, write_tub

import fastact
from fastact import samples
from fastact.donkey.camera import car_camera
from fastact.errors import InputError, UnsupportedError
from fastact.frames import read_picture
from fastact.graph import Model
from fastact.lap import Lap
from fastact.lap import command as command_of
from fastact.tub import Tub

RNN = Path(__file__).parent / "golden/sequence-keras.h5"
"""Takes a run of three pictures of 16x12, `in_0`, and four numbers, `in_1`."""


def with_numbers(name: str, length: int) -> Model:
    """A convolution on a picture, `first`, and a dense layer on another input."""
    layers = [
        image("img", (*SIZE, 3)), image(name, (length,)), conv("first", [on("img")]),
        entry("Dense", "d", [on(name)], units=3),
    ]  # fmt: skip
    return handmade(model(layers, [["img", 0, 0], [name, 0, 0]], [["first", 0, 0], ["d", 0, 0]]))


def write_imu_tub(folder: Path, count: int = 4) -> Path:
    """A tub whose records have six figures of an IMU: the record's number, and 1 to 5 more."""
    write_tub(folder, catalogs=1, count=count)
    names = [f"imu/{kind}_{axis}" for kind in ("acl", "gyr") for axis in "xyz"]
    records = [record(i, **{name: i + k for k, name in enumerate(names)}) for i in range(count)]
    (folder / "catalog_0.catalog").write_text("".join(json.dumps(r) + "\n" for r in records))
    write_manifest(folder, paths=["catalog_0.catalog"], deleted_indexes=[])
    lines = (folder / "manifest.json").read_text().splitlines()
    lines[0] = json.dumps(["cam/image_array", *names])
    lines[1] = json.dumps(["image_array", *["float"] * 6])
    (folder / "manifest.json").write_text("\n".join(lines) + "\n")
    return folder


def write_catalog(folder: Path, records: list[dict[str, Any]]) -> None:
    """The first catalog of a tub, with these records."""
    (folder / "catalog_0.catalog").write_text("".join(json.dumps(r) + "\n" for r in records))


def records_of(run, command: str, tub: Path, *arguments: object) -> tuple[int, int, int]:
    """How many records a command takes, and the first and the last of them."""
    if command == "extract":
        assert run("extract", "-m", samples.pilot(), "--tub", tub, "-o", "lap.h5", *arguments).status == 0
        with h5py.File("lap.h5") as file:
            index = file["index"][:].tolist()
        return len(index), index[0], index[-1]
    if command == "stats":
        result = run("stats", "-m", samples.pilot(), "--tub", tub, "--format", "json", *arguments)
        data = json.loads(result.out)
        return data["frames"], data["first_record"], data["last_record"]
    assert run("movie", "-m", samples.pilot(), "--tub", tub, "-o", "f.gif", "--scale", 1, *arguments).status == 0
    walk = Lap(Tub.open(tub), fastact.load(samples.pilot()), start=arguments[1], end=(*arguments, None, None)[3])
    numbers = [shot.record.index for shot in walk]
    with Image.open("f.gif") as film:
        return film.n_frames, numbers[0], numbers[-1]


@pytest.mark.parametrize("command", ["extract", "stats", "movie"])
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, None, (6, 0, 6)), (1, 5, (3, 1, 4)), (2, 4, (1, 3, 3)), (3, 4, (1, 3, 3)), (5, 100, (2, 5, 6))],
)
def test_start_is_the_first_record_and_end_the_one_to_stop_before(
    run, tmp_path: Path, command: str, start: int, end: int | None, expected: tuple[int, int, int]
):
    tub = write_tub(tmp_path / "tub", deleted=(2,))
    more = () if end is None else ("--end", end)
    assert records_of(run, command, tub, "--start", start, *more) == expected


@pytest.mark.parametrize("command", ["extract", "stats", "movie"])
def test_a_range_without_records_is_refused_and_help_says_the_rule(run, tmp_path: Path, command: str):
    given = ["--tub", write_tub(tmp_path / "tub"), "-o", "lap.h5" if command == "extract" else "out.gif"]
    for end in (2, 3):
        complaint = run(command, "-m", samples.pilot(), *given, "--start", 3, "--end", end).complaint
        assert f"{end} is not after --start 3" in complaint
    assert "from record 50 on" in run(command, "-m", samples.pilot(), *given, "--start", 50).complaint
    told = " ".join(run(command, "--help").out.split())
    assert "The record to stop before, as the tub numbers them." in told
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tub"]


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (2, 5, None, [2, 3, 4]),
        (5, None, None, [5, 6]),
        (0, None, 2, [0, 1]),
        (3, 100, 3, [3, 4, 5]),
        (7, None, 1, []),
        (0, None, 0, []),
    ],
)
def test_ranges(tmp_path: Path, start: int, end: int | None, limit: int | None, expected: list[int]):
    lap = Lap(Tub.open(write_tub(tmp_path / "tub")), fastact.load(samples.pilot()), start=start, end=end, limit=limit)
    assert lap.count() == len(expected)
    assert [shot.record.index for shot in lap] == expected


def test_frames_of_a_tub(tmp_path: Path):
    tub = Tub.open(write_tub(tmp_path / "tub", deleted=(2,)))
    shots = list(Lap(tub, with_numbers("n", 2), arrays={"n": np.ones(2)}))
    assert [s.record.index for s in shots] == [0, 1, 3, 4, 5, 6]
    for shot in shots:
        expected = pixels(shot.record.index)
        np.testing.assert_array_equal(shot.frame["img"], expected)
        np.testing.assert_array_equal(shot.frame["n"], [1, 1])
        np.testing.assert_array_equal(read_picture(tub.path / tub.inside(shot.record), (*SIZE, 3)).frame, expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_a_tub_are_fed_as_files_are(tmp_path: Path, channels: int):
    """Resized before they are made grey, as donkeycar's load_image does it."""
    tub = Tub.open(write_tub(tmp_path / "tub"))
    layers = [image("img", (7, 9, channels)), conv("first", [on("img")])]
    lap = Lap(tub, handmade(model(layers, [["img", 0, 0]], [["first", 0, 0]])))
    for shot in lap:
        picture = read_picture(shot.record.image, (7, 9, channels))
        np.testing.assert_array_equal(shot.frame, picture.frame)
        assert set(picture.notes) == set(lap.notes)
    assert set(lap.notes.values()) == {COUNT}


def test_a_lap_feeds_what_the_model_takes(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    model = fastact.load(samples.pilot())
    (shot,) = list(Lap(Tub.open(folder), model, start=3, end=4))
    np.testing.assert_array_equal(shot.picture, pixels(3))
    assert isinstance(shot.frame, np.ndarray)
    assert shot.frame.shape == (120, 160, 3)
    assert [s.record.index for s in Lap(Tub.open(folder), model).every(3)] == [0, 3, 6]
    assert Lap(Tub.open(folder), model, start=2).count() == 5


def test_a_lap_of_runs_of_pictures(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    model = fastact.load(RNN)
    with pytest.raises(InputError, match=r"'in_1'.*not in the tub '.*/tub': add --input"):
        Lap(Tub.open(folder), model)
    numbers = np.linspace(-1, 1, 4)
    shots = list(Lap(Tub.open(folder), model, arrays={"in_1": numbers}))
    assert len(shots) == 7
    np.testing.assert_array_equal(shots[0].frame["in_0"], np.stack([pixels(0)] * 3))
    np.testing.assert_array_equal(shots[6].frame["in_0"], np.stack([pixels(i) for i in (4, 5, 6)]))
    assert shots[6].frame["in_1"] is numbers


def test_fields_of_the_records_are_fed(tmp_path: Path):
    tub, pilot = write_imu_tub(tmp_path / "tub"), with_numbers("imu_in", 6)
    fed = [shot.frame["imu_in"].tolist() for shot in Lap(Tub.open(tub), pilot)]
    assert fed == [[i + k for k in range(6)] for i in range(4)]
    with pytest.raises(InputError, match=r"'imu_in'.*not in the tub '.*/other': add --input"):
        Lap(Tub.open(write_tub(tmp_path / "other")), pilot)


def test_every_command_takes_the_records_fields(run, tmp_path: Path, keras_named: Callable[[str], Any]):
    keras, tub = keras_named(KERAS2), write_imu_tub(tmp_path / "tub")
    picture, imu = keras.Input((*SIZE, 3), name="img_in"), keras.Input((6,), name="imu_in")
    seen = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, name="first")(picture))
    joined = keras.layers.concatenate([seen, imu])
    heads = [keras.layers.Dense(1, name=name)(joined) for name in ("angle", "throttle")]
    keras.Model([picture, imu], heads).save("imu.h5")
    given = ["-m", "imu.h5", "--tub", tub]
    assert run("extract", *given, "-l", "all", "-o", "lap.h5").status == 0
    assert run("extract", *given, "-l", "all", "--index", 2, "--save", "npz").status == 0
    with h5py.File("lap.h5") as file, np.load("fastact-maps/2_cam_image_array_/maps.npz") as maps:
        lap = {dataset.attrs["layer"]: dataset[2] for dataset in file["maps"].values()}
        np.testing.assert_array_equal(maps["imu_in"], np.arange(2, 8))
        for name, array in lap.items():
            np.testing.assert_array_equal(array, maps[name])
    data = json.loads(run("stats", *given, "-l", "angle", "--format", "json").out)
    assert data["frames"] == 4
    assert data["layers"][0]["filters"][0]["maximum"] >= float(f"{lap['angle'].max():.5g}")
    for command, out in (("movie", "f.gif"), ("view", "page.html"), ("saliency", "mask.png")):
        more = ["--index", 2] if command == "saliency" else []
        assert run(command, *given, *more, "-o", out).status == 0, command


def test_a_record_without_the_numbers_is_left_out(tmp_path: Path):
    tub = write_imu_tub(tmp_path / "tub")
    catalog = tub / "catalog_0.catalog"
    catalog.write_text(catalog.read_text().replace('"imu/acl_x": 2', '"imu/acl_x": null'))
    lap = Lap(Tub.open(tub), with_numbers("imu_in", 6))
    assert [shot.record.index for shot in lap] == [0, 1, 3]
    assert lap.damaged == 1
    assert [records[-1].index for records, _ in lap.runs(1)] == [0, 1, 3]


@pytest.mark.parametrize("field", ["user/angle", "user/throttle"])
@pytest.mark.parametrize("digits", ["9" * 401, "-" + "9" * 401])
def test_a_number_that_no_float_holds_is_none(tmp_path: Path, field: str, digits: str):
    folder = write_tub(tmp_path / "tub", catalogs=1)
    write_catalog(folder, [record(0), record(1) | {field: int(digits)}, record(2)])
    shots = list(Lap(Tub.open(folder), with_numbers("mem_in", 2)))
    assert [command_of(shot.record) is None for shot in shots] == [False, True, False]
    assert shots[2].frame["mem_in"].tolist() == [0, 0]


def test_an_input_that_no_float_holds_leaves_the_record_out(tmp_path: Path):
    tub = write_imu_tub(tmp_path / "tub")
    catalog = tub / "catalog_0.catalog"
    catalog.write_text(catalog.read_text().replace('"imu/acl_x": 2', f'"imu/acl_x": {"2" * 401}'))
    lap = Lap(Tub.open(tub), with_numbers("imu_in", 6))
    assert [shot.record.index for shot in lap] == [0, 1, 3]


@pytest.mark.parametrize("number", [2**63, 10**30])
def test_whole_tub_commands_leave_out_a_number_too_large(run, tmp_path: Path, number: int):
    tub = write_tub(tmp_path / "tub", catalogs=1)
    write_catalog(tub, [record(0), record(1, _index=number), record(2) | {"user/angle": 10**400}])
    assert records_of(run, "extract", tub) == (2, 0, 2)
    assert records_of(run, "stats", tub) == (2, 0, 2)


def test_a_picture_with_a_name_that_is_too_long_is_none(tmp_path: Path):
    tub = write_tub(tmp_path / "tub", catalogs=1)
    write_catalog(tub, [record(0), record(1) | {"cam/image_array": "a" * 300}, record(2)])
    lap = Lap(Tub.open(tub), fastact.load(samples.pilot()))
    assert [records[-1].index for records, _ in lap.runs(1)] == [0, 2]
    assert [shot.record.index for shot in lap] == [0, 2]


def write_car(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", "--index", 3, "-o", "out"),
        ("extract", "-o", "lap.h5"),
        ("movie", "-o", "film.gif", "--scale", 1),
    ],
)
@pytest.mark.parametrize("settings", [["IMAGE_W = 80", "IMAGE_H = 60"], ["IMAGE_DEPTH = 1"]])
def test_a_car_whose_pictures_the_pilot_does_not_take_is_refused_alike(
    run, tmp_path: Path, arguments: tuple[object, ...], settings: list[str]
):
    tub, car = write_tub(tmp_path / "tub"), write_car(tmp_path / "small.py", *settings)
    name, *more = arguments
    result = run(name, "-m", samples.pilot(), "--tub", tub, "--config", car, *more)
    found = "60x80x3" if len(settings) == 2 else "120x160x1"
    assert f"the model takes 120x160x3, and by {car} its pictures are {found}: that is not" in result.complaint
    assert not {"lap.h5", "film.gif"} & {p.name for p in tmp_path.iterdir()}


def test_a_lap_through_a_car_s_camera_is_what_its_pilot_sees(tmp_path: Path):
    """As the same pictures read one by one, with the same words on what was done to them."""
    text = (
        "IMAGE_W = 20",
        "TRANSFORMATIONS = ['CROP', 'RESIZE']",
        "ROI_CROP_TOP = 3",
        "RESIZE_WIDTH = 9",
        "RESIZE_HEIGHT = 7",
    )
    camera = car_camera(write_car(tmp_path / "car.py", *text))
    layers = [image("img", (7, 9, 3)), conv("first", [on("img")])]
    pilot = handmade(model(layers, [["img", 0, 0]], [["first", 0, 0]]))
    lap = Lap(Tub.open(write_tub(tmp_path / "tub")), pilot, prepare=camera)
    for shot in lap:
        picture = camera.read(shot.record.image, (7, 9, 3))
        np.testing.assert_array_equal(shot.frame, picture.frame)
        np.testing.assert_array_equal(shot.picture, pixels(shot.record.index))
        assert set(lap.notes) == set(picture.notes)
    assert lap.notes["resized from 16x12 to 20x7"] == COUNT
    assert any("CROP, RESIZE" in note for note in lap.notes)


def test_a_pilot_with_memory_gets_the_recorded_commands(tmp_path: Path):
    tub, pilot = Tub.open(write_tub(tmp_path / "tub", deleted=(1,))), with_numbers("mem_in", 4)
    shots = list(Lap(tub, pilot))
    assert shots[0].frame["mem_in"].tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(shots[3].frame["mem_in"], [0.2, 0.5, 0.3, 0.5])
    lap = Lap(tub, pilot)
    np.testing.assert_array_equal(lap.numbers(tub.run(4, 1, lap.further(1)))["mem_in"], shots[3].frame["mem_in"])
    given = np.float32([1, 2, 3, 4])
    assert next(iter(Lap(tub, pilot, arrays={"mem_in": given}))).frame["mem_in"] is given


def test_a_tub_gives_pictures_for_one_input_and_says_how_many(tmp_path: Path):
    tub = Tub.open(write_tub(tmp_path / "tub"))
    layers = [
        image("left", (*SIZE, 3)), image("right", (*SIZE, 3)),
        conv("first", [on("left")]), conv("second", [on("right")]),
    ]  # fmt: skip
    two = handmade(model(layers, [["left", 0, 0], ["right", 0, 0]], [["first", 0, 0], ["second", 0, 0]]))
    with pytest.raises(UnsupportedError, match=r"pictures as 'left', 'right'.*--input"):
        Lap(tub, two)
    right = np.zeros((*SIZE, 3), np.uint8)
    shot = next(iter(Lap(tub, two, arrays={"right": right})))
    np.testing.assert_array_equal(shot.frame["left"], pixels(0))
    layers = [
        image("img", (None, *SIZE, 3)),
        entry("TimeDistributed", "first", [on("img")], layer=conv("inner", ())),
    ]  # fmt: skip
    with pytest.raises(UnsupportedError, match="any number of pictures in a row"):
        Lap(tub, handmade(model(layers, [["img", 0, 0]], [["first", 0, 0]])))
