"""The command line given what it cannot use, interrupted, without room: one clear line, and no half-written file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_runs import CONVOLUTIONS, LARGE, PILOT, SMALL, changed_pilot
from PIL import Image
from tubs import write_manifest, write_tub

import fastact


def test_a_missing_model(run):
    assert "nowhere.h5" in run("info", "nowhere.h5").complaint


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x03\x04" + bytes(64)])
def test_a_file_that_is_no_model(run, tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    assert "a.h5" in run("extract", "-m", "a.h5", "-i", SMALL).complaint
    assert not (tmp_path / "fastact-maps").exists()


def test_a_configuration_that_is_no_network_is_said_with_its_file(run, tmp_path, alone):
    def twice(file):
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].append(config["config"]["layers"][-1])
        file.attrs["model_config"] = json.dumps(config)

    words = "the configuration names two layers"
    path = changed_pilot(tmp_path / "twice.h5", twice)
    assert f"{str(path)!r}: {words}" in " ".join(run("info", path).complaint.split())
    with h5py.File(path) as file:
        (tmp_path / "twice.json").write_text(file.attrs["model_config"])
    assert f"'twice.json': {words}" in " ".join(run("info", alone, "--config", "twice.json").complaint.split())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda tub: (tub / "manifest.json").unlink(), "'tub' is no tub: give the folder that has manifest.json"),
        (lambda tub: (tub / "manifest.json").write_text("[]\n" * 5), "'tub' is damaged.*copy it from the car again"),
        (lambda tub: (tub / "catalog_1.catalog").unlink(), "/tub/catalog_1.catalog' is not there: copy the whole tub"),
        (lambda tub: write_manifest(tub, paths=["../x"], deleted_indexes=[]), "'../x' leads out of it, so copy"),
        (lambda tub: write_manifest(tub, paths=[], deleted_indexes=[]), "'tub' has no picture that can be read"),
        (lambda tub: (tub / "manifest.json").rename(tub / "record_1.json"), "donkeycar 3 or older: convert it"),
    ],
    ids=["no manifest", "manifest", "no catalog", "outside", "empty", "old"],
)
def test_a_tub_that_is_none(run, tmp_path, harm, words):
    harm(write_tub(tmp_path / "tub"))
    complaint = run("stats", "-m", PILOT, "--tub", "tub").complaint
    assert re.search(words, " ".join(complaint.split())), complaint
    assert run("extract", "-m", PILOT, "--tub", "tub", "-o", "lap.h5").complaint == complaint


@pytest.mark.parametrize(
    ("index", "words"), [(2, "marked as deleted: give another"), (99, "is not in it, or is damaged")]
)
def test_a_record_that_a_tub_cannot_give(run, tmp_path, index, words):
    write_tub(tmp_path / "tub", deleted=(2,))
    assert words in run("extract", "-m", PILOT, "--tub", "tub", "--index", index).complaint


def test_a_folder_in_the_place_of_a_picture(run, tmp_path):
    (tmp_path / "frames").mkdir()
    assert "no picture 'frames'" in run("extract", "-m", PILOT, "-i", "frames").complaint


def test_keras_that_fails_without_a_word(run, monkeypatch):
    def load_model(*_, **__):
        raise ValueError

    silent = types.SimpleNamespace(__version__="3.0", models=types.SimpleNamespace(load_model=load_model))
    for name in ("keras", "tf_keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, silent)
    assert "Keras cannot load" in (complaint := run("verify", PILOT, "--image", SMALL).complaint)
    assert "ValueError" in complaint


def test_weights_without_a_configuration(run, tmp_path):
    path = changed_pilot(tmp_path / "w.h5", lambda f: f.attrs.__delitem__("model_config"))
    assert "config" in run("info", path).complaint


@pytest.fixture
def alone(tmp_path) -> Path:
    """The sample pilot's weights without the pilot, as `save_weights` of Keras writes them to a name in .h5."""
    with h5py.File(PILOT) as source, h5py.File(tmp_path / "alone.h5", "w") as file:
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", file)
        for name, value in source["model_weights"].attrs.items():
            file.attrs[name] = value
        (tmp_path / "architecture.json").write_text(source.attrs["model_config"])
    return tmp_path / "alone.h5"


@pytest.mark.parametrize("config", [PILOT, "architecture.json"])
def test_weights_with_a_configuration_from_elsewhere(run, tmp_path, alone, config):
    assert "--config" in run("extract", "-m", alone, "-i", SMALL).complaint
    result = run("extract", "-m", alone, "--config", config, "-i", SMALL, "--save", "npz")
    assert (result.status, result.err) == (0, "")
    expected = fastact.Extractor(PILOT)(np.asarray(Image.open(SMALL)))
    with np.load(tmp_path / "fastact-maps/track_160x120/maps.npz") as saved:
        for name, array in expected.items():
            np.testing.assert_array_equal(saved[name], array)
    of_pilot = run("info", PILOT).out.splitlines()
    of_weights = run("info", alone, "--config", config).out.splitlines()
    assert of_weights[1:] == of_pilot[1:]
    assert f"configured by '{config}'" in of_weights[0]


def test_a_configuration_that_is_none(run, tmp_path, alone):
    (tmp_path / "c.json").write_text('{"class_name": 3}')
    assert "c.json" in run("info", alone, "--config", "c.json").complaint
    assert "nowhere.json" in run("info", alone, "--config", "nowhere.json").complaint
    assert "leave --config" in run("verify", PILOT, "--config", PILOT).complaint


def test_verify_weights_with_a_configuration(run, tmp_path, alone):
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")
    for config in (PILOT, "architecture.json"):
        result = run("verify", alone, "--config", config, "--image", SMALL)
        assert result.status == 0, result.err
        assert "0 beyond" in result.out


def test_verify_a_file_by_a_newer_keras(run, tmp_path):
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")

    def with_an_argument_unknown_to_keras(file):
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if "kernel_initializer" in layer["config"]:
                layer["config"]["kernel_initializer"]["config"]["of_tomorrow"] = None
        file.attrs["model_config"] = json.dumps(config)

    newer = changed_pilot(tmp_path / "newer.h5", with_an_argument_unknown_to_keras)
    result = run("verify", newer, "--image", SMALL)
    assert result.status == 0, result.err
    assert "0 beyond" in result.out


def test_keras_1_is_named(run, tmp_path):
    def to_keras_1(file):
        file.attrs["keras_version"] = "1.2.2"
        if "keras_version" in file["model_weights"].attrs:
            file["model_weights"].attrs["keras_version"] = "1.2.2"

    assert "Keras 1" in run("info", changed_pilot(tmp_path / "k1.h5", to_keras_1)).complaint


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(run, tmp_path, share):
    data = Path(PILOT).read_bytes()
    (tmp_path / "t.h5").write_bytes(data[: int(len(data) * share)])
    assert "t.h5" in run("extract", "-m", "t.h5", "-i", SMALL).complaint


def test_a_picture_that_is_none(run, tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    assert "a.jpg" in run("extract", "-m", PILOT, "-i", "a.jpg").complaint
    assert "b.jpg" in run("extract", "-m", PILOT, "-i", "b.jpg").complaint
    assert run("extract", "-m", PILOT, "-i", tmp_path).complaint


def test_a_truncated_picture(run, tmp_path):
    (tmp_path / "a.jpg").write_bytes(Path(SMALL).read_bytes()[:2000])
    assert "a.jpg" in run("extract", "-m", PILOT, "-i", "a.jpg").complaint


def test_a_16_bit_picture(run, tmp_path):
    Image.fromarray(np.zeros((120, 160), np.uint16)).save(tmp_path / "a.png")
    assert "8 bits" in run("extract", "-m", PILOT, "-i", "a.png").complaint


def test_a_picture_bomb(run, tmp_path):
    Image.new("1", (20000, 20000)).save(tmp_path / "a.png")
    assert "pixels" in run("extract", "-m", PILOT, "-i", "a.png").complaint


@pytest.mark.parametrize("model", ["towers-keras", "functions-keras"])
def test_a_model_that_does_not_take_a_picture(run, model):
    golden = Path(__file__).parent / "golden" / f"{model}.h5"
    assert "which no picture is" in run("extract", "-m", golden, "-i", SMALL, "-l", "all").complaint


def test_a_layer_that_matches_nothing_lists_what_exists(run):
    complaint = run("extract", "-m", PILOT, "-i", SMALL, "-l", "conv9").complaint
    assert "'conv9'" in complaint
    assert all(name in complaint for name in CONVOLUTIONS)


@pytest.mark.parametrize("arguments", [["--save", "gif"], ["--save", ","], ["--input", "640"], ["--input", "0x0"]])
def test_usage_errors(run, arguments):
    result = run("extract", "-m", PILOT, "-i", SMALL, *arguments)
    assert result.complaint.startswith("Error:")


def test_an_unknown_colour_map(run):
    assert "nocolours" in run("extract", "-m", PILOT, "-i", SMALL, "--cmap", "nocolours").complaint


def test_an_unknown_command(run):
    assert "nonsense" in run("nonsense").complaint


@pytest.mark.skipif(os.name != "posix", reason="the file size limit is POSIX's")
@pytest.mark.parametrize("formats", ["png", "npz", "h5"])
def test_a_full_disk_leaves_no_half_written_file(tmp_path, formats):
    # A limit on file size gives the same refusal in mid-write as a full disk; in a process of its own, since
    # HDF5 may keep trying to flush a file whose disk was full.
    code = (
        "import resource as r, signal as s; s.signal(s.SIGXFSZ, s.SIG_IGN); r.setrlimit(r.RLIMIT_FSIZE, (3000, 3000))"
    )
    command = ["extract", "-m", PILOT, "-i", SMALL, "--save", formats]
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; sys.argv[1:] = {command!r}; from fastact.cli import main; main()"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "cannot write" in result.stderr
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


WORDY = [("info", PILOT), ("doctor",), ("extract", "--help"), ("--help",)]
"""Commands that write more than a pipe's reader may want to see, each by another library."""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the device that is always full is Linux's")  # noqa: PTH110
@pytest.mark.parametrize("command", WORDY, ids=" ".join)
def test_a_full_disk_under_stdout(command):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = subprocess.run(
            [sys.executable, "-m", "fastact", *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 2
    assert (
        result.stderr
        == "fastact: cannot write to stdout: the disk is full: free some space, or lead stdout elsewhere\n"
    )


@pytest.mark.skipif(os.name != "posix", reason="other systems have no pipes that break")
@pytest.mark.parametrize("command", WORDY, ids=" ".join)
def test_whoever_reads_has_gone(command):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        result = subprocess.run(
            [sys.executable, "-m", "fastact", *command], stdout=gone, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (0, "")


def test_an_output_folder_that_is_a_file(run, tmp_path):
    (tmp_path / "taken").write_text("precious")
    assert "taken" in run("extract", "-m", PILOT, "-i", SMALL, "--out", "taken").complaint
    assert (tmp_path / "taken").read_text() == "precious"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(run, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "locked" in run("extract", "-m", PILOT, "-i", SMALL, "--out", "locked/x").complaint


def test_names_from_a_file_cannot_leave_the_folder(run, tmp_path):
    def rename(file):
        config = json.loads(file.attrs["model_config"])
        text = json.dumps(config).replace("Conv2D_First_layer", "../../evil\\u0000/x")
        file.attrs["model_config"] = text
        names = [n if isinstance(n, bytes) else n.encode() for n in file["model_weights"].attrs["layer_names"]]
        del file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names"] = [b"../../evil" if n == b"Conv2D_First_layer" else n for n in names]

    model = changed_pilot(tmp_path / "evil.h5", rename)
    result = run("extract", "-m", model, "-i", SMALL, "-l", "all", "--save", "png,npz,h5", "--out", "o")
    assert result.status in (0, 2)
    assert {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*")} <= {"o", "evil.h5"}


def test_interrupted(tmp_path):
    images = [arg for _ in range(400) for arg in ("-i", LARGE)]
    process = subprocess.Popen(
        [sys.executable, "-m", "fastact", "extract", "-m", PILOT, *images, "--out", "o"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell lets what it starts in the background ignore the signal, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("o/*/sheet.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.part"))


def test_a_reader_that_goes_away(tmp_path):
    command = f"{sys.executable} -m fastact info {PILOT} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    assert "pilot_160x120.h5" in result.stdout
