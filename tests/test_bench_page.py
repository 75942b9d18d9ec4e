"""report.html in a real browser: nothing fails, nothing is fetched, everything is there and can be seen."""

from __future__ import annotations

import dataclasses
from io import BytesIO
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
from browser import Watched, opened
from PIL import Image

import fastact
from fastact import samples
from fastact.bench.html import html
from fastact.bench.measure import Request, measure
from fastact.bench.pictures import pictures
from fastact.bench.project import BOARDS
from fastact.bench.result import Contest, Peer, Peers, Report
from fastact.bench.times import Times

PLOTS = (
    "Where the time goes",
    "Cost against pixels",
    "How near the machine's peak",
    "Memory",
    "Beside other engines",
    "Estimate for other boards",
)
PICTURES = 6
"""The input, the first layer and the last, at two sizes."""


def beside(report: Report) -> Peers:
    """What other engines might have done: how they are measured is tests/test_bench_peers.py's."""
    contests = []
    for size in report.sizes:
        slower = Times.of([1.3 * seconds for seconds in size.frame.runs])
        own = Peer("fastact", report.fastact, "", 0.0, size.frame, 1.0, 1.0, 1.0)
        rival = Peer("ONNX Runtime", "1.20.0", "in the model", 3e-7, slower, 1.3, 1.25, 1.4)
        contests.append(Contest(size.width, size.height, 20, (own, rival), {"LiteRT": "its process ended"}))
    return Peers(1e-5, {"PyTorch": "torch"}, tuple(contests))


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample model's report at two small sizes."""
    request = Request(fastact.load(samples.pilot()), [(120, 160), (180, 240)], seconds=0.1, boards=BOARDS)
    measured = measure(request)
    report = dataclasses.replace(measured.report, peers=beside(measured.report))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html(report, pictures(measured.runners)), encoding="utf-8")
    return path


running = browser.running  # a fixture: ruff takes an imported one for unused


def show(watched: Watched, path: Path) -> Any:
    watched.page.goto(path.as_uri())
    watched.page.wait_for_load_state("load")
    return watched.page


def colours(png: bytes) -> int:
    """How many colours a picture has; antialiased neighbours count once."""
    image = np.asarray(Image.open(BytesIO(png)).convert("RGB")) // 32
    return len(np.unique(image.reshape(-1, 3), axis=0))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_every_picture_and_plot_is_there(running, report_file: Path, scheme: str, scripts: bool) -> None:
    with opened(running, color_scheme=scheme, java_script_enabled=scripts) as watched:
        page = show(watched, report_file)
        assert watched.errors == []
        assert watched.requests_elsewhere(report_file.as_uri()) == []
        headings = page.locator("section h2").all_inner_texts()
        assert [heading for heading in headings if heading in PLOTS][: len(PLOTS)] == [*PLOTS]
        images, plots = page.locator("img"), page.locator("svg")
        assert (images.count(), plots.count()) == (PICTURES, len(PLOTS))
        for drawn in [*images.all(), *plots.all()]:
            box = drawn.bounding_box()
            assert box["width"] > 300
            assert box["height"] > 40
            assert colours(drawn.screenshot()) >= 4, drawn.get_attribute("alt") or drawn.get_attribute("aria-label")


def test_pictures_are_whole(running, report_file: Path) -> None:
    with opened(running) as watched:
        sizes = (
            show(watched, report_file)
            .locator("img")
            .evaluate_all(
                "all => all.map(i => [i.complete, i.naturalWidth, i.naturalHeight, +i.getAttribute('width')])"
            )
        )
    assert all(whole and wide == said and high > 0 for whole, wide, high, said in sizes)
    assert len(sizes) == PICTURES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(running, report_file: Path, scheme: str) -> None:
    """Contrast of text to what is behind it, by WCAG 2.1: 4.5 to 1 at least, for small text."""
    with opened(running, color_scheme=scheme) as watched:
        pairs = show(watched, report_file).evaluate(CONTRASTS)
    ratios = {what: contrast(*map(rgb, colors)) for what, colors in pairs.items()}
    assert len(ratios) >= 8
    assert {what: round(ratio, 2) for what, ratio in ratios.items() if ratio < 4.5} == {}


CONTRASTS = """() => {
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (c !== 'rgba(0, 0, 0, 0)') return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = {};
  for (const what of ['h1', 'h2', 'p.lead', 'p.dim', 'li', 'td', 'th', 'figcaption', 'svg text', 'svg .small']) {
    const e = document.querySelector(what);
    if (e) {
      const style = getComputedStyle(e);
      found[what] = [what.startsWith('svg') ? style.fill : style.color, behind(e)];
    }
  }
  return found;
}"""


def rgb(css: str) -> tuple[float, float, float]:
    red, green, blue = (float(part) for part in css[css.index("(") + 1 : -1].split(",")[:3])
    return red, green, blue


def contrast(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    def luminance(color: tuple[float, float, float]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_dark_is_dark(running, report_file: Path) -> None:
    means = {}
    for scheme in ("light", "dark"):
        with opened(running, color_scheme=scheme) as watched:
            shot = show(watched, report_file).screenshot()
        means[scheme] = float(np.asarray(Image.open(BytesIO(shot)).convert("L")).mean())
    assert means["light"] > 180
    assert means["dark"] < 80


def test_printing(running, report_file: Path) -> None:
    """On paper it is black on white, whatever the screen's colours are, and nothing is cut off at the right."""
    with opened(running, color_scheme="dark", viewport={"width": 718, "height": 1000}) as watched:
        page = show(watched, report_file)
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
        assert page.evaluate(OVERFLOWING) == []
        printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 3


OVERFLOWING = """() => [...document.querySelectorAll('img, svg, table, p, h1, h2')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + ' ' + (e.textContent || '').trim().slice(0, 40))"""


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_no_page_is_wider_than_its_window(running, report_file: Path, width: int) -> None:
    """Wide tables and plots scroll within their frames."""
    with opened(running, viewport={"width": width, "height": 800}) as watched:
        page = show(watched, report_file)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_whatever_gets_into_the_page_runs_nothing(running, report_file: Path, tmp_path: Path) -> None:
    """Names are escaped; were one not, the page's own policy stops it."""
    evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    path = tmp_path / "evil.html"
    path.write_text(report_file.read_text().replace("<p>", f"<p>{evil}"), encoding="utf-8")
    with opened(running) as watched:
        assert show(watched, path).title() == "pilot_160x120.h5: what a larger input costs"
        assert any("Content Security Policy" in said for said in watched.errors)
