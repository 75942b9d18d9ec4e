"""A car's configuration is read without being executed, and pictures become what its pilot sees.

That masks and values are donkeycar's own is tested beside it: `test_donkey_vehicle.py`.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fastact import Extractor, samples
from fastact.cli.extract import command
from fastact.cli.options import networks_and_cars
from fastact.donkey.camera import car_camera
from fastact.donkey.config import LARGEST_FILE, read_config
from fastact.donkey.settings import table
from fastact.donkey.transformations import Transformations, polygon, resized
from fastact.errors import FileError, InputError, UnsupportedError

FRAME = np.asarray(Image.open(samples.frame("160x120")).convert("RGB"))


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, name: str = "car.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A = 160", 160),
        ("A = B = 2\nB = 3", 2),
        ("A: int = 160  # words", 160),
        ("B = 80\nA = B * 2 + 1 - 4 // 2", 159),
        ("A = -1.5", -1.5),
        ("A = ['CROP', 'TRAPEZE',]", ["CROP", "TRAPEZE"]),
        ("B = ['CROP']\nA = B + ['RESIZE']", ["CROP", "RESIZE"]),
        ("A = ['CROP']\nA += ['RESIZE']", ["CROP", "RESIZE"]),
        ("A = ['CROP']\nB = A\nB += ['RESIZE']", ["CROP", "RESIZE"]),
        ("A = {'a': 1, 2: [3]}", {"a": 1, 2: [3]}),
        ("A = 1\nA += 2", 3),
        ("A = (1, None, True, 'x')", (1, None, True, "x")),
        ("import os\nC = os.path.join('a')\nA = 5", 5),
        ('"""words"""\nprint("hello")\nA = 5', 5),
        ("if x:\n    B = 1\nA = 5", 5),
        ("A = 1\nA = 2", 2),
        ("A = f()\nA = 2", 2),
    ],
)
def test_plain_values(text: str, value: object, written) -> None:
    assert read_config(written(text))["A"] == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A = int('160')", 1),
        ("import os\nA = os.environ['W']", 2),
        ("B = f()\n\nA = B", 3),
        ("A = 1\nif True:\n    A = 2", 2),
        ("A = 1\nfor A in range(3):\n    pass", 2),
        ("A = ['CROP']\nA.append('RESIZE')", 2),
        ("A = ['CROP']\nB = A\nB.append('RESIZE')", 3),
        ("A = ['CROP']\nf(A)", 2),
        ("A = ['CROP']\nC = f(A)", 2),
        ("A = ['CROP']\nA[0] = 'x'", 2),
        ("A = 1\nfrom elsewhere import *", 2),
        ("A = 1\nfrom elsewhere import A", 2),
        ("A = 1\nexec('A = 2')", 2),
        ("A = 1\nglobals()['A'] = 2", 2),
        ("A = 1\ndel A", 2),
        ("A = 1\n(A, B) = 2, 3", 2),
        ("A = 1\nf(A := 2)", 2),
        ("def f():\n    global A\n    A = 2\n", 1),
        ("A = 2 ** 70", 1),
        ("A = 'x' * 10 ** 9", 1),
        ("A = 1 / 0", 1),
        ("A = 1 if B else 2", 1),
        ("A = f'{1}'", 1),
        ("A = [x for x in (1, 2)]", 1),
        ("A = lambda: 1", 1),
        ("A = {[]: 1}", 1),
        ("A = {**B}", 1),
        ("A = {'a': 1}\nA['a'] = 2", 2),
        ("A = +[]", 1),
        ("A = " + "+".join(["9" * 18] * 20), 1),
    ],
)
def test_values_that_only_running_would_tell_are_refused_when_asked_for(text: str, line: int, written) -> None:
    path = written(text)
    config = read_config(path)
    with pytest.raises(InputError, match=f"line {line}: what A is only running the file would tell"):
        config["A"]


def test_names_that_are_not_there(written) -> None:
    config = read_config(written("B = 1"))
    assert list(config) == ["B"]
    assert config.get("A") is None
    with pytest.raises(InputError, match=r"A may be set by .*, line 2"):
        read_config(written("B = 1\nfrom elsewhere import *")).get("A")


def test_nothing_is_executed(written, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'trap')!r}, 'w').close()"
    read_config(written(f"{trap}\nA = {trap}\nif {trap}: pass\nclass B: {trap}\nIMAGE_W = 160"))
    assert not (tmp_path / "trap").exists()


def test_myconfig_comes_after_config_whichever_is_given(written) -> None:
    paths = [written("A = 1\nB = 1\nC = 1", "config.py"), written("B = 2\nif C:\n    C = 3", "myconfig.py")]
    for path in paths:
        config = read_config(path)
        assert (config["A"], config["B"]) == (1, 2)
        with pytest.raises(InputError, match=r"myconfig\.py, line 2"):
            config["C"]
    assert read_config(written("B = 3", "other.py"))["B"] == 3


@pytest.mark.parametrize(
    "content",
    [b"A = (", b"A = 1\0", b"\xff\xfe", b"(" * 5000, b"A = " + b"-" * 500_000 + b"1", b"A" * (LARGEST_FILE + 1)],
    ids=["open", "zero", "bytes", "deep", "signs", "long"],
)
def test_files_that_are_no_configuration(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "car.py"
    path.write_bytes(content)
    with pytest.raises(FileError):
        read_config(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no configuration file"):
        read_config(tmp_path / "config.py")
    with pytest.raises(FileError, match="cannot be read"):
        read_config(tmp_path)


def test_long_sums_are_read(written) -> None:
    assert read_config(written("A = " + "+".join(["1"] * 300)))["A"] == 300


def test_growing_values_are_given_up(written) -> None:
    doubled = "B = ['CROP']\n" + "B = B + B\n" * 60
    with pytest.raises(InputError, match="only running"):
        read_config(written(doubled))["B"]
    with pytest.raises(InputError, match="only running"):
        read_config(written("B = 3\n" + "B = B * B\n" * 60))["B"]
    with pytest.raises(InputError, match="only running"):
        read_config(written("B = ['CROP']\n" + "B += B\n" * 60))["B"]


def test_a_crop_blackens_the_border() -> None:
    crop = Transformations({"TRANSFORMATIONS": ["CROP"], "ROI_CROP_TOP": 45, "ROI_CROP_BOTTOM": 10, "ROI_CROP_LEFT": 3})
    picture = crop(FRAME)
    assert crop.names == ("CROP",)
    outside = [picture[:45], picture[111:], picture[:, :3]]
    assert not any(part.any() for part in outside)
    np.testing.assert_array_equal(picture[45:111, 3:], FRAME[45:111, 3:])


def test_transformations_are_in_order_and_pictures_of_any_size() -> None:
    values = {
        "TRANSFORMATIONS": ["TRAPEZE"],
        "POST_TRANSFORMATIONS": ("RESIZE",),
        **{"ROI_TRAPEZE_UL": 20, "ROI_TRAPEZE_UR": 140, "ROI_TRAPEZE_LL": 0, "ROI_TRAPEZE_LR": 160},
        **{"ROI_TRAPEZE_MIN_Y": 60, "ROI_TRAPEZE_MAX_Y": 120},
        "RESIZE_WIDTH": 80,
        "RESIZE_HEIGHT": 60,
    }
    change = Transformations(values)
    assert change.names == ("TRAPEZE", "RESIZE")
    assert change(FRAME).shape == (60, 80, 3)
    assert change(FRAME[..., :1]).shape == (60, 80, 1)
    assert not change(FRAME)[:29].any()
    assert change(np.full((240, 320, 3), 9, np.uint8)).shape == (60, 80, 3)


def test_resizing_keeps_what_is_flat_and_what_is_straight() -> None:
    assert (resized(np.full((7, 9, 3), 77, np.uint8), 31, 5) == 77).all()
    ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (6, 1))
    wide = resized(ramp, 40, 6)[0].astype(int)
    np.testing.assert_allclose(wide[1:-1], (np.arange(40) * 5 - 2.5)[1:-1], atol=1)
    np.testing.assert_array_equal(resized(ramp, 10, 3)[0], np.arange(10) * 20 + 5)


def test_polygons_outside_the_picture_are_empty() -> None:
    assert not polygon(10, 10, [(20, 20), (30, 20), (30, 30), (20, 30)]).any()
    assert polygon(10, 10, [(-5, -5), (30, -5), (30, 30), (-5, 30)]).all()


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"TRANSFORMATIONS": ["CANNY"]}, UnsupportedError, "does not know the transformation 'CANNY'"),
        ({"TRANSFORMATIONS": ["TRAPEZE"]}, InputError, "ROI_TRAPEZE_UL in the car's configuration is None"),
        ({"TRANSFORMATIONS": ["CROP"], "ROI_CROP_TOP": "x"}, InputError, "ROI_CROP_TOP"),
        ({"TRANSFORMATIONS": ["CROP"], "ROI_CROP_TOP": float("nan")}, InputError, "ROI_CROP_TOP"),
        ({"TRANSFORMATIONS": ["RESIZE"], "RESIZE_WIDTH": 0, "RESIZE_HEIGHT": 3}, InputError, "no picture's size"),
        ({"TRANSFORMATIONS": "CROP"}, InputError, "no list of names"),
    ],
)
def test_transformations_that_are_refused(values: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        Transformations(values)


def test_a_camera_reads_what_the_pilot_sees(written, tmp_path: Path) -> None:
    text = "IMAGE_W = 160\nIMAGE_H = 120\nIMAGE_DEPTH = 3\nTRANSFORMATIONS = ['CROP']\nROI_CROP_TOP = 45\n"
    camera = car_camera(written(text))
    picture = camera.read(samples.frame("160x120"), (120, 160, 3))
    assert not picture.frame[:45].any()
    np.testing.assert_array_equal(picture.frame[45:], FRAME[45:])
    assert "CROP" in picture.notes[-1]
    again = camera(FRAME, (120, 160, 3))
    np.testing.assert_array_equal(again.frame, picture.frame)
    assert again.notes == picture.notes
    with pytest.raises(InputError, match=r"the model takes 60x80x3, and by .* its pictures are 120x160x3"):
        camera(FRAME, (60, 80, 3))
    with pytest.raises(InputError, match=r"the model takes 60x80x3, and by .* its pictures are 120x160x3"):
        camera.read(samples.frame("160x120"), (60, 80, 3))
    assert car_camera(written("")).read(samples.frame("640x360"), (60, 80, 3)).frame.shape == (60, 80, 3)
    grey = car_camera(written("IMAGE_DEPTH = 1")).read(samples.frame("160x120"), (120, 160, 1))
    assert grey.frame.shape == (120, 160, 1)


@pytest.mark.parametrize("text", ["IMAGE_W = 'wide'", "IMAGE_W = 0", "IMAGE_DEPTH = 2", "IMAGE_H = f()"])
def test_cameras_that_are_none(text: str, written) -> None:
    with pytest.raises(InputError):
        car_camera(written(text))


def extract(*arguments: object) -> object:
    return CliRunner().invoke(command, ["--model", str(samples.pilot()), *map(str, arguments)], catch_exceptions=False)


def test_extract_feeds_what_the_car_s_pilot_sees(written, tmp_path: Path) -> None:
    config = written("IMAGE_W = 160\nIMAGE_H = 120\nTRANSFORMATIONS = ['CROP']\nROI_CROP_TOP = 45")
    arguments = ("--image", samples.frame("160x120"), "--save", "npz", "--out", tmp_path / "maps")
    result = extract(*arguments, "--config", config)
    assert result.exit_code == 0
    assert "transformed as" in result.output
    with np.load(tmp_path / "maps" / "track_160x120" / "maps.npz") as maps:
        found = maps["Conv2D_First_layer"]
    cropped = np.concatenate([np.zeros_like(FRAME[:45]), FRAME[45:]])
    expected = Extractor(samples.pilot())(cropped)["Conv2D_First_layer"]
    np.testing.assert_array_equal(found, expected)


def test_a_network_s_configuration_and_a_car_s_are_told_apart_by_name(written) -> None:
    assert networks_and_cars(["a.json", "mycar/config.py"]) == ("a.json", "mycar/config.py")
    assert networks_and_cars([]) == (None, None)
    for twice in (["a.py", "b.py"], ["a.json", "b.h5"]):
        with pytest.raises(click.BadParameter, match="one file for the car and one for the network"):
            networks_and_cars(twice)
    with pytest.raises(InputError, match="only running"):
        extract("--image", samples.frame("160x120"), "--config", written("IMAGE_W = f()"))


def test_the_table_of_settings_is_the_record_s() -> None:
    text = (Path(__file__).parent.parent / "docs" / "donkey.md").read_text()
    written = text.partition("<!-- settings: python -m fastact.donkey.settings -->\n")[2].partition("\n<!-- end -->")[0]
    assert written == table(), "put what python -m fastact.donkey.settings prints into docs/donkey.md"
