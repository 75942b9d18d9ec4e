"""The command line given names, numbers and places that lead astray: refused in one line before any work is done, and
nothing is written outside of --out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_runs import CONVOLUTIONS, PILOT, SMALL
from PIL import Image
from tubs import record, write_manifest, write_tub

from fastact.errors import OutputError
from fastact.writing import check_place, folder_name

LONG = "n" * 300
"""More than any file system takes for a name."""

GOLDEN = Path(__file__).parent / "golden"
AS_ROOT = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read and write anywhere")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("track_160x120", "track_160x120"),
        ("my frame.1 \xe9", "my frame.1 \xe9"),
        ("..", "__"),
        (".", "_"),
        ("...", "___"),
        ("", "_"),
        ("../a", ".._a"),
        ("a\\b", "a_b"),
        ("a\x1b[2J\x00\n", "a_[2J__"),
        ("\udcff", "_"),
    ],
)
def test_a_folder_s_name_stays_where_it_is_put(name, safe):
    assert folder_name(name) == safe


def test_a_picture_s_name_does_not_lead_out_of_the_folder(run, tmp_path):
    Image.open(SMALL).save(tmp_path / "...png", "PNG")
    assert run("extract", "-m", PILOT, "-i", "...png", "-o", "out/deep").out == "out/deep/__\n"
    assert run("saliency", "-m", PILOT, "-i", "...png", "-o", "out/deep").status == 0
    assert {p.parent for p in (tmp_path / "out").rglob("*") if p.is_file()} == {
        tmp_path / "out/deep/__",
        tmp_path / "out/deep",
    }


def test_a_tub_s_names_do_not_lead_out_of_the_folder(run, tmp_path):
    tub = write_tub(tmp_path / "tub", catalogs=1, count=1)
    name = "...jpg"
    shutil.copy(SMALL, tub / "images" / name)
    (tub / "catalog_0.catalog").write_text(json.dumps(record(0, **{"cam/image_array": name})) + "\n")
    write_manifest(tub, paths=["catalog_0.catalog"], current_index=1, max_len=1000, deleted_indexes=[])
    result = run("extract", "-m", PILOT, "--tub", "tub", "--index", 0, "-o", "out/deep")
    assert (result.status, result.out) == (0, "out/deep/__\n"), result.err


def test_an_array_s_name_does_not_lead_out_of_the_folder(run, tmp_path):
    np.save(tmp_path / "row.npy", np.zeros(6, np.float32))
    (tmp_path / "row.npy").rename(tmp_path / "...npy")
    given = ["--input", "in_0=...npy", "-l", "all", "--save", "npz", "-o", "out/deep"]
    assert run("extract", "-m", GOLDEN / "functions-keras.h5", *given).out == "out/deep/__\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", "-m", PILOT, "-i", f"{LONG}.jpg"),
        ("saliency", "-m", PILOT, "-i", f"{LONG}.jpg"),
        ("view", "-m", PILOT, "-i", f"{LONG}.jpg", "-o", "a.html"),
        ("info", PILOT, "--config", f"{LONG}.json"),
        ("info", f"{LONG}.h5"),
        ("extract", "-m", PILOT, "-i", SMALL, "--config", f"{LONG}.py"),
        ("extract", "-m", PILOT, "-i", SMALL, "--config", f"{LONG}/config.py"),
        ("extract", "-m", PILOT, "-i", SMALL, "--config", f"{LONG}/myconfig.py"),
    ],
    ids=lambda a: f"{a[0]} {a[-1][-12:]}",
)
def test_a_name_too_long_to_be_that_of_a_file(run, arguments):
    assert "File name too long" in run(*arguments).complaint


@AS_ROOT
@pytest.mark.parametrize("option", ["-i", "--config"])
@pytest.mark.parametrize("name", ["a.jpg", "a.json", "config.py"])
def test_a_file_in_a_folder_that_may_not_be_read(run, tmp_path, option, name):
    (tmp_path / "locked").mkdir(mode=0o000)
    complaint = run("extract", "-m", PILOT, *(() if option == "-i" else ("-i", SMALL)), option, f"locked/{name}")
    assert name in complaint.complaint


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(36, "File name too long")])
def test_a_path_that_the_system_refuses_to_look_at(run, tmp_path, monkeypatch, error):
    look = os.stat

    def refuse(path, *args, **kwargs):
        if "refused" in str(path):
            raise error
        return look(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)  # what a Path's own methods call
    for given in (["-i", "refused.jpg"], ["-i", SMALL, "--config", "refused/config.py"]):
        assert "refused" in run("extract", "-m", PILOT, *given).complaint
    assert "refused.json" in run("info", PILOT, "--config", "refused.json").complaint


@pytest.mark.parametrize("number", ["nan", "-nan", "inf", "1e999"])
@pytest.mark.parametrize(
    "command",
    [
        ("movie", "-m", PILOT, "--tub", "tub", "-o", "a.gif", "--fps"),
        ("bench", PILOT, "--seconds"),
        ("verify", PILOT, "--tolerance"),
    ],
    ids=lambda c: c[0],
)
def test_a_number_that_is_none(run, command, number):
    assert command[-1] in run(*command, number).complaint


HEADERS = {
    "deep": "-" * 5000 + "1",
    "deeper": "(" * 9000,
    "open": "{'shape': (1, 'descr",
    "keys of two kinds": "{'shape': (4,), 1: 2}",
    "no dtype": "{'descr': [3], 'fortran_order': False, 'shape': (6,)}",
    "no shape": "{'descr': '<f4', 'fortran_order': False, 'shape': ('6',)}",
    "long number": "{'descr': '<f4', 'fortran_order': False, 'shape': (0x" + "f" * 5000 + ",)}",
    "list as key": "{[]: 1}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_crafted_header_of_an_array(run, tmp_path, header, version):
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    (tmp_path / "rec.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + bytes(24))
    complaint = run("extract", "-m", GOLDEN / "functions-keras.h5", "--input", "in_0=rec.npy").complaint
    assert "'rec.npy' cannot be read: it is not an .npy file" in complaint


def in_a_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = f'"{sys.executable}" -m fastact {command}'
    return subprocess.run(["sh", "-c", words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name != "posix", reason="closes what a POSIX shell can close")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(tmp_path, closed):
    for command in (f"info '{PILOT}'", "--help", f"extract -m '{PILOT}' -i '{SMALL}' --save npz,h5 -o out"):
        result = in_a_shell(f"{command} {closed}", tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert bool(result.stdout) == (closed == "2>&-")
    with np.load(tmp_path / "out/track_160x120/maps.npz") as saved:
        assert set(CONVOLUTIONS) <= set(saved)
    assert in_a_shell(f"info nowhere.h5 {closed}", tmp_path).returncode == 2


@pytest.mark.skipif(os.name != "posix", reason="sends a process a signal as a POSIX terminal does")
@pytest.mark.parametrize("module", ["click", "fastact.graph"], ids=["before the command", "within it"])
def test_interrupted_while_it_is_being_imported(tmp_path, module):
    code = f"""
import os, runpy, signal, sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), {int(signal.SIGINT)})

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupts())
sys.argv[1:] = ["info", {PILOT!r}]
runpy.run_module("fastact", run_name="__main__")
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr.strip()) == (130, "", "fastact: interrupted")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--save", "npz"], "--save does not go with"),
        (["--cmap", "gray"], "--cmap does not go with"),
        (["--norm", "channel"], "--norm does not go with"),
        (["--raw", "--norm", "layer"], "--raw and --norm do not go with"),
        (["-i", SMALL], "--image does not go with"),
    ],
)
def test_options_that_a_whole_tub_has_no_use_for(run, tmp_path, options, words):
    write_tub(tmp_path / "tub")
    assert words in run("extract", "-m", PILOT, "--tub", "tub", "-o", "lap.h5", *options).complaint
    assert not (tmp_path / "lap.h5").exists()


@pytest.mark.parametrize("name", ["maps.h5", "maps.HDF5"])
def test_a_file_s_name_for_a_folder(run, tmp_path, name):
    complaint = run("extract", "-m", PILOT, "-i", SMALL, "--save", "h5", "-o", name).err
    assert "give a folder, which gets maps.h5 with --save h5" in " ".join(complaint.split())
    assert list(tmp_path.iterdir()) == []


def test_older_results_are_left_and_said(run, tmp_path):
    extract = ("extract", "-i", SMALL, "-o", "out", "--save")
    assert run(*extract, "png,npz", "-m", PILOT).err == ""
    folder = tmp_path / "out/track_160x120"
    (folder / "notes.png").write_text("the user's own")
    assert run(*extract, "png,npz", "-m", PILOT).err == ""  # all of it is written anew
    before = {p.name for p in folder.iterdir()}
    result = run(*extract, "png", "-m", PILOT, "-l", CONVOLUTIONS[0])
    assert result.err == "fastact: 'out/track_160x120' still has 5 files of earlier results beside these\n"
    assert run(*extract, "h5", "-m", PILOT).err.count("still has 7 files") == 1
    assert {p.name for p in folder.iterdir()} == before | {"maps.h5"}


@pytest.fixture
def places(tmp_path):
    """A folder, a file, and a tub that is never read."""
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("precious")
    for kind in ("json", "md", "html"):
        (tmp_path / f"reports/report.{kind}").mkdir(parents=True)
    (tmp_path / "cam.png").mkdir()
    return tmp_path


PLACES = {
    "folder.mp4": "this is a folder",
    "nodir/x.mp4": "the folder does not exist",
    "file/x.mp4": "a part of the path is a file",
    f"{LONG}.mp4": "the name is too long",
}


@pytest.mark.parametrize(("place", "words"), PLACES.items(), ids=[p[-12:] for p in PLACES])
@pytest.mark.parametrize("command", ["stats --tub no", "movie --tub no", f"view -i {SMALL}"])
def test_a_place_that_nothing_can_be_written_to_is_said_first(run, places, monkeypatch, place, words, command):
    monkeypatch.setattr("fastact.graph.load", pytest.fail)  # nothing is read, let alone computed
    monkeypatch.setattr("fastact.cli.view.load", pytest.fail, raising=False)
    if command.startswith("movie"):
        monkeypatch.setattr("fastact.film.files.check_film", lambda path, fps: None)  # without the package of videos
    assert words in run(*command.split(), "-m", PILOT, "-o", place).complaint
    assert (places / "file").read_text() == "precious"


def test_places_of_reports_masks_and_laps_are_looked_at_first(run, places, monkeypatch):
    monkeypatch.setattr("fastact.bench.measure.measure", pytest.fail)
    assert "report.md': this is a folder" in run("bench", PILOT, "-o", "reports", "--save", "md").complaint
    monkeypatch.setattr("fastact.cli.feeding.Feeder.feed", pytest.fail)
    assert "this is a folder" in run("saliency", "-m", PILOT, "-i", SMALL, "-o", "cam.png").complaint
    assert "too long" in run("saliency", "-m", PILOT, "-i", SMALL, "-o", f"{LONG}.png").complaint
    assert "does not exist" in run("extract", "-m", PILOT, "--tub", "no", "-o", "nodir/lap.h5").complaint
    assert "too long" in run("extract", "-m", PILOT, "--tub", "no", "-o", f"{LONG}.h5").complaint


def test_places_that_can_be_written_to_are_not_touched(tmp_path):
    (tmp_path / "old").write_text("precious")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("old", "new", "link"):
        check_place(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "old"]
    assert (tmp_path / "old").read_text() == "precious"


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(OutputError, match="'/dev/null': this is a device or a pipe"):
        check_place(os.devnull)


@AS_ROOT
def test_a_folder_that_may_not_be_written_to(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="it cannot be written to"):
        check_place(tmp_path / "locked/a")


def test_a_folder_that_the_system_says_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="it cannot be written to"):
        check_place(tmp_path / "a")


def test_verify_offers_no_size_and_takes_none(run):
    offered = run("verify", "--help").out
    assert "NAME=FILE.npy" in offered
    assert "WIDTH" not in offered
    assert "'640x360' is not NAME=FILE.npy" in " ".join(run("verify", PILOT, "--input", "640x360").err.split())
