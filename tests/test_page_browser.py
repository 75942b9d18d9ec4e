"""The page in a real browser: what it shows, what it says of a cell, keys, two columns, size, and who can use it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Watched, browser, opened
from oracles import handmade
from PIL import Image
from test_fields import chain
from test_page import column

import fastact
from fastact import samples
from fastact.fields import receptive_fields
from fastact.frames import read_picture
from fastact.page import html
from fastact.page.columns import Column, Fed
from fastact.page.html import page
from fastact.page.statistics import Told
from fastact.stats import Collector

LAYERS = ("Conv2D_First_layer", "Conv2D_Third_layer", "dense_1", "n_outputs0")


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def shown() -> Column:
    return column(fastact.load(samples.pilot()), "160x120", layers=LAYERS)


@pytest.fixture(scope="module")
def file(shown: Column, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page([shown], title="pilot"), encoding="utf-8")
    return path


@pytest.fixture
def watched(running: Any, file: Path) -> Iterator[Watched]:
    with opened(running, viewport={"width": 1400, "height": 1000}) as found:
        found.page.goto(file.as_uri())
        found.page.wait_for_selector(".map canvas")
        yield found
        assert found.errors == []
        assert found.requests_elsewhere("file://") == []


def numbered(text: str) -> np.float32:
    return np.float32(text.replace("−", "-").removeprefix("≈ "))


def place(shown: Column, name: str) -> int:
    return [n.name for n in shown.model.nodes].index(name)


def tile(watched: Watched, shown: Column, name: str, plane: int) -> Any:
    return watched.page.locator(f'#layer-{place(shown, name)} [data-plane="{plane}"]')


def point(canvas: Any, shape: tuple[int, int], row: int, cell: int) -> None:
    """Moves the pointer over a cell of a map that is drawn on `canvas`, once the page has come to rest."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.hover(position={"x": (cell + 0.5) * box["width"] / shape[1], "y": (row + 0.5) * box["height"] / shape[0]})


def rectangle(rect: Any) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the rectangle that is drawn."""
    x, y, width, height = (int(rect.get_attribute(a)) for a in ("x", "y", "width", "height"))
    return y, x, y + height, x + width


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


def pixels(watched: Watched, canvas: Any) -> np.ndarray:
    """A canvas's pixels, (H, W, 3)."""
    flat = canvas.evaluate("c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    return np.array(flat[2:], np.uint8).reshape(flat[0], flat[1], 4)[..., :3]


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
    page.wait_for_timeout(900)
    assert page.evaluate("document.activeElement.closest('section').dataset.row") == str(
        place(shown, "Conv2D_Third_layer")
    )


def test_keys_change_scale_colours_and_order(watched: Watched) -> None:
    for key, choice in (("z", "norm"), ("c", "colours"), ("s", "order")):
        before = watched.page.input_value(f"#{choice}")
        watched.page.keyboard.press(key)
        assert watched.page.input_value(f"#{choice}") != before
    watched.page.keyboard.press("?")
    assert watched.page.locator("#help").is_visible()
    watched.page.keyboard.press("Escape")
    assert not watched.page.locator("#help").is_visible()


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


def test_two_sizes_stand_side_by_side(running: Any, tmp_path: Path) -> None:
    model = fastact.load(samples.pilot())
    small, large = (column(model.at_size(s), n, n, LAYERS[:2]) for s, n in (
        ((120, 160), "160x120"), ((360, 640), "640x360")
    ))  # fmt: skip
    (tmp_path / "page.html").write_text(page([small, large], title="both"), encoding="utf-8")
    with opened(running, viewport={"width": 1500, "height": 1000}) as watched:
        watched.page.goto((tmp_path / "page.html").as_uri())
        watched.page.select_option("#order", "mean")
        section = f"#layer-{place(small, LAYERS[0])}"
        for number, each in enumerate((small, large)):
            own = f'{section} [data-column="{number}"]'
            watched.page.wait_for_selector(f"{own} .map")
            planes = watched.page.locator(f"{own} .map").evaluate_all("all => all.map(t => Number(t.dataset.plane))")
            assert planes == np.argsort(-small.maps[LAYERS[0]].astype(float).mean((0, 1)), kind="stable").tolist()
            array = each.maps[LAYERS[0]]
            point(watched.page.locator(f'{own} [data-plane="4"] canvas'), array.shape[:2], 20, 30)
            assert numbered(watched.page.locator("#reading .value").inner_text()) == array[20, 30, 4]
        watched.page.locator(f"{section} .map").first.click()
        watched.page.wait_for_selector("#stage[open]")
        assert watched.page.locator("#stage .scenes figure").count() == 2
        assert watched.errors == []


def test_quantised_values_are_said_to_be(
    running: Any, shown: Column, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MOST_MAPS", 1)
    text = page([shown], title="small")
    assert "256 steps" in text
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with opened(running, viewport={"width": 1400, "height": 1000}) as watched:
        watched.page.goto((tmp_path / "page.html").as_uri())
        array = shown.maps["Conv2D_First_layer"]
        watched.page.wait_for_selector(".map canvas")
        for row, cell, plane in ((3, 4, 5), (57, 77, 11), (30, 40, 0)):
            canvas = tile(watched, shown, "Conv2D_First_layer", plane).locator("canvas")
            point(canvas, array.shape[:2], row, cell)
            said = watched.page.locator("#reading .value").inner_text()
            assert said.startswith("≈ ")
            step = np.ptp(array[..., plane]) / 251
            assert abs(numbered(said) - array[row, cell, plane]) <= 0.5001 * step
        assert watched.errors == []


def test_values_that_are_no_numbers(running: Any, shown: Column, tmp_path: Path) -> None:
    maps = {name: array.copy() for name, array in shown.maps.items()}
    first = maps["Conv2D_First_layer"]
    first[0, :3, 0] = np.nan, np.inf, -np.inf
    first[..., 1] = 0
    text = page([Column("pilot", shown.model, maps, shown.fed)], title="pilot")
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with opened(running, viewport={"width": 1400, "height": 1000}) as watched:
        watched.page.goto((tmp_path / "page.html").as_uri())
        watched.page.wait_for_selector(".map canvas")
        canvas = tile(watched, shown, "Conv2D_First_layer", 0).locator("canvas")
        for cell, words in enumerate(("not a number", "infinity", "minus infinity")):
            point(canvas, first.shape[:2], 0, cell)
            assert watched.page.locator("#reading .value").inner_text() == words
            assert pixels(watched, canvas)[0, cell].tolist() == [255, 0, 255]
        flat = tile(watched, shown, "Conv2D_First_layer", 1)
        assert flat.get_attribute("aria-label") == "filter 1: 0 everywhere"
        assert watched.errors == []


def opening(watched: Watched, path: Path) -> float:
    """Milliseconds from the request for a page to its first map."""
    watched.page.goto(path.as_uri())
    watched.page.wait_for_selector(".map canvas")
    return float(watched.page.evaluate("performance.now()"))


@pytest.mark.parametrize("size", ["160x120", "640x360"])
def test_it_opens_within_a_second(running: Any, tmp_path: Path, size: Any) -> None:
    across, down = map(int, size.split("x"))
    model = fastact.load(samples.pilot()).at_size((down, across))
    (tmp_path / "page.html").write_text(page([column(model, size, layers=None)], title=size), encoding="utf-8")
    with opened(running, viewport={"width": 1400, "height": 900}) as watched:
        times: list[float] = []
        while len(times) < 5 and min(times, default=1000) >= 1000:  # another process may have had the machine
            times.append(opening(watched, tmp_path / "page.html"))
        assert min(times) < 1000


def test_500_layers(running: Any, tmp_path: Path) -> None:
    layer = ("Conv2D", {"filters": 8, "kernel_size": 3, "padding": "same"})
    model = chain(*[layer, ("Activation", {"activation": "tanh"})] * 250)
    frame = np.random.default_rng(5).integers(0, 256, (17, 19, 2), np.uint8)
    maps = fastact.Extractor(model, "all")(frame)
    assert len(maps) == 501
    shown = Column("long", model, maps, Fed("noise", frame[..., :1]))
    (tmp_path / "page.html").write_text(page([shown], title="long"), encoding="utf-8")
    with opened(running, viewport={"width": 1400, "height": 900}) as watched:
        times: list[float] = []
        while len(times) < 5 and min(times, default=1000) >= 1000:
            times.append(opening(watched, tmp_path / "page.html"))
        assert min(times) < 1000
        assert watched.page.locator(".map").count() < 500  # of 4002: those near the window
        watched.page.locator('#list a[href="#layer-498"]').click()
        last = watched.page.locator('#layer-498 [data-plane="7"] canvas')
        last.wait_for()
        watched.page.wait_for_timeout(300)
        point(last, (17, 19), 8, 9)
        assert numbered(watched.page.locator("#reading .value").inner_text()) == maps["l497"][8, 9, 7]
        assert watched.page.locator(".map").count() < 500
        watched.page.fill("#search", "l123")
        assert watched.page.locator("section.layer:visible").count() == 1
        assert watched.errors == []


def test_a_tub_s_statistics_stand_beside_each_filter(running: Any, tmp_path: Path) -> None:
    model = fastact.load(samples.pilot())
    extract, collector = fastact.Extractor(model, LAYERS[:2]), Collector(fastact.Extractor(model, LAYERS[:2]), apart=1)
    frames = [read_picture(samples.frame("160x120"), (120, 160, 3)).frame]
    frames += [np.roll(frames[0], 40, axis=1), frames[0][::-1].copy()]
    for number, frame in enumerate(frames):
        collector.add(extract(frame), number, f"{number}.png")
    statistics = collector.result()
    told = Told(statistics, lambda image: frames[int(image.removesuffix(".png"))])
    shown = Column("pilot", model, extract(frames[0]), Fed("first", frames[0]))
    (tmp_path / "page.html").write_text(page([shown], title="pilot", told=[told]), encoding="utf-8")
    with opened(running, viewport={"width": 1400, "height": 1000}) as watched:
        watched.page.goto((tmp_path / "page.html").as_uri())
        assert "Statistics are over 3 frames of the tub, records 0 to 2." in watched.page.locator("header").inner_text()
        for layer in statistics.layers:
            row = place(shown, layer.name)
            section = watched.page.locator(f"#layer-{row}")
            assert section.locator(".known").inner_text().startswith("Over 3 frames: ")
            for filter_number in (1, 7):
                expected = layer.filters[filter_number]
                section.scroll_into_view_if_needed()
                section.locator(f'[data-plane="{filter_number}"]').click()
                watched.page.wait_for_selector("#stage[open]")
                text = watched.page.locator("#stage-known p").inner_text().replace("−", "-")
                assert text.startswith("Over 3 frames: ")
                assert f"mean {expected.mean:.4g}, " in text
                assert f"{expected.zeros:.1%} zeros" in text
                assert watched.page.locator(".histogram rect").count() == len(expected.histogram)
                peaks = watched.page.locator("#stage-known .peak")
                assert peaks.count() == len(expected.peaks[:4])
                for n, peak in enumerate(expected.peaks[:4]):
                    assert f"in record {peak.record}" in peaks.nth(n).inner_text()
                    assert rectangle(peaks.nth(n).locator("rect.field").last) == peak.field
                    assert peaks.nth(n).locator("img").evaluate("i => i.naturalWidth") == 160
                watched.page.keyboard.press("Escape")
        assert watched.errors == []


def test_a_map_of_a_run_stands_over_its_own_picture(running: Any, tmp_path: Path, random: np.random.Generator) -> None:
    layers = [{"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3, 12, 16, 3]}}]
    inner = {"class_name": "Conv2D", "config": {"name": "inner", "filters": 2, "kernel_size": 3}}
    layers.append({"class_name": "TimeDistributed", "config": {"name": "td", "layer": inner}})
    model = handmade({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})
    run = random.integers(0, 256, (3, 12, 16, 3), np.uint8)
    maps = fastact.Extractor(model, "td")(run)
    (tmp_path / "page.html").write_text(page([Column("m", model, maps, Fed("run", run))], title="m"), encoding="utf-8")
    with opened(running, viewport={"width": 1400, "height": 1000}) as watched:
        watched.page.goto((tmp_path / "page.html").as_uri())
        watched.page.wait_for_selector(".map canvas")
        for plane, (step, number) in {0: (0, 0), 3: (1, 1), 4: (2, 0)}.items():
            tile = watched.page.locator(f'#layer-1 [data-plane="{plane}"]')
            assert tile.locator("b").inner_text() == f"{step}:{number}"
            point(tile.locator("canvas"), (10, 14), 4, 5)
            assert watched.page.locator("#reading .what").inner_text() == (
                f"td, step {step}, filter {number}, column 5, row 4"
            )
            assert numbered(watched.page.locator("#reading .value").inner_text()) == maps["td"][step, 4, 5, number]
            address = watched.page.locator(".looking img").get_attribute("src")
            shown = Image.open(BytesIO(base64.b64decode(address.partition(",")[2])))
            np.testing.assert_array_equal(np.array(shown), run[step])
        assert watched.errors == []
