"""The page in a real browser: what it shows, what it says of a cell, keys, two columns, size, and who can use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import browser
import numpy as np
import page_browser
import pytest
from browser import Watched, opened
from page_browser import LAYERS, numbered, pixels, place, point, rectangle, tile
from PIL import Image

from fastact.fields import receptive_fields
from fastact.page.columns import Column
from fastact.page.html import page

running, shown = browser.running, page_browser.shown  # fixtures: ruff takes imported ones for unused


@pytest.fixture(scope="module")
def file(shown: Column, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page([shown], title="pilot"), encoding="utf-8")
    return path


@pytest.fixture
def watched(running: Any, file: Path, shown: Column) -> Iterator[Watched]:
    with opened(running, viewport={"width": 1400, "height": 1000}) as found:
        found.page.goto(file.as_uri())
        for name in LAYERS[:2]:  # the second, which is smaller, may come first
            found.page.wait_for_selector(f"#layer-{place(shown, name)} .map canvas")
        yield found
        assert found.errors == []
        assert found.requests_elsewhere("file://") == []


def test_hover_says_numpy_s_values_and_draws_the_field(watched: Watched, shown: Column) -> None:
    fields, random = receptive_fields(shown.model), np.random.default_rng(8)
    for name in LAYERS[:2]:
        array, field = shown.maps[name], fields[name]
        assert field is not None
        for _ in range(6):
            row, cell, plane = (int(random.integers(n)) for n in array.shape)
            canvas = tile(watched, shown, name, plane).locator("canvas")
            point(canvas, array.shape[:2], row, cell)
            said = watched.page.locator("#reading .what").inner_text()
            assert said == f"{name}, filter {plane}, column {cell}, row {row}"
            assert numbered(watched.page.locator("#reading .value").inner_text()) == array[row, cell, plane]
            rect = watched.page.locator(".looking rect.field").last
            assert rect.is_visible()
            assert rectangle(rect) == field.rectangle(row, cell)


def test_vectors_are_read_value_by_value(watched: Watched, shown: Column) -> None:
    bars = watched.page.locator(f"#layer-{place(shown, 'dense_1')} canvas.bars")
    watched.page.locator(f"#layer-{place(shown, 'dense_1')}").scroll_into_view_if_needed()
    bars.focus()
    for n in range(5):
        watched.page.keyboard.press("ArrowRight")
        assert numbered(watched.page.locator("#reading .value").inner_text()) == shown.maps["dense_1"][n]
    number = watched.page.locator(f"#layer-{place(shown, 'n_outputs0')} output")
    assert numbered(number.inner_text()) == shown.maps["n_outputs0"][0]


def test_an_enlarged_map_is_read_by_keys(watched: Watched, shown: Column) -> None:
    name, array = "Conv2D_Third_layer", shown.maps["Conv2D_Third_layer"]
    field = receptive_fields(shown.model)[name]
    assert field is not None
    first = tile(watched, shown, name, 0)
    first.scroll_into_view_if_needed()
    first.focus()
    watched.page.keyboard.press("ArrowRight")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_selector("#stage[open]")
    assert watched.page.locator("#stage-title").inner_text() == f"{name}, filter 1"
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowRight"):
        watched.page.keyboard.press(key)
    found = re.match(r"column (\d+), row (\d+) ", watched.page.locator("#stage-sees").inner_text())
    assert found is not None
    cell, row = map(int, found.groups())
    assert (row, cell) == (array.shape[0] // 2 - 1, array.shape[1] // 2 + 2)
    assert numbered(watched.page.locator("#stage-value").inner_text()) == array[row, cell, 1]
    assert rectangle(watched.page.locator("#stage rect.field").last) == field.rectangle(row, cell)
    watched.page.keyboard.press("n")
    assert numbered(watched.page.locator("#stage-value").inner_text()) == array[row, cell, 2]
    watched.page.keyboard.press("p")
    watched.page.keyboard.press("p")
    assert numbered(watched.page.locator("#stage-value").inner_text()) == array[row, cell, 0]
    watched.page.keyboard.press("Escape")
    assert not watched.page.locator("#stage").is_visible()
    watched.page.locator(f'#layer-{place(shown, name)} [data-plane="0"][tabindex="0"]:focus').wait_for()
    assert watched.page.locator(f'#layer-{place(shown, name)} .map[tabindex="0"]').count() == 1


def test_an_enlarged_cell_lies_amid_what_it_sees(watched: Watched, shown: Column) -> None:
    tile(watched, shown, "Conv2D_Third_layer", 3).click()
    watched.page.wait_for_selector("#stage[open]")
    box = watched.page.locator("#stage .picture").bounding_box()
    field = receptive_fields(shown.model)["Conv2D_Third_layer"]
    assert field is not None
    top, left, bottom, right = field.rectangle(5, 9)
    x, y = box["x"] + box["width"] * (left + right) / 320, box["y"] + box["height"] * (top + bottom) / 240
    watched.page.mouse.move(x, y)
    assert watched.page.locator("#stage-sees").inner_text().startswith("column 9, row 5 ")
    cell = watched.page.locator("#stage rect.cell")
    middle = float(cell.get_attribute("x")) + float(cell.get_attribute("width")) / 2
    assert middle == (left + right) / 2


@pytest.mark.parametrize("norm", ["map", "layer", "fixed"])
def test_colours_are_those_of_the_scale(watched: Watched, shown: Column, norm: str) -> None:
    from fastact.views import color_table

    watched.page.select_option("#norm", norm)
    watched.page.select_option("#colours", "cividis")
    if norm == "fixed":
        watched.page.fill("#fixed-low", "-1")
        watched.page.fill("#fixed-high", "0.5")
        watched.page.keyboard.press("Tab")
    array = shown.maps["Conv2D_First_layer"]
    values = array[..., 6].astype(np.float64)
    low, high = {
        "map": (values.min(), values.max()),
        "layer": (float(array.min()), float(array.max())),
        "fixed": (-1.0, 0.5),
    }[norm]
    entries = np.clip(np.floor(256 * (values - low) / (high - low)), 0, 255).astype(int)
    found = pixels(watched, tile(watched, shown, "Conv2D_First_layer", 6).locator("canvas"))
    np.testing.assert_array_equal(found, color_table("cividis")[entries])
    words = watched.page.locator("#words").inner_text()
    assert {"map": "scale of its own", "layer": "Every layer has one scale", "fixed": "−1 and less"}[norm] in words
    assert "dark blue" in words


@pytest.mark.parametrize("order", ["mean", "most", "zeros"])
def test_filters_are_sorted(watched: Watched, shown: Column, order: str) -> None:
    watched.page.select_option("#order", order)
    array = shown.maps["Conv2D_Third_layer"].astype(np.float64)
    by = {"mean": array.mean((0, 1)), "most": array.max((0, 1)), "zeros": (array == 0).mean((0, 1))}[order]
    section = watched.page.locator(f"#layer-{place(shown, 'Conv2D_Third_layer')}")
    section.scroll_into_view_if_needed()
    section.locator(".map").first.wait_for()
    found = [int(n) for n in section.locator(".map").evaluate_all("all => all.map(t => t.dataset.plane)")]
    assert sorted(found) == list(range(array.shape[-1]))
    assert (np.diff(by[found]) <= 1e-12).all()


def test_layers_are_searched_chosen_and_gone_to(watched: Watched, shown: Column) -> None:
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type("third")
    assert page.locator("#list li:visible").count() == 1
    assert page.locator("section.layer:visible").count() == 1
    assert page.locator("#found").inner_text() == f"1 of {len(shown.model.nodes)}"
    page.fill("#search", "")
    page.locator("#none").click()
    assert page.locator("section.layer:visible").count() == 0
    page.get_by_label("Show the maps of Conv2D_First_layer").check()
    assert page.locator("section.layer:visible").count() == 1
    page.locator("#all").click()
    page.locator("#none").focus()
    page.keyboard.press("j")
    reached = "row => document.activeElement.closest('section')?.dataset.row === row"
    page.wait_for_function(reached, arg=str(place(shown, "Conv2D_Third_layer")))


def test_every_layer_is_reached_by_keys(watched: Watched, shown: Column) -> None:
    focused = "() => Number(document.activeElement.closest('section')?.dataset.row)"
    rows = [place(shown, name) for name in LAYERS]
    watched.page.evaluate("() => document.querySelector('section.layer [tabindex=\"0\"]').focus()")
    for key, expected in (("j", rows[1:]), ("j", rows[-1:]), ("k", rows[-2::-1])):
        found = []
        for _ in expected:
            watched.page.keyboard.press(key)
            found.append(watched.page.evaluate(focused))
        assert found == expected


def test_keys_change_scale_colours_and_order(watched: Watched) -> None:
    for key, choice in (("z", "norm"), ("c", "colours"), ("s", "order")):
        before = watched.page.input_value(f"#{choice}")
        watched.page.keyboard.press(key)
        assert watched.page.input_value(f"#{choice}") != before
    watched.page.keyboard.press("?")
    assert watched.page.locator("#help").is_visible()
    watched.page.keyboard.press("Escape")
    assert not watched.page.locator("#help").is_visible()


def test_a_value_is_copied_as_numpy_has_it(watched: Watched, shown: Column) -> None:
    page, name, array = watched.page, LAYERS[0], shown.maps[LAYERS[0]]
    page.evaluate("() => addEventListener('copy', (e) => { window.copied = e.clipboardData.getData('text/plain') })")
    point(tile(watched, shown, name, 5).locator("canvas"), array.shape[:2], 7, 20)
    assert page.locator("#reading .whole").inner_text().startswith("the whole map: ")
    page.keyboard.press("Control+c")
    place_and_value = page.evaluate("() => window.copied")
    assert place_and_value.startswith(f"{name}[7, 20, 5] = ")
    assert np.float32(place_and_value.rpartition(" ")[2]) == array[7, 20, 5]
    page.locator("#search").fill("conv")
    page.locator("#search").select_text()
    page.evaluate("() => { window.copied = null }")
    page.keyboard.press("Control+c")
    assert page.evaluate("() => window.copied") == ""  # left to the browser


def test_the_address_leads_to_a_map(running: Any, file: Path, shown: Column) -> None:
    name = "Conv2D_Third_layer"
    with opened(running, viewport={"width": 1400, "height": 1000}) as watched:
        page = watched.page
        page.goto(f"{file.as_uri()}#layer={name}&filter=7")
        page.wait_for_selector("#stage[open]")
        assert page.locator("#stage-title").inner_text() == f"{name}, filter 7"
        page.keyboard.press("n")
        page.wait_for_function("() => location.hash.endsWith('filter=8')")
        page.keyboard.press("Escape")
        page.wait_for_function("name => location.hash === `#layer=${name}`", arg=name)
        for hostile in (
            "#layer=nothing&filter=1",
            f"#layer={name}&filter=99999",
            f"#layer={name}&filter=-1",
            "#%00%ff<b>",
        ):
            page.goto("about:blank")
            page.goto(file.as_uri() + hostile)
            page.wait_for_selector(".map canvas")
            assert not page.locator("#stage").is_visible()
        assert watched.errors == []


def test_the_list_follows_the_layer_that_is_looked_at(running: Any, file: Path, shown: Column) -> None:
    with opened(running, viewport={"width": 1400, "height": 420}) as watched:
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector(".map canvas")
        far = place(shown, "Conv2D_Third_layer")
        in_sight = """row => {
          const list = document.getElementById("network").getBoundingClientRect();
          const item = document.querySelector(`#list [data-row="${row}"]`).getBoundingClientRect();
          return item.top >= list.top && item.bottom <= list.bottom;
        }"""
        assert not watched.page.evaluate(in_sight, far)
        watched.page.evaluate("row => document.getElementById(`layer-${row}`).scrollIntoView()", far)
        watched.page.wait_for_function(in_sight, arg=far)
        assert watched.errors == []


LOOKS = [(1400, 900, "light"), (1400, 900, "dark"), (390, 844, "light"), (390, 844, "dark")]


@pytest.mark.parametrize(("width", "height", "scheme"), LOOKS)
def test_it_shows_something_and_fits_the_window(running: Any, file: Path, width: int, height: int, scheme: str) -> None:
    with opened(running, viewport={"width": width, "height": height}, color_scheme=scheme) as watched:
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector(".map canvas")
        picture = np.array(Image.open(BytesIO(watched.page.screenshot())).convert("RGB"))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500
        assert (picture[-1, -1].mean() < 128) == (scheme == "dark")
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        assert watched.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_serious(running: Any, file: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    with opened(running, viewport={"width": width, "height": 900}, color_scheme=scheme) as watched:
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector(".map canvas")
        for opens in (None, ".map", "#help-open"):
            if opens is not None:
                watched.page.locator(opens).first.click()
                watched.page.wait_for_selector("dialog[open]")
            violations = axe.Axe().run(watched.page).response["violations"]
            serious = [(v["id"], v["nodes"][0]["target"]) for v in violations if v["impact"] in ("serious", "critical")]
            assert serious == []
            watched.page.keyboard.press("Escape")
