"""The command line as users meet it: what it prints and what it writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_runs import CONVOLUTIONS, LARGE, PILOT, SMALL, changed_pilot
from PIL import Image

import fastact
from fastact.saving import METADATA


def test_version_and_help(run):
    assert run("--version").out == f"fastact, version {fastact.__version__}\n"
    top = run("--help")
    assert top.status == 0
    assert "Examples:" in top.out
    assert "Exit status:" in top.out
    for command in ("extract", "info", "verify", "demo", "doctor"):
        help_text = run(command, "--help")
        assert help_text.status == 0
        assert command in top.out
        assert "Usage:" in help_text.out


def test_extract_writes_pictures(run, tmp_path):
    result = run("extract", "--model", PILOT, "--image", SMALL, "--out", "maps")
    assert (result.status, result.err) == (0, "")
    assert result.out == "maps/track_160x120\n"
    names = sorted(p.name for p in (tmp_path / "maps/track_160x120").iterdir())
    assert names == [*(f"{i:02}_{name}.png" for i, name in enumerate(CONVOLUTIONS, 1)), "sheet.png"]
    for name in names:
        with Image.open(tmp_path / "maps/track_160x120" / name) as picture:
            assert picture.width > 400
            assert np.asarray(picture).std() > 5  # something is to be seen


def test_extract_feeds_and_draws_pictures_where_channels_come_first(run, tmp_path):
    def turn(file: h5py.File) -> None:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            for key in {"batch_shape", "batch_input_shape"} & layer["config"].keys():
                layer["config"][key] = [None, 3, 120, 160]
            if layer["class_name"] == "Conv2D":
                layer["config"]["data_format"] = "channels_first"
        file.attrs["model_config"] = json.dumps(config)

    turned = changed_pilot(tmp_path / "turned.h5", turn)
    for name, model in (("last", PILOT), ("first", turned)):
        assert run("extract", "-m", model, "-i", SMALL, "-o", name, "--save", "npz,png").status == 0
    last, first = (np.load(tmp_path / name / Path(SMALL).stem / "maps.npz") for name in ("last", "first"))
    for name in CONVOLUTIONS:
        assert np.array_equal(np.moveaxis(first[name], 0, -1), last[name])
    for name in [f"{i:02}_{name}.png" for i, name in enumerate(CONVOLUTIONS, 1)]:
        pictures = [Image.open(tmp_path / side / Path(SMALL).stem / name) for side in ("last", "first")]
        assert np.array_equal(*map(np.asarray, pictures))


def test_extract_saves_the_library_s_arrays_with_metadata(run, tmp_path):
    assert run("extract", "-m", PILOT, "-i", SMALL, "-l", "all", "--save", "npz,h5").status == 0
    folder = tmp_path / "fastact-maps/track_160x120"
    assert sorted(p.name for p in folder.iterdir()) == ["maps.h5", "maps.npz"]
    maps = fastact.Extractor(PILOT, "all")(np.asarray(Image.open(SMALL)))
    with np.load(folder / "maps.npz") as saved:
        metadata = json.loads(str(saved[METADATA]))
        assert set(saved) == {METADATA, *maps}
        for name, array in maps.items():
            np.testing.assert_array_equal(saved[name], array)
            assert metadata["layers"][name]["shape"] == list(array.shape)
    assert metadata["model"] == "pilot_160x120.h5"
    assert metadata["model_sha256"] == fastact.load(PILOT).identity
    assert metadata["frame"] == "track_160x120.jpg"
    with h5py.File(folder / "maps.h5") as file:
        assert file.attrs["model_sha256"] == metadata["model_sha256"]
        for dataset in file["maps"].values():
            np.testing.assert_array_equal(dataset[()], maps[dataset.attrs["layer"]])


def test_saving_hdf5_without_its_library_names_the_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    result = run("extract", "-m", PILOT, "-i", SMALL, "--save", "npz,h5")
    assert result.status == 2
    assert "saving maps as HDF5 needs h5py, which is not installed: pip install 'fastact[h5]'" in result.err
    assert list(tmp_path.iterdir()) == []


def test_another_size_is_resized_as_donkey_does_and_said(run, tmp_path):
    result = run("extract", "-m", PILOT, "-i", LARGE, "--save", "npz", "-l", "Conv2D_First_layer")
    assert result.status == 0
    assert "resized from 640x360 to 160x120" in result.err
    frame = np.asarray(Image.open(LARGE).resize((160, 120)))
    with np.load(tmp_path / "fastact-maps/track_640x360/maps.npz") as saved:
        expected = fastact.Extractor(PILOT)(frame)["Conv2D_First_layer"]
        np.testing.assert_array_equal(saved["Conv2D_First_layer"], expected)


def test_raw_feeds_0_to_255(run, tmp_path):
    assert run("extract", "-m", PILOT, "-i", SMALL, "--save", "npz", "--raw").status == 0
    frame = np.asarray(Image.open(SMALL)).astype(np.float32)
    with np.load(tmp_path / "fastact-maps/track_160x120/maps.npz") as saved:
        np.testing.assert_array_equal(saved[CONVOLUTIONS[4]], fastact.Extractor(PILOT)(frame)[CONVOLUTIONS[4]])
        assert json.loads(str(saved[METADATA]))["input"] == "0..255"


def test_the_same_weights_at_another_size(run, tmp_path):
    result = run("extract", "-m", PILOT, "-i", LARGE, "--save", "npz", "--input", "640x360", "-l", "all")
    assert result.status == 0
    assert "resized" not in result.err
    assert "'dense_1' (Dense) is not computed" in result.err
    with np.load(tmp_path / "fastact-maps/track_640x360/maps.npz") as saved:
        assert saved["Conv2D_First_layer"].shape == (178, 318, 12)
        assert "dense_1" not in saved


def test_several_images_get_folders_of_their_own_and_a_progress_bar(run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(SMALL, other / "track_160x120.jpg")
    result = run("extract", "-m", PILOT, "-i", SMALL, "-i", LARGE, "-i", other / "track_160x120.jpg", "--save", "npz")
    assert result.status == 0
    folders = ["track_160x120", "track_640x360", "track_160x120-2"]
    assert [line for line in result.out.splitlines() if line] == [f"fastact-maps/{f}" for f in folders]
    assert "3/3" in result.err
    assert all((tmp_path / "fastact-maps" / f / "maps.npz").is_file() for f in folders)


@pytest.mark.parametrize(
    ("mode", "words"), [("L", "from grey to RGB"), ("RGBA", "from RGBA to RGB"), ("P", "from a palette to RGB")]
)
def test_pictures_of_other_channels_are_converted_and_it_is_said(run, tmp_path, mode, words):
    Image.open(SMALL).convert(mode).save(tmp_path / "a.png")
    result = run("extract", "-m", PILOT, "-i", "a.png", "--save", "npz")
    assert result.status == 0
    assert words in result.err


def test_info_lists_layers_costs_and_totals(run):
    result = run("info", PILOT)
    assert result.status == 0
    for text in (*CONVOLUTIONS, "(58, 78, 12)", "4,071,600", "77x77", "145,276 parameters", "18,510,204 multiply-adds"):
        assert text in result.out


def test_info_at_another_size(run):
    result = run("info", PILOT, "--input", "640x360")
    for text in ("(178, 318, 12)", "14.6 times", "cannot follow: dense_1 (Dense)", "384 inputs and would get 10368"):
        assert text in result.out
    assert "conv" not in "".join(line for line in result.out.splitlines() if line.startswith("cannot")).lower()


def test_info_where_a_map_would_vanish(run):
    result = run("info", PILOT, "--input", "32x32")
    assert result.status == 0
    assert "the map would vanish" in result.out


def test_demo_leaves_pictures_and_says_where(run, tmp_path):
    result = run("demo")
    assert result.status == 0
    sheets = result.out.split()
    assert sheets == ["fastact-demo/160x120/sheet.png", "fastact-demo/640x360/sheet.png"]
    for sheet in sheets:
        assert (tmp_path / sheet).is_file()


def test_verify_agrees_with_tensorflow(run):
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")
    result = run("verify", PILOT, "--image", SMALL)
    assert result.status == 0, result.err
    assert "0 beyond" in result.out
    for name in CONVOLUTIONS:
        assert name in result.out


def test_verify_beyond_the_tolerance_exits_1(run):
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")
    result = run("verify", PILOT, "--image", SMALL, "--tolerance", "1e-12")
    assert result.status == 1
    assert "beyond" in result.out


def test_verify_without_tensorflow_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    assert "fastact[verify]" in run("verify", PILOT).complaint


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of a process's memory")
def test_peak_memory_of_a_run_stays_small(tmp_path):
    code = """
import sys
sys.argv[1:] = {!r}
from fastact.cli import _status
assert _status() == 0
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    arguments = ["extract", "-m", PILOT, "-i", SMALL, "--save", "npz"]
    command = [sys.executable, "-c", code.format(arguments)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    peak = int(result.stdout.split()[-1]) / 1024
    assert peak < 110, f"{peak:.0f} MB"
