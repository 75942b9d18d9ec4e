"""What a tub says about a model, from Python and as `fastact stats`: records left out, ranges, bad input, Ctrl-C."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from configurations import conv, entry, image, model, on
from oracles import handmade
from pilots_with_faults import faulty
from tubs import COUNT, SIZE, write_manifest, write_tub

from fastact import Extractor, Model, samples
from fastact.cli import _status
from fastact.errors import InputError, UnsupportedError
from fastact.frames import read_picture
from fastact.lap import Lap
from fastact.stats import Collector, Statistics
from fastact.tub import Tub

PILOT = str(samples.pilot())


def gathered(lap: Lap) -> Statistics:
    extract = Extractor(lap.model, "first")
    collector = Collector(extract)
    for shot in lap:
        collector.add(extract(shot.frame), shot.record.index, lap.tub.inside(shot.record))
    return collector.result(damaged=lap.damaged)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Runs `fastact stats` with the sample pilot in this process; gives status, output and talk."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fastact", "stats", "--model", PILOT, *map(str, arguments)])
        return (_status(), *capsys.readouterr())

    return call


def test_damaged_records_are_counted(tmp_path: Path):
    folder = write_tub(tmp_path / "tub")
    (folder / "images/1_cam_image_array_.png").write_bytes(b"no picture")
    (folder / "images/2_cam_image_array_.png").unlink()
    with (folder / "catalog_1.catalog").open("a") as catalog:
        catalog.write("{\n[]\n")
    found = gathered(Lap(Tub.open(folder), faulty()))
    assert (found.frames, found.damaged, found.first, found.last) == (COUNT - 2, 4, 0, COUNT - 1)


def test_peaks_lead_to_pictures(tmp_path: Path):
    """What a page makes thumbnails of: the picture, the cell and its field give the filter's value again."""
    tub = Tub.open(write_tub(tmp_path / "tub"))
    made = faulty()
    extract = Extractor(made, "first")
    (layer,) = gathered(Lap(tub, made)).layers
    for f in layer.filters:
        for peak in f.peaks:
            picture = read_picture(tub.path / peak.image, (*SIZE, 3)).frame
            assert extract(picture)["first"][(*peak.cell, f.index)] == peak.value
            assert peak.field is not None
            top, left, bottom, right = peak.field
            alone = np.zeros_like(picture)
            alone[top:bottom, left:right] = picture[top:bottom, left:right]
            assert extract(alone)["first"][(*peak.cell, f.index)] == peak.value


def test_a_model_of_runs_takes_each_picture_with_those_before_it(tmp_path: Path):
    layers = [
        image("img", (3, *SIZE, 3)),
        entry("TimeDistributed", "first", [on("img")], layer=conv("inner", ())),
    ]  # fmt: skip
    runs = handmade(model(layers, [["img", 0, 0]], [["first", 0, 0]]))
    found = gathered(Lap(Tub.open(write_tub(tmp_path / "tub")), runs))
    assert found.frames == COUNT
    (layer,) = found.layers
    assert {len(p.cell) for f in layer.filters for p in f.peaks} == {3}


def two_inputs() -> Model:
    layers = [
        image("img", (*SIZE, 3)), image("numbers", (4,)), conv("first", [on("img")]),
        entry("Dense", "d", [on("numbers")], units=3),
    ]  # fmt: skip
    return handmade(model(layers, [["img", 0, 0], ["numbers", 0, 0]], [["first", 0, 0], ["d", 0, 0]]))


def test_other_inputs_must_be_given(tmp_path: Path):
    tub = Tub.open(write_tub(tmp_path / "tub"))
    with pytest.raises(InputError, match="'numbers'"):
        Lap(tub, two_inputs())
    with pytest.raises(UnsupportedError, match="no pictures"):
        Lap(tub, two_inputs(), arrays={"img": np.zeros((*SIZE, 3), np.uint8)})
    lap = Lap(tub, two_inputs(), arrays={"numbers": np.ones(4, np.float32)})
    assert gathered(lap).frames == COUNT


def test_the_command_s_table(run, tmp_path: Path):
    status, out, talk = run("--tub", write_tub(tmp_path / "tub", deleted=(3,)))
    assert status == 0
    assert f"over {COUNT - 1} frames, records 0 to {COUNT - 1}" in out
    assert "resized from 16x12 to 160x120" in talk
    assert f"{COUNT - 1} of {COUNT - 1}" in out
    assert f"{COUNT - 1}/{COUNT - 1}" in talk
    for title in ("Conv2D_Fifth_layer", "nearly dead", "duplicates", "excited by"):
        assert title in out


def test_the_command_s_json_and_csv(run, tmp_path: Path):
    tub = write_tub(tmp_path / "tub")
    (tub / "images/1_cam_image_array_.png").unlink()
    status, out, talk = run("--tub", tub, "--layers", "*F*t*", "--end", 5, "--limit", 4, "--format", "json")
    data = json.loads(out)
    assert (status, data["frames"], data["damaged_records"], data["last_record"]) == (0, 4, 1, 4)
    assert "1 record left out" in talk
    assert run("--tub", tub, "--format", "csv", "--out", "figures.csv")[:2] == (0, "figures.csv\n")
    with Path("figures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["frames"] for row in rows} == {str(COUNT - 1)}
    assert all(0 <= float(row["zeros"]) <= 1 for row in rows)
    run("--tub", tub, "--out", "figures.txt")
    assert "excited by" in Path("figures.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tub", "absent"), "no tub"),
        (("--tub", "tub", "--layers", "nothing"), "matches 'nothing'"),
        (("--tub", "tub", "--start", "5", "--end", "5"), "not after --start"),
        (("--tub", "tub", "--start", "50"), "no picture that can be read from record 50 on"),
        (("--tub", "tub", "--input", "imu=x.npy"), "no input 'imu'"),
        (("--tub", "tub", "--limit", "0"), "--limit"),
        (("--tub", "tub", "--out", "nowhere/x.json", "--format", "json"), "does not exist"),
        (("--tub", "empty"), "no picture that can be read"),
        ((), "--tub"),
    ],
)
def test_bad_input_is_one_sentence(run, tmp_path: Path, arguments: tuple[str, ...], words: str):
    write_tub(tmp_path / "tub")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/c").write_text("")
    write_manifest(tmp_path / "empty", paths=["c"], deleted_indexes=[])
    status, out, talk = run(*arguments)
    assert (status, out) == (2, "")
    assert words in talk.splitlines()[-1]
    assert "Traceback" not in talk


@pytest.mark.parametrize("after", [1, 3])
def test_ctrl_c_gives_what_there_is(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int):
    add = Collector.add

    def interrupted(self: Collector, *arguments: object) -> None:
        add(self, *arguments)  # type: ignore[arg-type]
        if self.frames == after:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Collector, "add", interrupted)
    before = signal.getsignal(signal.SIGINT)
    status, out, talk = run("--tub", write_tub(tmp_path / "tub"), "--format", "json")
    assert signal.getsignal(signal.SIGINT) is before
    data = json.loads(out)
    assert (status, data["complete"], data["frames"]) == (130, False, after)
    assert {f["frames"] for layer in data["layers"] for f in layer["filters"]} == {after}
    assert talk.splitlines()[-1] == f"fastact: interrupted: these are figures of {after} frame" + "s" * (after > 1)


def test_ctrl_c_before_the_first_frame_or_twice(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Collector, "add", interrupted)
    status, out, talk = run("--tub", write_tub(tmp_path / "tub"))
    assert (status, out, talk.splitlines()[-1]) == (130, "", "fastact: interrupted")
