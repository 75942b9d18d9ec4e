"""A car's configuration on the command line: what its pilot gets is what every command feeds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_runs import PILOT, SMALL, changed_pilot
from page_server import get
from python_threads import PATIENCE
from tubs import COUNT, pixels, write_tub

from fastact import Extractor, Model, load, samples
from fastact.donkey.camera import Camera, car_camera
from fastact.frames import decode
from fastact.lap import Lap
from fastact.saliency import VisualBackProp
from fastact.stats import Collector, Statistics
from fastact.tub import Tub

TRANSFORMED = "transformed as "


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a car whose pilot gets nothing of the upper third."""
    path = tmp_path / "myconfig.py"
    path.write_text("IMAGE_W = 160\nIMAGE_H = 120\nTRANSFORMATIONS = ['CROP']\nROI_CROP_TOP = 45\n")
    return path


@pytest.fixture
def tub(tmp_path: Path) -> Path:
    return write_tub(tmp_path / "tub")


@pytest.fixture(scope="module")
def pilot() -> Model:
    return load(samples.pilot())


def cropped(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(picture[:45]), picture[45:]])


def figures(pilot: Model, tub: Path, camera: Camera | None) -> Statistics:
    """Statistics of the first convolution over a tub."""
    lap = Lap(Tub.open(tub), pilot, prepare=camera)
    extract = Extractor(pilot, "Conv2D_First_layer")
    collector = Collector(extract)
    for shot in lap:
        collector.add(extract(shot.frame), shot.record.index, lap.tub.inside(shot.record))
    return collector.result(damaged=lap.damaged)


def test_stats_are_of_what_the_pilot_gets(run, config: Path, tub: Path, pilot: Model) -> None:
    arguments = ("stats", "-m", PILOT, "--tub", tub, "-l", "Conv2D_First_layer", "--format", "json")
    expected = json.loads(figures(pilot, tub, car_camera(config)).to_json())
    assert json.loads(run(*arguments, "--config", config).out)["layers"] == expected["layers"]
    assert json.loads(run(*arguments).out)["layers"] != expected["layers"]


def test_saliency_is_of_what_the_pilot_gets(run, config: Path, tmp_path: Path) -> None:
    result = run("saliency", "-m", PILOT, "-i", SMALL, "--config", config, "--save", "npz", "--out", "o")
    assert result.status == 0, result
    assert TRANSFORMED in result.err
    with np.load(tmp_path / "o" / "track_160x120-visualbackprop.npz") as file:
        np.testing.assert_array_equal(file["mask"], VisualBackProp(PILOT)(cropped(decode(SMALL))))


def test_view_shows_what_the_pilot_gets(run, config: Path, tub: Path, pilot: Model, monkeypatch) -> None:
    """The page's maps, its statistics, and the pictures behind a filter's peaks."""
    pages = []
    monkeypatch.setattr("fastact.page.html.page", lambda columns, **more: pages.append((columns, more["told"])) or "")
    result = run("view", "-m", PILOT, "--tub", tub, "--config", config, "-l", "Conv2D_First_layer", "--out", "p.html")
    assert result.status == 0, result
    assert TRANSFORMED in result.err
    (column,), (told,) = pages[0]
    camera = car_camera(config)
    seen = camera(pixels(0), (None, None, None)).frame
    assert not seen[:45].any()
    np.testing.assert_array_equal(column.fed.picture, seen)
    expected = Extractor(pilot, "Conv2D_First_layer")(seen)["Conv2D_First_layer"]
    np.testing.assert_array_equal(column.maps["Conv2D_First_layer"], expected)
    assert told.statistics.layers == figures(pilot, tub, camera).layers
    np.testing.assert_array_equal(
        told.picture("images/1_cam_image_array_.png"), camera(pixels(1), (None, None, None)).frame
    )


def test_a_page_of_a_grey_camera_has_thumbnails(run, tub: Path, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("IMAGE_DEPTH = 1\n")
    grey = grey_pilot(tmp_path / "grey.h5")
    result = run(
        "view", "-m", grey, "--tub", tub, "--config", "config.py", "-l", "Conv2D_First_layer", "--out", "p.html"
    )
    assert result.status == 0, result
    assert (tmp_path / "p.html").read_text().count("data:image/jpeg;base64,") > 0


def grey_pilot(path: Path) -> Path:
    """The sample pilot for grey pictures."""

    def turn(file: h5py.File) -> None:
        file.attrs["model_config"] = file.attrs["model_config"].replace("[null, 120, 160, 3]", "[null, 120, 160, 1]")
        kernel = next(v for k, v in _datasets(file).items() if "Conv2D_First_layer" in k and "kernel" in k)
        name, group, values = kernel.name, kernel.parent, kernel[:, :, :1]
        del file[name]
        group[name] = values

    return changed_pilot(path, turn)


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    file.visititems(lambda name, x: found.update({name: x}) if isinstance(x, h5py.Dataset) else None)
    return found


@contextmanager
def served(*arguments: object) -> Iterator[str]:
    """The address of a server; it ends well."""
    command = [sys.executable, "-m", "fastact", "view", *map(str, arguments), "--serve", "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            address = process.stdout.readline().strip()
            assert address, process.stderr.read()
            yield address
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_view_serves_what_the_pilot_gets(config: Path, tub: Path, pilot: Model) -> None:
    pytest.importorskip("waitress", reason="waitress is not installed")
    arguments = ("-m", PILOT, "--tub", tub, "--config", config, "-l", "Conv2D_First_layer")
    with served(*arguments) as address:
        found = np.frombuffer(get(f"{address}frames/4/maps/0/1")[1], "<f4")
    expected = Extractor(pilot, "Conv2D_First_layer")(car_camera(config)(pixels(4), (None, None, None)).frame)[
        "Conv2D_First_layer"
    ]
    np.testing.assert_array_equal(found, np.moveaxis(expected, -1, 0).ravel())


@pytest.mark.parametrize("command", ["saliency", "stats", "view"])
def test_a_configuration_that_needs_running_is_refused(run, tub: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "config.py").write_text("IMAGE_W = f()\n")
    index = () if command == "stats" else ("--index", "0")
    complaint = run(command, "-m", PILOT, "--tub", tub, *index, "--config", "config.py").complaint
    assert "only running" in complaint
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.parametrize("command", ["bench", "info", "verify"])
def test_commands_without_a_car_say_so(run, config: Path, command: str) -> None:
    complaint = run(command, PILOT, "--config", config).complaint
    assert complaint == (
        "Error: Invalid value for '--config': this command does not take a car's configuration: give the description "
        "of a network, or leave it out"
    )


def test_a_page_shows_the_first_picture_that_can_be_read(run, tub: Path, tmp_path: Path) -> None:
    for number, content in ((0, b"no picture"), (1, b"")):
        (tub / "images" / f"{number}_cam_image_array_.png").write_bytes(content)
    arguments = ("view", "-m", PILOT, "--tub", tub, "-l", "Conv2D_First_layer", "--out", "p.html")
    result = run(*arguments)
    assert result.status == 0, result
    name = "2_cam_image_array_.png"
    assert f'<span class="fed">{name}</span>' in (tmp_path / "p.html").read_text()
    assert f"fastact: shown is {name}, the first of the tub that can be read" in result.err.splitlines()
    assert "0_cam_image_array_.png' is not a picture" in run(*arguments, "--index", "0").complaint
    for number in range(COUNT):
        (tub / "images" / f"{number}_cam_image_array_.png").write_bytes(b"no picture")
    assert "is not a picture" in run(*arguments).complaint


@pytest.mark.parametrize("out", [True, False])
def test_ctrl_c_while_a_page_is_made_leaves_nothing(run, tub: Path, tmp_path: Path, monkeypatch, out: bool) -> None:
    add, opened = Collector.add, []

    def interrupted(self: Collector, *arguments: object) -> None:
        add(self, *arguments)  # type: ignore[arg-type]
        if self.frames == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Collector, "add", interrupted)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = run("view", "-m", PILOT, "--tub", tub, *(("--out", "p.html") if out else ()))
    assert (result.status, result.out, opened) == (130, "", [])
    assert result.err.splitlines()[-1] == "fastact: interrupted"
    assert [p.name for p in tmp_path.iterdir()] == ["tub"]
