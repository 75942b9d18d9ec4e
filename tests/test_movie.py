"""Films of a tub: read back and looked at, in all formats and styles; what stops one leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tubs import record, write_tub

import fastact
from fastact import samples
from fastact.cli import main
from fastact.errors import InputError, MissingExtraError, OutputError, UnsupportedError
from fastact.film import STYLES, Film, make_film
from fastact.film.files import check_film, film_file
from fastact.film.scenes import Look, Scene, scene_for
from fastact.film.steering import DRIVER, PILOT
from fastact.lap import Lap
from fastact.tub import Tub


@pytest.fixture(scope="module")
def model() -> fastact.Model:
    return fastact.load(samples.pilot())


def road(index: int) -> Image.Image:
    """The sample frame, moving to the left from record to record."""
    with Image.open(samples.frame("160x120")) as picture:
        return Image.fromarray(np.roll(np.asarray(picture.convert("RGB")), -4 * index, axis=1))


def write_road(folder: Path, count: int = 9, deleted: tuple[int, ...] = ()) -> Path:
    """A tub of pictures of a road."""
    write_tub(folder, deleted, count=count)
    for i in range(count):
        road(i).save(folder / f"images/{i}_cam_image_array_.png")
    return folder


def lap(model: fastact.Model, folder: Path, end: int | None = None) -> Lap:
    return Lap(Tub.open(folder), model, end=end)


def frames_of(path: Path) -> list[np.ndarray]:
    """The frames of a film."""
    if path.suffix == ".mp4":
        with av.open(path) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with Image.open(path) as image:
        found = []
        for i in range(image.n_frames):
            image.seek(i)
            found.append(np.asarray(image.convert("RGB")))
        return found


def scene_of(film: Film, walk: Lap, look: Look) -> tuple[Scene, list[np.ndarray]]:
    """The scene of a film, and the frames it draws."""
    first = next(film.watch(walk))
    scene = scene_for(film, look, first, film.scales(walk, walk.count()), "pilot_160x120.h5")
    return scene, [scene.draw(seen) for seen in film.watch(walk)]


@pytest.mark.parametrize("style", STYLES)
def test_a_film_shows_what_was_drawn(tmp_path: Path, model: fastact.Model, style: str):
    walk, look, path = lap(model, write_road(tmp_path / "tub")), Look(scale=2, driver=True), tmp_path / "film.mp4"
    told = []
    made = make_film(Film(model, style=style), walk, path, look=look, progress=lambda *done: told.append(done))
    scene, drawn = scene_of(Film(model, style=style), walk, look)
    assert (made.frames, made.size, made.damaged) == (9, (scene.width, scene.height), 0)
    assert told == [(i + 1, 9) for i in range(9)]
    with av.open(path) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width % 2, stream.height % 2) == (0, 0)
        assert stream.average_rate == 20
        assert float(stream.duration * stream.time_base) == pytest.approx(9 / 20)
    found = frames_of(path)
    assert len(found) == len(drawn) == 9
    for i, (one, other) in enumerate(zip(found, drawn, strict=True)):
        distances = [np.abs(one.astype(int) - d).mean() for d in drawn]
        assert np.abs(one.astype(int) - other).mean() < 6
        assert int(np.argmin(distances)) == i
    camera = np.asarray(road(0).resize((320, 240), Image.Resampling.BILINEAR), int)
    if style == "mosaic":
        assert np.abs(drawn[0][:100, :320] - camera[:100]).max() <= 1  # Pillow rounds twice


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("fps", [20, 24])
def test_animations(tmp_path: Path, model: fastact.Model, suffix: str, fps: int):
    walk, look, path = lap(model, write_road(tmp_path / "tub")), Look(2, Fraction(fps)), tmp_path / f"film{suffix}"
    film = Film(model, style="overlay")
    assert make_film(film, walk, path, look=look).frames == 9
    _, drawn = scene_of(film, walk, look)
    found = frames_of(path)
    assert len(found) == 9
    for one, other in zip(found, drawn, strict=True):
        assert one.shape == other.shape
        assert np.abs(one.astype(int) - other).mean() < 8
    with Image.open(path) as image:
        total = 0
        for i in range(9):
            image.seek(i)
            image.load()
            total += image.info["duration"]
        assert image.info["loop"] == 0
    assert total == pytest.approx(9 * 1000 / fps, abs=11)


def test_colours_hold_over_the_whole_film(tmp_path: Path, model: fastact.Model):
    folder = write_road(tmp_path / "tub", 8)
    Image.new("RGB", (160, 120), "white").save(folder / "images/3_cam_image_array_.png")
    for i in (2, 4):
        road(1).save(folder / f"images/{i}_cam_image_array_.png")
    for style in STYLES:
        _, drawn = scene_of(Film(model, style=style), lap(model, folder), Look(scale=2))
        part = np.s_[:, 330:] if style == "mosaic" else np.s_[:240]
        np.testing.assert_array_equal(drawn[2][part], drawn[4][part])
        np.testing.assert_array_equal(drawn[1][part], drawn[4][part])
        assert (drawn[3][part] != drawn[4][part]).any()


def test_steering_is_drawn(tmp_path: Path, model: fastact.Model):
    folder = write_road(tmp_path / "tub")
    for driver in (False, True):
        _, drawn = scene_of(Film(model, style="saliency"), lap(model, folder), Look(scale=4, driver=driver))
        for color, there in ((PILOT, True), (DRIVER, driver)):
            assert (drawn[5][:480] == color).all(-1).any() == there
            assert (drawn[5][480:] == color).all(-1).any()
        bars = (drawn[5][480:, :, :] == DRIVER).all(-1)[50:70, 64:]
        assert np.nonzero(bars)[1].min() >= (640 - 64 - 124) // 2 - 2  # 0.5 is to the right of the middle


def test_commands_out_of_range_are_drawn(tmp_path: Path, model: fastact.Model):
    folder = write_road(tmp_path / "tub", 3)
    catalog = folder / "catalog_0.catalog"
    catalog.write_text(re.sub(r'"user/angle": [^,}]*', '"user/angle": -1e308', catalog.read_text()))
    _, drawn = scene_of(Film(model, style="saliency"), lap(model, folder), Look(scale=2, driver=True))
    assert len(drawn) == 3
    assert (drawn[2] == DRIVER).all(-1).any()


def test_a_model_that_steers_nothing(tmp_path: Path, model: fastact.Model):
    folder, larger = write_road(tmp_path / "tub"), model.at_size((180, 240))  # too large for its dense layers
    film = Film(larger, style="overlay")
    assert not film.steers
    _, drawn = scene_of(film, lap(larger, folder), Look(scale=4, driver=True))
    assert not (drawn[5] == PILOT).all(-1).any()
    assert (drawn[5][:480] == DRIVER).all(-1).any()


def test_deleted_and_damaged_records(tmp_path: Path, model: fastact.Model):
    folder = write_road(tmp_path / "tub", deleted=(2,))
    (folder / "images/4_cam_image_array_.png").write_bytes(b"no picture")
    with (folder / "catalog_1.catalog").open("a") as catalog:
        catalog.write("{\n")
    made = make_film(Film(model), lap(model, folder), tmp_path / "film.mp4", look=Look(scale=1))
    assert (made.frames, made.damaged) == (7, 2)
    assert len(frames_of(tmp_path / "film.mp4")) == 7


def test_pictures_of_several_sizes_and_no_commands(tmp_path: Path, model: fastact.Model):
    folder = write_road(tmp_path / "tub")
    road(3).resize((320, 240)).save(folder / "images/3_cam_image_array_.png")
    lines = [record(i, **{"user/angle": value}) for i, value in enumerate((0.5, None, "x", float("nan"), 3, True))]
    (folder / "catalog_0.catalog").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for style in STYLES:
        made = make_film(Film(model, style=style), lap(model, folder), tmp_path / "film.mp4", look=Look(1, driver=True))
        assert made.damaged == 0
        assert len(frames_of(tmp_path / "film.mp4")) == made.frames


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp"])
def test_interrupted_nothing_is_left(tmp_path: Path, model: fastact.Model, suffix: str):
    folder, out = write_road(tmp_path / "tub"), tmp_path / "out"
    out.mkdir()
    path = out / f"film{suffix}"
    path.write_bytes(b"an older film")

    def interrupt(done: int, count: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_film(Film(model), lap(model, folder), path, progress=interrupt)
    assert [p.name for p in out.iterdir()] == [path.name]
    assert path.read_bytes() == b"an older film"


def test_told_to_terminate_nothing_is_left(tmp_path: Path):
    folder, out = write_road(tmp_path / "tub", 300), tmp_path / "out"
    out.mkdir()
    arguments = ["movie", "-m", str(samples.pilot()), "--tub", str(folder), "-o", str(out / "film.mp4")]
    code = f"""
import os, signal, sys
from fastact.film import files
add, count = files._Mp4.add, 0
def told(self, frame):
    global count
    count += 1
    if count == 20:
        print(os.listdir({str(out)!r}), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
    add(self, frame)
files._Mp4.add = told
from fastact.__main__ import program
sys.argv[1:] = {arguments!r}
program()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert "interrupted" in done.stderr
    assert done.returncode == 130
    assert done.stdout.strip() not in ("", "[]"), "something was there"
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp"])
def test_a_full_disk(tmp_path: Path, suffix: str):
    write_road(tmp_path / "tub", 40)
    code = f"""
import resource, fastact
from fastact import samples
from fastact.film import Film, make_film
from fastact.lap import Lap
from fastact.tub import Tub
model = fastact.load(samples.pilot())
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try: make_film(Film(model), Lap(Tub.open("tub"), model), "film{suffix}")
except fastact.FastactError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"cannot write 'film{suffix}': ")
    assert [p.name for p in tmp_path.iterdir()] == ["tub"]


FEW_CORES = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:4])
"""
"""Each of x264's threads holds frames, and a hundred cores' would hold the whole of a short film."""

PEAK = 'open("/proc/self/status").read().split("VmHWM:")[1].split()[0]'
"""In kilobytes; ru_maxrss would begin with what the parent holds."""


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp"])
def test_memory_does_not_grow_with_the_film(tmp_path: Path, suffix: str):
    code = f"""{FEW_CORES}
import numpy as np
from fractions import Fraction
from fastact.film.files import film_file
noise = np.random.default_rng(0).integers(0, 256, (260, 340, 3), np.uint8)
with film_file("film{suffix}", (320, 240), Fraction(20)) as file:
    for i in range(COUNT):
        file.add(np.ascontiguousarray(noise[i % 20 : i % 20 + 240, i % 19 : i % 19 + 320]))
print({PEAK}, os.path.getsize("film{suffix}") // 1024)
"""
    few, many = (
        subprocess.run(
            [sys.executable, "-c", code.replace("COUNT", str(count))],
            cwd=tmp_path, capture_output=True, text=True, timeout=600, check=True,
        ).stdout.split()
        for count in (300, 800)
    )  # fmt: skip
    allowed = (12 if suffix == ".gif" else 4) * 1024  # GIF's colours are remembered by Pillow, up to 8 MB of them
    assert int(many[1]) > int(few[1]) + allowed + 2 * 1024, "the films are too small to tell"
    assert int(many[0]) < int(few[0]) + allowed, (few, many)


def test_a_whole_film_takes_no_more_memory_than_a_part(tmp_path: Path):
    write_road(tmp_path / "tub", 400)
    code = f"""{FEW_CORES}
import fastact
from fastact import samples
from fastact.film import Film, make_film
from fastact.film.scenes import Look
from fastact.lap import Lap
from fastact.tub import Tub
model = fastact.load(samples.pilot())
make_film(Film(model), Lap(Tub.open("tub"), model, end=END), "film.mp4", look=Look(scale=1))
print({PEAK})
"""
    few, many = (
        subprocess.run(
            [sys.executable, "-c", code.replace("END", str(end))],
            cwd=tmp_path, capture_output=True, text=True, timeout=600, check=True,
        ).stdout
        for end in (100, 400)
    )  # fmt: skip
    assert int(many) < int(few) + 8 * 1024, (few, many)


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"fastact\[movie\]"):
        check_film("film.mp4", Fraction(20))
    check_film("film.gif", Fraction(50))
    with film_file(tmp_path / "film.webp", (160, 120), Fraction(20)) as file:
        file.add(np.zeros((120, 160, 3), np.uint8))
    assert len(frames_of(tmp_path / "film.webp")) == 1


def test_a_gif_has_no_frames_that_browsers_would_slow_down(tmp_path: Path, model: fastact.Model):
    folder = write_road(tmp_path / "tub", 3)
    with pytest.raises(InputError, match="50 frames a second at most"):
        make_film(Film(model), lap(model, folder), tmp_path / "film.gif", look=Look(fps=Fraction(51)))
    assert not (tmp_path / "film.gif").exists()


def test_what_cannot_be_filmed(tmp_path: Path, model: fastact.Model):
    walk = lap(model, write_road(tmp_path / "tub"))
    for name in ("film", "film.avi", "film.mp4.png"):
        with pytest.raises(InputError, match=r"\.mp4, \.gif, \.webp"):
            make_film(Film(model), walk, tmp_path / name)
    with pytest.raises(OutputError, match="folder does not exist"):
        make_film(Film(model), walk, tmp_path / "none/film.mp4")
    with pytest.raises(InputError, match="no picture that can be read"):
        make_film(Film(model), Lap(walk.tub, model, start=100), tmp_path / "film.mp4")
    with pytest.raises(InputError, match="unknown colour map"):
        make_film(Film(model), walk, tmp_path / "film.mp4", look=Look(colormap="nothing"))
    with pytest.raises(InputError, match="too large"):
        make_film(Film(model), walk, tmp_path / "film.mp4", look=Look(scale=40))
    with pytest.raises(UnsupportedError, match="a height, a width"):
        Film(model, layers="dense_1")
    with pytest.raises(InputError, match="choose mosaic"):
        Film(model, style="oil")
    assert [p.name for p in tmp_path.iterdir()] == ["tub"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    folder = write_road(tmp_path / "tub", deleted=(3,))
    path = tmp_path / "film.mp4"

    def fastact_movie(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["fastact", "movie", "-m", *map(str, (samples.pilot(), *arguments))])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    given = ["--tub", folder, "-o", path, "--start", 1, "--end", 6, "--scale", 1, "--draw-user-input"]
    assert fastact_movie(*given, "-l", "*Third*", "--style", "overlay") == 0
    out = capfd.readouterr()
    assert out.out == f"{path}\n"
    assert "4/4" in out.err
    assert "frames/s" in out.err
    assert len(frames_of(path)) == 4
    assert fastact_movie(*given, "--input", "320x240") == 0
    for arguments, words in (
        (["-o", tmp_path / "film.mov", "--tub", folder], "no name for a film"),
        (["-o", path, "--tub", tmp_path], "no tub"),
        (["-o", path, "--tub", folder, "-l", "none"], "no layer"),
        (["-o", path, "--tub", folder, "--start", 4, "--end", 3], "not after"),
        (["-o", path, "--tub", folder, "--fps", 0], "--fps"),
    ):
        assert fastact_movie(*arguments) == 2, arguments
        assert words in capfd.readouterr().err
