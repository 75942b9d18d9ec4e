"""The command line as users meet it: what it prints, what it writes, and one clear line for bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from tubs import pixels, write_tub

import fastact
from fastact import samples
from fastact.cli import _status
from fastact.saving import METADATA

PILOT = str(samples.pilot())
SMALL, LARGE = str(samples.frame("160x120")), str(samples.frame("640x360"))
CONVOLUTIONS = [f"Conv2D_{n}_layer" for n in ("First", "Second", "Third", "Fourth", "Fifth")]


@dataclass
class Result:
    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of an error, after which nothing is said."""
        assert self.status == 2, self
        assert "Traceback" not in self.err
        line = self.err.splitlines()[-1]
        assert line.startswith(("fastact: ", "Error: ")), self.err
        return line


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["fastact", *map(str, arguments)])
        status = _status()
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call


def changed_pilot(path: Path, change) -> Path:
    """A copy of the sample pilot with `change(file)` done to it."""
    shutil.copy(PILOT, path)
    path.chmod(0o644)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


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


def test_a_missing_model(run):
    assert "nowhere.h5" in run("info", "nowhere.h5").complaint


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x03\x04" + bytes(64)])
def test_a_file_that_is_no_model(run, tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    assert "a.h5" in run("extract", "-m", "a.h5", "-i", SMALL).complaint
    assert not (tmp_path / "fastact-maps").exists()


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
    keras = pytest.importorskip("keras")
    (tmp_path / "keras.json").write_text(keras.models.load_model(PILOT, compile=False).to_json())
    for config in (PILOT, "keras.json"):
        result = run("verify", alone, "--config", config, "--image", SMALL)
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
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("o/*/sheet.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.part"))


def test_a_reader_that_goes_away(tmp_path):
    command = f"{sys.executable} -m fastact info {PILOT} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    assert "pilot_160x120.h5" in result.stdout


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
        (["--tub", "tub", "--index", 4], "'in_1'.*is 4.*not given: add --input in_1=FILE.npy"),
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
