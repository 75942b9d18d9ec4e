"""The command line with runs of pictures, tubs and arrays: what is fed, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from cli_runs import SMALL
from PIL import Image
from tubs import pixels, write_tub

import fastact
from fastact.saving import METADATA

RNN = Path(__file__).parent / "golden/sequence-keras.h5"
"""Takes a run of three pictures of 16x12, `in_0`, and four numbers, `in_1`."""


@pytest.fixture
def tub(tmp_path):
    np.save(tmp_path / "numbers.npy", np.linspace(-1, 1, 4))
    return write_tub(tmp_path / "tub", deleted=(2,))


def expected_maps(*records: int) -> fastact.FeatureMaps:
    frames = np.stack([pixels(i) for i in records])
    return fastact.Extractor(RNN, "all")({"in_0": frames, "in_1": np.linspace(-1, 1, 4)})


def assert_saved(path: Path, maps: fastact.FeatureMaps) -> dict:
    with np.load(path / "maps.npz") as saved:
        for name, array in maps.items():
            np.testing.assert_array_equal(saved[name], array)
        return json.loads(str(saved[METADATA]))


def test_a_run_of_pictures_and_an_array(run, tmp_path, tub):
    images = [arg for i in (0, 1, 3, 4) for arg in ("-i", tub / f"images/{i}_cam_image_array_.png")]
    given = ["--input", "in_1=numbers.npy", "-l", "all", "--save", "npz,png,h5"]
    result = run("extract", "-m", RNN, *images, *given)
    assert result.status == 0, result.err
    folder = tmp_path / "fastact-maps"
    assert result.out.splitlines() == [f"fastact-maps/{i}_cam_image_array_" for i in (3, 4)]
    metadata = assert_saved(folder / "3_cam_image_array_", expected_maps(0, 1, 3))
    assert metadata["frame"] == ", ".join([*(f"{i}_cam_image_array_.png" for i in (0, 1, 3)), "numbers.npy"])
    assert_saved(folder / "4_cam_image_array_", expected_maps(1, 3, 4))
    with Image.open(folder / "4_cam_image_array_/sheet.png") as sheet:
        assert sheet.width == 1800
    assert len(list((folder / "4_cam_image_array_").glob("*.png"))) == 10


def test_a_run_out_of_a_tub(run, tmp_path, tub):
    numbers = ["--input", "in_1=numbers.npy", "-l", "all", "--save", "npz"]
    result = run("extract", "-m", RNN, "--tub", tub, "--index", 3, "--index", 6, *numbers)
    assert result.status == 0, result.err
    assert_saved(tmp_path / "fastact-maps/3_cam_image_array_", expected_maps(0, 1, 3))
    assert_saved(tmp_path / "fastact-maps/6_cam_image_array_", expected_maps(4, 5, 6))


def test_arrays_alone(run, tmp_path, tub):
    np.save(tmp_path / "run.npy", np.stack([pixels(i) for i in (0, 1, 3)]))
    arrays = ["--input", "in_0=run.npy", "--input", "in_1=numbers.npy"]
    result = run("extract", "-m", RNN, *arrays, "-l", "all", "--save", "npz,png")
    assert (result.status, result.out) == (0, "fastact-maps/run\n"), result.err
    assert_saved(tmp_path / "fastact-maps/run", expected_maps(0, 1, 3))


def test_a_model_without_pictures_is_drawn(run, tmp_path):
    np.save(tmp_path / "row.npy", np.linspace(-2, 2, 6, dtype=np.float32))
    model = Path(__file__).parent / "golden/functions-keras.h5"
    assert run("extract", "-m", model, "--input", "in_0=row.npy", "-l", "all").status == 0
    assert (tmp_path / "fastact-maps/row/sheet.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "'in_0'.*3x12x16x3.*not given.*--image"),
        (["--tub", "tub", "--index", 4], "'in_1'.*is 4.*not in the tub 'tub': add --input in_1=FILE.npy"),
        (["--input", "in_1=numbers.npy", "-i", SMALL], "run of 3 pictures, and 1 are given"),
        (["--input", "in_1=numbers.npy", "--tub", "tub", "--index", 1], "2 records up to number 1"),
        (["--input", "in_1=numbers.npy", "--tub", "tub", "--index", 2], "deleted"),
        (["--input", "in_1=numbers.npy", "--tub", "nowhere", "--index", 2], "no tub"),
        (["--input", "mem_in=numbers.npy", "-i", SMALL], "no input 'mem_in'.*'in_0', 'in_1'"),
        (["--input", "in_1=absent.npy", "-i", SMALL], "no file 'absent.npy'"),
        (["--input", f"in_1={SMALL}", "-i", SMALL], "not an .npy file"),
        (["--input", "in_1=batch.npy", "-i", SMALL], "is 1x4, and .* is 4, without the batch axis"),
        (["--input", "in_1=whole.npy", "-i", SMALL], "int64: the input 'in_1' takes uint8 or floats"),
        (["--input", "in_1=objects.npy", "-i", SMALL], "object"),
        (["--input", "in_1=short.npy", "-i", SMALL], "fewer values"),
        (["--input", "in_0=run.npy", "--input", "in_1=numbers.npy", "-i", SMALL], "arrays for all inputs"),
        (["--tub", "tub"], "--index"),
        (["--index", 1], "--tub"),
        (["--tub", "tub", "--index", 4, "-i", SMALL], "not both"),
        (["--input", "in_1=a.npy", "--input", "in_1=b.npy"], "twice"),
        (["--input", "16x12", "--input", "16x12"], "one size"),
        (["--input", "in_1="], "NAME=FILE"),
    ],
)
def test_what_is_not_given_or_does_not_fit(run, tmp_path, tub, arguments, words):
    np.save(tmp_path / "batch.npy", np.zeros((1, 4)))
    np.save(tmp_path / "whole.npy", np.zeros(4, np.int64))
    np.save(tmp_path / "objects.npy", np.array([None] * 4))
    np.save(tmp_path / "run.npy", np.zeros((3, 12, 16, 3)))
    (tmp_path / "short.npy").write_bytes((tmp_path / "numbers.npy").read_bytes()[:-8])
    complaint = run("extract", "-m", RNN, *arguments).complaint
    assert re.search(words, " ".join(complaint.split())), complaint
    assert not (tmp_path / "fastact-maps").exists()


def test_info_of_a_sequence(run):
    result = run("info", RNN, "--input", "32x24")
    assert result.status == 0
    assert "input 32x24" in result.out
    assert re.search(r"eye +TimeDistributed +112 +3x3 +\(3, 5, 7, 4\)", result.out)


def test_verify_takes_the_same_inputs(run, tub):
    pytest.importorskip("tensorflow", reason="TensorFlow is an optional extra: pip install 'fastact[verify]'")
    result = run("verify", RNN, "--input", "in_1=numbers.npy", "--tub", tub, "--index", "4")
    assert result.status == 0, result.err
    assert "7 layers compared, 0 beyond" in result.out
    assert "noise" in run("verify", RNN).err


def test_verify_compares_one_frame(run, tub):
    arguments = ["--input", "in_1=numbers.npy", "--tub", tub, "--index", "3", "--index", "4"]
    assert "one frame" in run("verify", RNN, *arguments).complaint
