"""The page's parts without a browser: packing, lanes, alignment, the file as a whole, and the command."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from tubs import write_tub

import fastact
from fastact import samples
from fastact.errors import InputError
from fastact.page.columns import Column, Fed, planes_of
from fastact.page.html import page, scripts
from fastact.page.lanes import lanes
from fastact.page.packing import STEPS, Packed, pack, pack_within
from fastact.tub import Tub


def unpacked(packed: Packed, shape: tuple[int, ...]) -> np.ndarray:
    """What the browser makes of packed bytes, in NumPy."""
    size = packed.bits // 8
    together = np.frombuffer(zlib.decompress(packed.data), np.uint8).reshape(size, -1).T.tobytes()
    if packed.bits == 32:
        return np.frombuffer(together, "<f4").reshape(shape)
    codes = np.frombuffer(together, f"<u{size}").reshape(shape).astype(np.int64)
    low, high = (np.array(ends)[:, None, None] for ends in (packed.low, packed.high))
    values = low + (codes - 1) / (STEPS[packed.bits] - 1) * (high - low)
    values[codes == 0] = 0
    for place, value in enumerate((np.nan, -np.inf, np.inf)):
        values[codes == STEPS[packed.bits] + 1 + place] = value
    return values


FLOATS = arrays(np.float32, st.tuples(*[st.integers(1, 4)] * 3), elements=st.floats(width=32))


@given(FLOATS)
def test_exact_values_come_back_to_the_bit(planes: np.ndarray) -> None:
    back = unpacked(pack(planes), planes.shape)
    np.testing.assert_array_equal(back.view(np.uint32), planes.view(np.uint32))


@pytest.mark.parametrize("bits", [16, 8])
@given(planes=FLOATS)
def test_quantised_values_are_within_half_a_step(bits: int, planes: np.ndarray) -> None:
    packed = pack(planes, bits)
    back = unpacked(packed, planes.shape)
    finite = np.isfinite(planes)
    np.testing.assert_array_equal(back[~finite], planes[~finite])
    np.testing.assert_array_equal(back[planes == 0], 0)
    span = np.broadcast_to((np.array(packed.high) - packed.low)[:, None, None], planes.shape)
    bound = span / (STEPS[bits] - 1) * 0.500001 + np.abs(planes, where=finite, out=np.zeros(planes.shape)) * 1e-12
    off = np.subtract(back, planes, where=finite, out=np.zeros(planes.shape))
    assert (np.abs(off) <= bound).all()


def test_the_largest_layers_get_fewer_bits_until_all_fit(random: np.random.Generator) -> None:
    large, small = random.random((8, 50, 50), np.float32), random.random((2, 5, 5), np.float32)
    assert [p.bits for p in pack_within([large, small], 10**6)] == [32, 32]
    assert [p.bits for p in pack_within([large, small], 60_000)] == [16, 32]
    assert [p.bits for p in pack_within([large, small], 22_000)] == [8, 32]
    assert [p.bits for p in pack_within([large, small], 1)] == [8, 8]


def test_lanes_of_a_chain_and_of_a_branch() -> None:
    assert [(lane.at, lane.into, lane.through, lane.on) for lane in lanes([(), (0,), (1,)])] == [
        (0, (), (), True), (0, (0,), (), True), (0, (0,), (), False),
    ]  # fmt: skip
    branched = lanes([(), (0,), (0,), (1, 2)])  # 0 feeds 1 and 2, which meet in 3
    assert [(lane.at, lane.into, lane.through, lane.on) for lane in branched] == [
        (0, (), (), True), (1, (0,), (0,), True), (0, (0,), (1,), True), (0, (0, 1), (), False),
    ]  # fmt: skip


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=30))
def test_lines_never_share_a_lane(drawn: list[list[int]]) -> None:
    inputs = [tuple(n for n in each if n < row) for row, each in enumerate(drawn)]
    last = {source: row for row, each in enumerate(inputs) for source in each}
    rows = lanes(inputs)
    for row, lane in enumerate(rows):
        assert lane.into == tuple(sorted({rows[s].at for s in inputs[row]}))
        passing = [rows[s].at for s in range(row) if last.get(s, -1) > row]
        assert sorted(passing) == list(lane.through)
        assert not (lane.on and lane.at in lane.through)


@pytest.fixture(scope="module")
def pilot() -> fastact.Model:
    return fastact.load(samples.pilot())


def column(model: fastact.Model, size: Any, label: str = "pilot", layers: Any = "all") -> Column:
    frame = np.array(Image.open(samples.frame(size)))
    return Column(label, model, fastact.Extractor(model, layers)(frame), Fed(f"{size}.jpg", frame))


def test_planes_are_filters_step_by_step() -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    planes = planes_of(array)
    assert planes.shape == (10, 3, 4)
    np.testing.assert_array_equal(planes[7], array[1, :, :, 2])
    assert planes_of(array[0, 0]).shape == (1, 4, 5)
    assert planes_of(array[0, 0, 0]).shape == (1, 1, 5)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_is_whole_in_itself(pilot: fastact.Model) -> None:
    text = page([column(pilot, "160x120")], title="pilot")
    for tag, attributes in Tags(text).found:
        assert tag not in ("link", "iframe", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    plain = re.sub(r"http://www\.w3\.org/2000/svg", "", text)
    assert not re.findall(r"url\(|@import|https?://", plain)
    known = base64.b64encode(hashlib.sha256(scripts().encode()).digest()).decode()
    assert f"script-src &#39;sha256-{known}&#39;" in text


def test_no_two_scripts_use_a_name() -> None:
    names = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", scripts(), re.MULTILINE)
    assert len(names) > 60
    assert len(set(names)) == len(names)
    assert not re.findall(r"^(import|export) ", scripts(), re.MULTILINE)


@pytest.mark.parametrize(("sizes", "most"), [(["160x120"], 1_000_000), (["640x360"], 6_000_000)])
def test_bytes(pilot: fastact.Model, sizes: list[Any], most: int) -> None:
    columns = []
    for size in sizes:
        across, down = map(int, size.split("x"))
        columns.append(column(pilot.at_size((down, across)), size, layers=None))
    text = page(columns, title="pilot")
    assert len(text.encode()) < most
    assert "Values are exact" in text


def test_names_from_a_file_are_no_markup(pilot: fastact.Model) -> None:
    evil = "</script><script>alert(1)</script>&\"'"
    shown = column(pilot, "160x120")
    assert shown.fed is not None
    text = page([Column(evil, pilot, shown.maps, Fed(evil, shown.fed.picture, (evil,)))], title=evil)
    assert len([1 for tag, _ in Tags(text).found if tag == "script"]) == 2 + len(shown.maps)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["columns"][0]["label"] == evil


def test_unknown_colours_are_refused(pilot: fastact.Model) -> None:
    with pytest.raises(InputError, match="unknown colour map 'viridiss'"):
        page([Column("pilot", pilot, {})], title="pilot", colormap="viridiss")


def test_values_that_are_no_numbers_are_no_trouble(pilot: fastact.Model) -> None:
    frame = np.full((120, 160, 3), np.nan, np.float32)
    frame[:60] = np.inf
    maps = fastact.Extractor(pilot)(frame)
    text = page([Column("pilot", pilot, maps)], title="pilot")
    assert "NaN" not in re.sub(r"<script type=\"module\">.*", "", text, flags=re.DOTALL)


def view(*arguments: object, env: Any = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fastact", "view", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=600)


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    done = view("-m", samples.pilot(), "-i", samples.frame("160x120"), "-o", tmp_path / "page.html")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'page.html'}\n"), done.stderr
    text = (tmp_path / "page.html").read_text()
    assert "<h1>pilot_160x120.h5</h1>" in text
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_the_command_shows_two_sizes_and_two_models(tmp_path: Path) -> None:
    image = samples.frame("640x360")
    both = ["-m", samples.pilot(), "-i", image, "-o", tmp_path / "page.html"]
    assert view(*both, "--size", "160x120", "--size", "320x180").returncode == 0
    assert "<h1>pilot_160x120.h5 at 160x120 and 320x180</h1>" in (tmp_path / "page.html").read_text()
    other = tmp_path / "other.h5"
    other.write_bytes(samples.pilot().read_bytes())
    assert view(*both, "--against", other).returncode == 0
    assert "<h1>pilot_160x120.h5 and other.h5</h1>" in (tmp_path / "page.html").read_text()


def test_the_command_takes_a_tub(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub", deleted=(0,))
    done = view("-m", samples.pilot(), "--tub", tub, "-o", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    first = next(iter(Tub.open(tub))).image.name
    assert f'<span class="fed">{first}</span>' in (tmp_path / "page.html").read_text()


def test_the_command_shows_a_network_without_a_picture(tmp_path: Path) -> None:
    assert view("-m", samples.pilot(), "-o", tmp_path / "page.html").returncode == 0
    text = (tmp_path / "page.html").read_text()
    assert "No picture was given" in text
    assert "Conv2D_First_layer" in text


def test_the_command_opens_a_browser(tmp_path: Path) -> None:
    import os

    seen = tmp_path / "seen"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    program.chmod(0o755)
    done = view("-m", samples.pilot(), env={**os.environ, "BROWSER": f"{program} %s", "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert seen.read_text().strip() == Path(done.stdout.strip()).as_uri()
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--serve"], "--serve needs a tub"),
        (["--tub", "nowhere"], "'nowhere' is no tub"),
        (["--size", "60x60", "--size", "70x70", "--size", "80x80"], "two columns stand side by side at most"),
        (["--image", "nowhere.jpg"], "there is no picture 'nowhere.jpg'"),
        (["--index", "3"], "--index says which record of a --tub"),
        (["--colormap", "no"], "unknown colour map 'no'"),
        (["--out", "nowhere/page.html"], "the folder does not exist"),
        (["--input", "img_in"], "'img_in' is not NAME=FILE.npy"),
    ],
)
def test_the_command_refuses(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = view("-m", samples.pilot(), *(["-o", tmp_path / "x.html"] if arguments != ["--serve"] else []), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("package", "serve"), [("jinja2", False), ("waitress", True)])
def test_an_extra_that_is_absent_is_named(package: str, serve: bool, tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub")
    more = ["--tub", str(tub), "--serve", "--no-open"] if serve else ["--out", str(tmp_path / "page.html")]
    code = f"""
import sys
sys.modules[{package!r}] = None
sys.argv = ["fastact", "view", "--model", {str(samples.pilot())!r}, *{more!r}]
from fastact.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert done.stderr.endswith(f"needs {package}, which is not installed: pip install 'fastact[view]'\n")
