"""The report as a page: whole in itself, well-formed, and as a headless browser sees it."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import fastact
from fastact import samples
from fastact.bench.html import html
from fastact.bench.markdown import escaped, markdown
from fastact.bench.measure import Measured, Request, measure
from fastact.bench.pictures import pictures
from fastact.bench.times import Times


@pytest.fixture(scope="module")
def measured() -> Measured:
    names = ["Conv2D_First_layer", "Conv2D_Third_layer"]
    return measure(Request(fastact.load(samples.pilot()), [(60, 80), (90, 120)], names, seconds=0.1))


@pytest.fixture(scope="module")
def page(measured: Measured) -> str:
    return html(measured.report, pictures(measured.runners))


class Tags(HTMLParser):
    """Every tag with its attributes, and tags that are not closed."""

    EMPTY = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_in_itself(page: str) -> None:
    tags = Tags(page)
    assert tags.open == []
    for tag, attributes in tags.found:
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
        assert "href" not in attributes
    assert not re.findall(r"url\(|@import|https?://", page)


def test_every_picture_opens(page: str) -> None:
    addresses = [a["src"] or "" for tag, a in Tags(page).found if tag == "img"]
    assert len(addresses) == 6  # the input, the first and the last layer, at two sizes
    for address in addresses:
        image = Image.open(BytesIO(base64.b64decode(address.partition(",")[2])))
        image.load()
        assert max(image.size) <= 1100


def test_every_plot_is_well_formed_and_inside_its_frame(page: str) -> None:
    plots = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(plots) == 4
    for plot in plots:
        root = ElementTree.fromstring(plot)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        assert root.attrib["aria-label"]
        for item in root.iter():
            x, y = (item.get(a) or item.get(f"c{a}") or "0" for a in "xy")
            assert 0 <= float(x) + float(item.get("width") or 0) <= width
            assert 0 <= float(y) + float(item.get("height") or 0) <= height
    bars = ElementTree.fromstring(plots[0]).findall("rect")
    assert len(bars) == 3 * 2 * 2  # layers, the one between those asked for among them; sizes; time and multiply-adds


def test_names_from_a_file_are_no_markup(measured: Measured) -> None:
    evil = "<script>alert(1)</script>&\"'"
    subject = dataclasses.replace(measured.report.subject, name=evil)
    sizes = tuple(
        dataclasses.replace(size, layers=tuple(dataclasses.replace(x, names=(evil,)) for x in size.layers[:1]))
        for size in measured.report.sizes
    )
    report = dataclasses.replace(measured.report, subject=subject, sizes=sizes)
    found = html(report)
    assert "script" not in {tag for tag, _ in Tags(found).found}
    assert found.count("&lt;script&gt;") >= 6
    assert "<script" not in markdown(report).replace("\\<", "")


def test_markdown_escapes() -> None:
    assert escaped("a|b_c\n*d*\x1b") == r"a\|b\_c \*d\*"


def test_a_report_of_layers_that_multiply_nothing(measured: Measured) -> None:
    """Pools alone, on a system whose clock shows no CPU time of a frame."""
    none = Times.of([0.0])
    sizes = tuple(
        dataclasses.replace(
            size, multiply_adds=0, cpu=none,
            layers=tuple(dataclasses.replace(layer, multiply_adds=0, multiplied=0) for layer in size.layers),
        )
        for size in measured.report.sizes
    )  # fmt: skip
    sweep = tuple(dataclasses.replace(point, multiply_adds=0, cpu_seconds=0.0) for point in measured.report.sweep)
    report = dataclasses.replace(measured.report, sizes=sizes, sweep=sweep)
    found = html(report)
    assert "Cost against pixels" not in found
    assert "the pixels." in markdown(report)


def test_a_report_without_sweep_and_pictures(measured: Measured) -> None:
    sizes = tuple(dataclasses.replace(s, picture=None, process_bytes=None) for s in measured.report.sizes[:1])
    report = dataclasses.replace(measured.report, sizes=sizes, sweep=(), complete=False)
    found = html(report)
    assert found.count("<svg") == 3
    assert "The run was interrupted" in found
    assert "a frame of 80x60 takes" in found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(200, 1, 3), (1, 200, 3), (1, 1, 1), (900, 300, 2), (300, 900, 2)])
@pytest.mark.parametrize("worst", [0, np.nan, np.inf, 3e38])
def test_pictures_of_maps_of_any_shape_and_value(shape: tuple[int, int, int], worst: float) -> None:
    """A map of one column is not made 264 pixels wide, and what is no number or too large is drawn all the same."""
    maps = np.random.default_rng(0).random(shape, np.float32)
    maps[0, 0], maps[-1, -1] = worst, -worst
    (row,) = pictures([SimpleNamespace(inputs={}, maps={"layer": maps})])
    (shown,) = row
    image = Image.open(BytesIO(base64.b64decode(shown.address.partition(",")[2])))
    assert image.size == (shown.width, shown.height)
    assert max(image.size) < 1100
    assert shown.title == f"layer, {shape[2]} maps of {shape[1]}x{shape[0]}"
