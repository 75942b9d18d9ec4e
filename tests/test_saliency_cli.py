"""`fastact saliency`: files it writes, what it says, and what it refuses in one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_saliency import conv, model_of

from fastact import cli, samples
from fastact.cli import saliency
from fastact.frames import decode
from fastact.saliency import GradCam, GradientSaliency, VisualBackProp
from fastact.saliency.cost import cost
from fastact.saving import METADATA

PILOT, FRAME = str(samples.pilot()), str(samples.frame("160x120"))
GIVEN = ("--model", PILOT, "--image", FRAME, "--threads", "1")


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["fastact", "saliency", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("method", ["visualbackprop", "gradient", "gradcam"])
def test_it_writes_a_picture_and_arrays(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*GIVEN, "--method", method, "--save", "png,npz", "--out", str(tmp_path))
    assert run(*arguments, monkeypatch=monkeypatch) == 0
    said = capsys.readouterr()
    picture, arrays = (tmp_path / f"track_160x120-{method}.{kind}" for kind in ("png", "npz"))
    assert said.out.split() == [str(picture), str(arrays)]
    assert "ms a frame, " in said.err
    assert "of the convolutions' maps alone (1 thread)" in said.err
    with Image.open(picture) as image:
        assert image.info["Title"].endswith("of pilot_160x120.h5")
        assert "track_160x120.jpg" in image.info["Description"]
    with np.load(arrays) as file:
        about = json.loads(str(file[METADATA]))
        assert about["method"] == method
        assert file["mask"].max() == 1
        if method == "visualbackprop":
            assert len(about["convolutions"]) == 5
            assert np.array_equal(file["mask"], VisualBackProp(PILOT)(decode(FRAME)))
        elif method == "gradient":
            assert about["output"] == "n_outputs0"
            assert np.array_equal(file["gradient"], GradientSaliency(PILOT).gradient(decode(FRAME)))
        else:
            assert about["layer"] == "Conv2D_Fifth_layer"
            assert np.array_equal(file["strength"], _strength(GradCam(PILOT)))


def _strength(see: GradCam) -> np.ndarray:
    see(decode(FRAME))
    return see.strength


def test_one_picture_may_have_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "new" / "cam.png"
    chosen = ("--method", "gradcam", "--layer", "Conv2D_First_layer", "--output", "dense_1", "--value", "7")
    assert run(*GIVEN, *chosen, "--out", str(out), "--cmap", "viridis", monkeypatch=monkeypatch) == 0
    with Image.open(out) as image:
        assert image.info["Colormap"] == "viridis"
        assert "value 7 of dense_1 (of 100)" in image.info["Description"]


def test_pictures_of_one_name_have_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*GIVEN, "--image", FRAME, "--out", str(tmp_path), monkeypatch=monkeypatch) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["track_160x120-visualbackprop-2.png", "track_160x120-visualbackprop.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--layer", "nope"), "no layer 'nope'"),
        (("--output", "n_outputs0"), "whatever the output"),
        (("--value", "0"), "whatever the output"),
        (("--method", "gradient", "--layer", "Conv2D_First_layer"), "--layer is of no use"),
        (("--method", "gradient", "--output", "nope"), "no output 'nope'"),
        (("--method", "gradient", "--value", "3"), "has one value, number 0, not 3"),
        (("--method", "gradcam", "--layer", "dense_1"), "no convolution that is computed 'dense_1'"),
        (("--method", "gradcam", "--input", "640x360"), "is not computed"),
        (("--method", "sobel"), "'sobel' is not one of"),
        (("--save", "h5"), "give png, npz or png,npz"),
        (("--cmap", "infernal"), "unknown colour map 'infernal'"),
        (("--image", FRAME, "--out", "one.png"), "2 masks do not go into one file"),
        (("--image", "nowhere.jpg"), "there is no picture 'nowhere.jpg'"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*GIVEN, *arguments, monkeypatch=monkeypatch) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_pictures_is_laid_out_line_by_line() -> None:
    pictures = np.arange(5 * 2 * 3 * 3, dtype=np.uint8).reshape(5, 2, 3, 3)
    mask = np.arange(5 * 2 * 3, dtype=np.float32).reshape(5, 2, 3) / 30
    page, strengths = saliency.laid_out(pictures, mask)
    assert page.shape == (4, 9, 3)
    assert strengths.shape == (4, 9)
    assert np.array_equal(page[2:4, 3:6], pictures[4])
    assert np.array_equal(strengths[:2, 6:], mask[2])
    assert not page[2:, 6:].any()
    assert np.array_equal(saliency.laid_out(pictures, mask[[1, 3]])[1][:2, 6:], mask[1])
    assert saliency.laid_out(pictures[0], mask[0])[0] is not None


def test_what_is_drawn_of_a_gradient_does_not_hang_on_one_pixel() -> None:
    see = GradientSaliency(PILOT)
    see.strength = np.linspace(0, 2, 101, dtype=np.float32).reshape(1, 101)
    see.strength[0, -1] = 100
    drawn, words = saliency._scaled(see, see.strength / 100)
    assert drawn[0, 50] == pytest.approx(1 / 1.98, rel=0.02)
    assert "99th percentile" in words
    assert "they reach 100" in words


def test_cost_is_measured_in_turns() -> None:
    see = VisualBackProp(model_of((40, 40, 3), conv(4, 5, 2), conv(4, 3, 2)))
    spent = cost(see, np.zeros((40, 40, 3), np.uint8))
    assert spent.plain > 0
    assert spent.ratio == spent.mask / spent.plain
