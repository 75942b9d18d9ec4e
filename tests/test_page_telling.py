"""Statistics of a page that is served: the pass in its thread, what is asked over HTTP, and what a browser shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import browser
import numpy as np
import pytest
from browser import Watched, opened
from page_browser import numbered
from page_server import get, serving
from python_threads import until
from tubs import pixels, write_tub

import fastact
from fastact import Extractor, samples
from fastact.lap import Lap
from fastact.page.html import as_json
from fastact.page.statistics import Told
from fastact.page.telling import Pass, Telling
from fastact.stats import Collector, Statistics
from fastact.tub import Tub

pytest.importorskip("waitress", reason="waitress is not installed")

running = browser.running  # a fixture: ruff takes an imported one for unused

COUNT = 24
LAYER = "Conv2D_Fifth_layer"
PLACE = 9
"""That layer's number."""


@pytest.fixture(scope="module")
def tub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tub(tmp_path_factory.mktemp("told") / "tub", deleted=(1,), count=COUNT + 1)


def picture(image: str) -> np.ndarray:
    return pixels(int(Path(image).name.partition("_")[0]))


def a_pass(tub: Path, **more: Any) -> Pass:
    extract = Extractor(samples.pilot(), LAYER)
    return Pass(extract, Lap(Tub.open(tub), extract.model, **more), picture, (120, 160))


def statistics(tub: Path, frames: int) -> Statistics:
    each = a_pass(tub, limit=frames)
    collector = Collector(each.extract)
    for shot in each.lap:
        collector.add(each.extract(shot.frame), shot.record.index, each.lap.tub.inside(shot.record))
    return collector.result(complete=frames == COUNT)


def test_editions_are_the_statistics_of_the_frames_so_far(tub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    telling, seen = Telling([None, a_pass(tub)], first=5), []
    publish = Telling._publish

    def watched(self: Telling, column: int, *given: Any, **named: Any) -> None:
        publish(self, column, *given, **named)
        seen.append((self.state(), self.edition(column)))

    monkeypatch.setattr(Telling, "_publish", watched)
    assert telling.edition(1) is None
    telling.start()
    until(lambda: telling.state()["ended"])
    assert [state["frames"] for state, _ in seen] == [5, 10, 20, COUNT]
    assert [state["edition"] for state, _ in seen] == [1, 2, 3, 4]
    assert {state["of"] for state, _ in seen} == {COUNT}
    for state, body in seen:
        assert body == as_json(Told(statistics(tub, state["frames"]), picture).as_data((120, 160))).encode()
    assert "so far" in json.loads(seen[0][1])["words"]
    assert "so far" not in json.loads(seen[-1][1])["words"]
    assert telling.edition(0) is None
    assert telling.state()["failures"] == []
    telling.close()


def test_it_waits_while_somebody_looks(tub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [0.0], []
    clock = SimpleNamespace(monotonic=lambda: (asked.append(now[0]), now[0])[1])
    monkeypatch.setattr("fastact.page.telling.time", clock)
    telling = Telling([a_pass(tub)], quiet=0.01)
    telling.disturb()
    telling.start()
    until(lambda: len(asked) > 5)  # it has waited, and again, since by its clock no time has passed
    assert telling.state()["frames"] == 0
    now[0] = 1.0
    until(lambda: telling.state()["ended"])
    assert telling.state()["frames"] == COUNT


def test_it_ends_when_it_is_told_to(tub: Path) -> None:
    telling = Telling([a_pass(tub), a_pass(tub)], quiet=3600)
    telling.disturb()
    telling.start()
    telling.close()
    until(lambda: telling.state()["ended"])
    assert telling.state()["frames"] == 0


def test_what_fails_is_said_and_the_other_column_is_told(tub: Path, tmp_path: Path) -> None:
    broken = write_tub(tmp_path / "tub", count=3)
    for image in (broken / "images").iterdir():
        image.write_bytes(b"no picture")
    telling = Telling([a_pass(broken), a_pass(tub)])
    telling.start()
    until(lambda: telling.state()["ended"])
    assert telling.state()["failures"] == [f"the tub {str(broken)!r} has no picture that can be read"]
    assert telling.edition(0) is None
    assert telling.edition(1) is not None


@pytest.fixture(scope="module")
def address(tub: Path) -> Iterator[str]:
    with serving("-m", samples.pilot(), "--tub", tub) as found:
        yield found


def test_they_are_asked_for_over_http(address: str, tub: Path) -> None:
    until(lambda: json.loads(get(f"{address}/statistics")[1])["ended"])
    status, body, headers = get(f"{address}/statistics/0")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    told = json.loads(body)
    expected = json.loads(as_json(Told(statistics(tub, COUNT), picture).as_data((120, 160))))
    assert told["layers"][LAYER] == expected["layers"][LAYER]
    assert told["words"] == expected["words"] == "Statistics are over 24 frames of the tub, records 0 to 24."
    records = [record for record in range(COUNT + 1) if record != 1]
    assert told["places"]
    assert all(records[number] == int(record) for record, number in told["places"].items())


def test_without_frames_there_are_none(tub: Path) -> None:
    with serving("-m", samples.pilot(), "--tub", tub, "--limit", "0") as address:
        assert get(f"{address}/statistics")[0] == 404
        assert b'"told":false' in get(f"{address}/")[1]


@pytest.fixture
def watched(running: Any, address: str) -> Iterator[Watched]:
    with opened(running, viewport={"width": 1400, "height": 900}) as found:
        found.page.goto(address)
        found.page.locator("#told", has_text="Statistics are over 24 frames").wait_for()
        yield found
        assert found.errors == []
        assert found.requests_elsewhere(address) == []


def maps_of(tub: Path, number: int, layer: str) -> np.ndarray:
    lap = Lap(Tub.open(tub), fastact.load(samples.pilot()))
    return Extractor(lap.model, layer)(list(lap)[number].frame)[layer]


def test_a_browser_shows_them_as_they_come(watched: Watched, tub: Path) -> None:
    page, layer = watched.page, statistics(tub, COUNT).layers[0]
    assert page.locator(f"#layer-{PLACE} .known").text_content().startswith("Over 24 frames: ")
    dead = [f.index for f in layer.filters if f.verdict in ("dead", "nearly dead")]
    assert dead  # of noise, the last convolution lets some filters sleep
    entry = page.locator(f'#list [data-row="{PLACE}"] .verdict')
    assert entry.inner_text() == f"{len(dead)} dead or nearly"
    section = page.locator(f"#layer-{PLACE}")
    section.scroll_into_view_if_needed()
    section.locator(".map").first.wait_for()
    marked = section.locator(".map:has(.verdict)").evaluate_all("all => all.map(t => Number(t.dataset.plane))")
    assert marked == dead
    alive = next(f for f in layer.filters if f.verdict == "alive")
    section.locator(f'[data-plane="{alive.index}"]').click()
    assert f"mean {alive.mean:.4g}, " in page.locator("#stage-known p").inner_text()


def in_stage(page: Any, values: np.ndarray) -> None:
    """Waits until the scale below the enlarged map has the ends of these values."""
    ends = [float(f"{end:.3g}") for end in (values.min(), values.max())]
    drawn = "ends => [...document.querySelectorAll('#stage .end')].every((e, i) => Number(e.textContent) === ends[i])"
    page.wait_for_function(drawn, arg=ends)


def test_a_thumbnail_leads_to_its_frame_and_an_enlarged_map_follows(watched: Watched, tub: Path) -> None:
    page, layer = watched.page, statistics(tub, COUNT).layers[0]
    shown = next(f for f in layer.filters if f.verdict == "alive" and f.peaks[0].record > 1)
    section = page.locator(f"#layer-{PLACE}")
    section.scroll_into_view_if_needed()
    section.locator(f'[data-plane="{shown.index}"]').click()
    page.wait_for_selector("#stage[open]")
    number = shown.peaks[0].record - 1  # record 1 is deleted
    page.locator(".go").first.click()
    page.locator("#stage-frame", has_text=f"frame {number + 1}").wait_for()
    in_stage(page, maps_of(tub, number, LAYER)[..., shown.index])
    for _ in range(2):
        page.locator("#stage-frame-forth").click()
    page.locator("#stage-frame", has_text=f"frame {number + 3}").wait_for()
    in_stage(page, maps_of(tub, number + 2, LAYER)[..., shown.index])
    page.locator("#stage .scenes .picture").focus()
    page.keyboard.press("ArrowRight")
    array = maps_of(tub, number + 2, LAYER)
    middle = array[array.shape[0] // 2, array.shape[1] // 2, shown.index]
    assert numbered(page.locator("#stage-value").inner_text()) == middle


def test_the_slider_stays_in_sight_and_the_address_remembers(watched: Watched, running: Any) -> None:
    page = watched.page
    page.fill("#frame", "7")
    page.locator("#frame-name", has_text="8 of 24").wait_for()
    page.evaluate("scrollTo(0, 1800)")
    box, header = page.locator("#live").bounding_box(), page.locator("header.top").bounding_box()
    assert header["y"] == 0
    assert box["y"] == pytest.approx(header["height"], abs=1)
    section = page.locator(f"#layer-{PLACE}")
    section.scroll_into_view_if_needed()
    section.locator('[data-plane="5"]').click()
    page.wait_for_function("() => location.hash.includes('filter=5')")
    assert page.evaluate("location.hash") == f"#frame=8&layer={LAYER}&filter=5"
    with opened(running, viewport={"width": 1400, "height": 900}) as other:
        other.page.goto(page.url)
        other.page.wait_for_selector("#stage[open]")
        assert other.page.locator("#stage-title").inner_text() == f"{LAYER}, filter 5"
        other.page.locator("#stage-frame", has_text="frame 8").wait_for()
        assert other.page.input_value("#frame") == "7"
        assert other.errors == []


@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_serious_in_a_served_page(watched: Watched, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_selector(".map canvas")
    for opens in (None, ".map"):
        if opens is not None:
            page.locator(opens).first.click()
            page.wait_for_selector("#stage[open] .go")
        violations = axe.Axe().run(page).response["violations"]
        assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
