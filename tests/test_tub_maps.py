"""The maps of a tub in one file: what is in it, while it grows, after a kill, a full disk, and for another model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from tubs import record, write_manifest, write_tub

import fastact
from fastact import samples
from fastact.cli import main
from fastact.errors import InputError, OutputError
from fastact.extractor import Extractor
from fastact.growing import growing
from fastact.lap import Lap
from fastact.tub import Tub
from fastact.tub_maps import MOST_IN_BATCH, Written, write_tub_maps

LAYERS = ("Conv2D_Third_layer", "Conv2D_Fifth_layer")
RNN = Path(__file__).parent / "golden/sequence-keras.h5"

WRITER = f"""
import sys
from fastact import samples, Extractor, load
from fastact.errors import FastactError
from fastact.growing import GrowingFile
from fastact.lap import Lap
from fastact.tub import Tub
from fastact.tub_maps import write_tub_maps

extract = Extractor(samples.pilot(), {LAYERS!r})
lap = Lap(Tub.open("tub"), extract.model)
"""


@pytest.fixture(scope="module")
def extract() -> Extractor:
    return Extractor(samples.pilot(), LAYERS)


def lap(extract: Extractor, folder: Path, **options: int) -> Lap:
    return Lap(Tub.open(folder), extract.model, **options)


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in `folder` that writes maps."""
    return subprocess.run(
        [sys.executable, "-c", WRITER + code], cwd=folder, capture_output=True, text=True, timeout=600
    )


def assert_whole(path: Path, extract: Extractor, folder: Path, **reading: bool) -> int:
    """Asserts that a file has the maps of the first records of a tub, of each as it should be; gives their number."""
    with h5py.File(path, "r", **reading) as file:
        shots = list(lap(extract, folder))[: len(file["index"])]
        assert file["index"][:].tolist() == [s.record.index for s in shots]
        assert file["timestamp_ms"][:].tolist() == [s.record.fields["_timestamp_ms"] for s in shots]
        for number, name in enumerate(LAYERS, 1):
            dataset = file[f"maps/{number:02}_{name}"]
            assert dataset.attrs["layer"] == name
            for shot, saved in zip(shots, dataset, strict=False):
                np.testing.assert_array_equal(saved, extract(shot.frame)[name])
        return len(shots)


@pytest.mark.parametrize("count", [1, MOST_IN_BATCH, 2 * MOST_IN_BATCH + 5])
def test_every_record_s_maps_are_there(tmp_path: Path, extract: Extractor, count: int):
    folder, path, seen = write_tub(tmp_path / "tub", count=count), tmp_path / "maps.h5", []
    written = write_tub_maps(path, extract, lap(extract, folder), workers=2, progress=seen.append)
    assert written == Written(count, 0, 0)
    assert seen[-1] == count == assert_whole(path, extract, folder)
    with h5py.File(path) as file:
        assert file["complete"][()] == 1
        assert file.attrs["model_sha256"] == extract.model.identity
        assert json.loads(file.attrs["layers"])["Conv2D_Fifth_layer"]["class"] == "Conv2D"
        assert "divided by 255" in file.attrs["input"]
        dataset = file["maps/02_Conv2D_Fifth_layer"]
        assert (dataset.compression, dataset.shuffle, dataset.dtype) == ("gzip", True, np.float32)


def test_deleted_and_damaged_records(tmp_path: Path, extract: Extractor):
    folder = write_tub(tmp_path / "tub", deleted=(2,))
    (folder / "images/4_cam_image_array_.png").write_bytes(b"no picture")
    with (folder / "catalog_1.catalog").open("a") as catalog:
        catalog.write("{\n")
    assert write_tub_maps(tmp_path / "maps.h5", extract, lap(extract, folder)) == Written(5, 0, 2)
    with h5py.File(tmp_path / "maps.h5") as file:
        assert file["index"][:].tolist() == [0, 1, 3, 5, 6]
        assert file["damaged"][()] == 2
    assert write_tub_maps(tmp_path / "maps.h5", extract, lap(extract, folder)) == Written(5, 0, 2)


def test_another_process_reads_while_it_grows(tmp_path: Path, extract: Extractor):
    folder, path, read = write_tub(tmp_path / "tub", count=70), tmp_path / "maps.h5", []
    reader = (
        "import h5py, sys\nwith h5py.File(sys.argv[1], swmr=True) as f:\n"
        " n = len(f['index']); print(n, f['index'][-1], float(f['maps/01_Conv2D_Third_layer'][n - 1].sum()))"
    )

    def progress(frames: int) -> None:
        out = subprocess.run([sys.executable, "-c", reader, path], capture_output=True, text=True, timeout=600)
        assert out.returncode == 0, out.stderr
        read.append((frames, *map(float, out.stdout.split())))

    write_tub_maps(path, extract, lap(extract, folder), progress=progress)
    shots = list(lap(extract, folder))
    assert len(read) > 2
    for frames, count, index, total in read:
        assert frames == count == index + 1
        assert total == pytest.approx(float(extract(shots[frames - 1].frame)["Conv2D_Third_layer"].sum()), rel=1e-5)


@pytest.mark.parametrize("place", ["before", "in"])
def test_killed_it_goes_on(tmp_path: Path, extract: Extractor, place: str):
    folder, path = write_tub(tmp_path / "tub", count=70), tmp_path / "maps.h5"
    code = """
import os, h5py
from fastact import tub_maps
count = 0
def killed(wrapped):
    def call(*arguments):
        global count
        count += 1
        if count == TIMES: os.kill(os.getpid(), 9)
        return wrapped(*arguments)
    return call
""" + (
        "TIMES = 3; GrowingFile.reserve = killed(GrowingFile.reserve)"
        if place == "before"
        else "TIMES = 9; tub_maps._Writer._set = killed(tub_maps._Writer._set)"
    )  # fmt: skip
    if place == "in":
        code = code.replace("TIMES = 9", "TIMES = 4")
    result = run(tmp_path, code + "\nwrite_tub_maps('maps.h5', extract, lap)")
    assert result.returncode == -signal.SIGKILL, result.stderr
    there = assert_whole(path, extract, folder, swmr=True)
    assert 0 < there < 70
    assert write_tub_maps(path, extract, lap(extract, folder)) == Written(70, there, 0)
    assert assert_whole(path, extract, folder) == 70


def test_a_full_disk_is_a_sentence_and_the_file_goes_on(tmp_path: Path, extract: Extractor):
    folder, path = write_tub(tmp_path / "tub", count=70), tmp_path / "maps.h5"
    write_tub_maps(tmp_path / "whole.h5", extract, lap(extract, folder))
    limit = (tmp_path / "whole.h5").stat().st_size // 2 + 2**20  # the writer keeps a megabyte free
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try: write_tub_maps("maps.h5", extract, lap)
except FastactError as error: print(error)
"""
    result = run(tmp_path, code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("cannot write 'maps.h5': ")
    there = assert_whole(path, extract, folder)
    assert 0 < there < 70
    assert f"has the maps of {there} frames" in result.stdout
    assert path.stat().st_size <= limit
    assert write_tub_maps(path, extract, lap(extract, folder)).frames == 70
    assert assert_whole(path, extract, folder) == 70


def test_a_tub_that_has_grown(tmp_path: Path, extract: Extractor):
    folder, path = write_tub(tmp_path / "tub", count=40), tmp_path / "maps.h5"
    assert write_tub_maps(path, extract, lap(extract, folder, end=20)).frames == 20
    written = write_tub_maps(path, extract, lap(extract, folder))
    assert (written.frames, written.before > 0) == (40, True)
    assert assert_whole(path, extract, folder) == 40


def test_a_refused_file_stays_as_it_is(tmp_path: Path, extract: Extractor):
    """A deleted record among the first or the last of the file, and ends before, in and after its last batch."""
    folder, path = write_tub(tmp_path / "tub", count=40), tmp_path / "maps.h5"
    write_tub_maps(path, extract, lap(extract, folder))
    before = path.read_bytes()
    for end in (10, 32, 36, 39):
        with pytest.raises(
            OutputError, match=rf"maps\.h5' has 40 frames already, more than the {end} asked for: choose"
        ):
            write_tub_maps(path, extract, lap(extract, folder, end=end))
        assert path.read_bytes() == before, end
    for deleted in (20, 35):
        write_manifest(folder, paths=["catalog_0.catalog", "catalog_1.catalog"], deleted_indexes=[deleted])
        with pytest.raises(OutputError, match="records of this one were deleted since"):
            write_tub_maps(path, extract, lap(extract, folder))
        assert path.read_bytes() == before, deleted
    assert frames_of_finished(path) == 40


def frames_of_finished(path: Path) -> int:
    """Asserts that all datasets of a finished file are of one length, which it gives."""
    with h5py.File(path) as file:
        (count,) = {len(dataset) for dataset in (file["index"], file["timestamp_ms"], *file["maps"].values())}
        assert file["complete"][()] == 1
        return count


def test_a_record_that_could_not_be_read_before_is_added(tmp_path: Path, extract: Extractor):
    """As when the car was still writing its picture."""
    folder, path = write_tub(tmp_path / "tub", count=21), tmp_path / "maps.h5"
    picture = folder / "images/18_cam_image_array_.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:20])
    assert write_tub_maps(path, extract, lap(extract, folder)) == Written(20, 0, 1)
    picture.write_bytes(whole)
    written = write_tub_maps(path, extract, lap(extract, folder))
    assert (written.frames, written.damaged) == (21, 0)
    assert assert_whole(path, extract, folder) == 21
    with h5py.File(path) as file:
        assert (file["damaged"][()], file["complete"][()]) == (0, 1)


@pytest.mark.parametrize("harm", ["short times", "short maps", "no index", "two axes", "no complete"])
def test_datasets_that_do_not_go_together_are_a_sentence(tmp_path: Path, extract: Extractor, harm: str):
    folder, path = write_tub(tmp_path / "tub", count=20), tmp_path / "maps.h5"
    write_tub_maps(path, extract, lap(extract, folder))
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        if harm == "short times":
            file["timestamp_ms"].resize(3, axis=0)
        elif harm == "short maps":
            file[f"maps/01_{LAYERS[0]}"].resize(3, axis=0)
        elif harm == "no complete":
            del file["complete"]
        else:
            del file["index"]
            if harm == "two axes":
                file.create_dataset("index", (20, 1), np.int64)
    with pytest.raises(OutputError, match=r"maps\.h5' is damaged"):
        write_tub_maps(path, extract, lap(extract, folder))


def test_a_name_that_is_too_long_is_a_sentence(tmp_path: Path, extract: Extractor):
    folder = write_tub(tmp_path / "tub")
    with pytest.raises(OutputError, match="the name is too long"):
        write_tub_maps(tmp_path / f"{'m' * 300}.h5", extract, lap(extract, folder))


def test_what_cannot_go_on(tmp_path: Path, extract: Extractor):
    folder, path = write_tub(tmp_path / "tub", count=20), tmp_path / "maps.h5"
    write_tub_maps(path, extract, lap(extract, folder))
    before = path.read_bytes()
    with pytest.raises(OutputError, match="other layers"):
        write_tub_maps(path, Extractor(extract.model, "Conv2D_Third_layer"), lap(extract, folder))
    other = Extractor(extract.model.at_size((96, 128)), LAYERS)
    with pytest.raises(OutputError, match="other layers"):
        write_tub_maps(path, other, lap(other, folder))
    for changes in ({"_timestamp_ms": 5}, {"_index": 99}):
        (folder / "catalog_0.catalog").write_text(json.dumps(record(0, **changes)) + "\n")
        with pytest.raises(OutputError, match="another tub, or records of this one were deleted"):
            write_tub_maps(path, extract, lap(extract, folder))
    write_manifest(folder, paths=["catalog_1.catalog"], deleted_indexes=[])
    for damaged in (b"", b"text", before[:30], before[: len(before) // 2], b"\x89HDF\r\n\x1a\n" + bytes(100)):
        path.write_bytes(damaged)
        with pytest.raises(OutputError, match=r"maps\.h5"):
            write_tub_maps(path, extract, lap(extract, folder))
        assert path.read_bytes() == damaged


def test_another_model_s_file(tmp_path: Path, extract: Extractor):
    folder, path = write_tub(tmp_path / "tub"), tmp_path / "maps.h5"
    copy = tmp_path / "copy.h5"
    copy.write_bytes(samples.pilot().read_bytes() + b"\0")
    other = Extractor(fastact.load(copy), LAYERS)
    write_tub_maps(path, other, lap(other, folder))
    with pytest.raises(OutputError, match="another model"):
        write_tub_maps(path, extract, lap(extract, folder))


def test_one_writer_at_a_time(tmp_path: Path, extract: Extractor):
    folder = write_tub(tmp_path / "tub")
    write_tub_maps(tmp_path / "maps.h5", extract, lap(extract, folder))
    with growing(tmp_path / "maps.h5", h5py):
        result = run(tmp_path, "write_tub_maps('maps.h5', extract, lap)")
    assert "another process is writing 'maps.h5'" in result.stderr


def test_an_empty_tub_leaves_no_file(tmp_path: Path, extract: Extractor):
    folder = write_tub(tmp_path / "tub", deleted=tuple(range(7)))
    with pytest.raises(InputError, match="no picture that can be read"):
        write_tub_maps(tmp_path / "maps.h5", extract, lap(extract, folder))
    assert not (tmp_path / "maps.h5").exists()


def test_memory_does_not_grow_with_the_tub(tmp_path: Path):
    write_tub(tmp_path / "tub", count=400)
    code = """
write_tub_maps("maps.h5", extract, Lap(Tub.open("tub"), extract.model, end=END))
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])  # ru_maxrss would begin with the parent's
"""
    few, many = (run(tmp_path, f"END = {end}\n{code}") for end in (80, 400))
    assert int(many.stdout) < int(few.stdout) + 6 * 1024, (few, many)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    folder = write_tub(tmp_path / "tub", deleted=(3,))
    path = tmp_path / "maps.h5"

    def fastact_extract(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["fastact", "extract", "-m", *map(str, (samples.pilot(), *arguments))])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    assert fastact_extract("--tub", folder, "--start", 1, "--end", 6, "-o", path) == 0
    assert capfd.readouterr().out == f"{path}\n"
    with h5py.File(path) as file:
        assert file["index"][:].tolist() == [1, 2, 4, 5]
        assert len(file["maps"]) == 5
    for arguments, words in (
        (["--tub", folder], "--out FILE.h5"),
        (["--start", 1, "-i", samples.frame("160x120")], "whole tub"),
        (["--tub", folder, "-o", path, "--start", 5, "--end", 5], "not after"),
        (["--tub", folder, "-o", path, "--raw"], "--raw"),
        (["--tub", folder, "-o", path, "--start", 100], "no picture that can be read"),
        (["--tub", folder, "-o", tmp_path / "none/maps.h5"], "folder does not exist"),
        (["--tub", folder, "-o", path, "--input", "imu_in=x.npy"], "no input 'imu_in'"),
    ):
        assert fastact_extract(*arguments) == 2, arguments
        assert words in capfd.readouterr().err
