"""Pictures of the page of fastact view for docs/view.md, or of a report of fastact bench for docs/bench.md.

python -m benchmarks.page_pictures docs/pictures
python -m benchmarks.page_pictures docs/pictures fastact-bench/report.html

Chromium is the system's, or what FASTACT_CHROMIUM names; Playwright drives it. The pilot and the pictures are those
that come with fastact; the tub has scenes that fastact.samples draws and that the pilot never saw.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.common import BenchmarkError, run_command
from benchmarks.stream import drawn_tub
from fastact import samples

COUNT = 240
"""Scenes in the tub."""

SHOWN = 120
"""The tub's record that is shown."""

WINDOW = {"width": 1280, "height": 860}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
REPORT = {"viewport": {"width": 880, "height": 1200}}

LAST_LIGHT, FIRST_DARK, LAST_DARK = "What the network sees", "Where the time goes", "Estimate for other boards"
"""Headings of a report: the light picture ends with the one, the dark one goes from the second to the third."""


@dataclass(frozen=True)
class Studio:
    """A running Chromium, and the folder for its pictures."""

    chromium: Any
    folder: Path

    @contextlib.contextmanager
    def page(self, file: Path, scheme: str = "light", **context: Any) -> Iterator[Any]:
        """The page of a file, for as long as it is looked at."""
        options = {"viewport": WINDOW, "color_scheme": scheme} | context
        with contextlib.closing(self.chromium.new_context(**options)) as within:
            page = within.new_page()
            page.goto(file.resolve().as_uri())
            yield page

    def keep(self, name: str, screenshot: bytes, colours: int | None = None) -> None:
        """Writes a screenshot, as small as it goes without loss or with so many colours."""
        picture = Image.open(BytesIO(screenshot)).convert("RGB")
        few = picture if colours is None else picture.quantize(colours)
        few.save(self.folder / f"{name}.png", optimize=True)


@contextlib.contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BenchmarkError("Playwright is not installed: pip install playwright") from error
    program = os.environ.get("FASTACT_CHROMIUM") or shutil.which("chromium")
    if program is None:
        raise BenchmarkError("there is no chromium: install it, or name it in FASTACT_CHROMIUM")
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs user namespaces, which root and most containers have not.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        with contextlib.closing(chromium):
            yield Studio(chromium, folder)


def view(out: Path, *options: str) -> Path:
    """What `fastact view` writes for the sample pilot."""
    pilot = str(samples.pilot())
    subprocess.run(
        [sys.executable, "-m", "fastact", "view", "--model", pilot, *options, "--out", str(out)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return out


def view_pictures(taken: Studio, scratch: Path) -> None:
    tub = drawn_tub(scratch / "tub", COUNT)
    one = view(scratch / "one.html", "--image", str(samples.frame("160x120")))
    told = view(scratch / "told.html", "--tub", str(tub), "--index", str(SHOWN))
    sizes = ("--size", "160x120", "--size", "640x360")
    two = view(scratch / "two.html", "--image", str(samples.frame("640x360")), *sizes)
    with taken.page(one) as page:
        hover(layer(page, "Conv2D_Second_layer").locator('[data-plane="4"] canvas'), 32.5 / 37, 18.5 / 27)
        taken.keep("view_light", page.screenshot())
    with taken.page(one, "dark") as page:
        enlarge(page, "Conv2D_Second_layer", 4)
        hover(page.locator("#stage .scenes .picture"), 134.5 / 160, 78.5 / 120)
        taken.keep("view_dark", page.screenshot())
    with taken.page(one, **PHONE) as page:
        page.locator(".map canvas").first.wait_for()
        page.locator(".looking").evaluate("looking => looking.scrollIntoView()")
        page.wait_for_timeout(500)
        taken.keep("view_phone", page.screenshot())
    with taken.page(told) as page:
        enlarge(page, "Conv2D_Third_layer", 6)
        hover(page.locator("#stage .scenes .picture"), 102.5 / 160, 70.5 / 120)
        taken.keep("view_tub", page.screenshot())
    with taken.page(two) as page:
        hover(layer(page, "Conv2D_First_layer").locator('[data-column="1"] [data-plane="4"] canvas'), 0.82, 0.7)
        taken.keep("view_two_sizes", page.screenshot())


def layer(page: Any, name: str) -> Any:
    """A layer's part of the page, at the top of the window: its maps are drawn once it is in sight."""
    page.locator(".map canvas").first.wait_for()
    section = page.locator("section.layer").filter(has=page.get_by_role("heading", name=name, exact=True))
    section.evaluate("section => section.scrollIntoView()")
    return section


def enlarge(page: Any, name: str, plane: int) -> None:
    layer(page, name).locator(f'[data-plane="{plane}"]').click()
    page.locator("#stage[open] .scenes canvas").first.wait_for()


def hover(element: Any, across: float, down: float) -> None:
    """Moves the pointer over an element: from 0 at its left and top to 1."""
    box = element.bounding_box()
    element.hover(position={"x": across * box["width"], "y": down * box["height"]})


def report_pictures(taken: Studio, report: Path) -> None:
    width = REPORT["viewport"]["width"]
    with taken.page(report, **REPORT) as page:
        end = edges(page, LAST_LIGHT)[1]
        clip = {"x": 0, "y": 0, "width": width, "height": end + 15}
        taken.keep("report-light", page.screenshot(full_page=True, clip=clip))
    with taken.page(report, "dark", **REPORT) as page:
        begin, end = edges(page, FIRST_DARK)[0], edges(page, LAST_DARK)[1]
        clip = {"x": 0, "y": begin - 15, "width": width, "height": end - begin + 30}
        taken.keep("report-dark", page.screenshot(full_page=True, clip=clip), colours=256)  # plots have few


def edges(page: Any, heading: str) -> tuple[float, float]:
    """Where a section of a report begins and ends, from the top, in pixels."""
    sections = page.locator("section").filter(has=page.get_by_role("heading", name=heading, exact=True))
    if not sections.count():
        raise BenchmarkError(f"the report has no section {heading!r}: measure with --peers and --project")
    box = sections.first.bounding_box()  # the plot; a table may have the same heading
    return box["y"], box["y"] + box["height"]


def main() -> int:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_pictures", description=about)
    parser.add_argument("folder", type=Path, help="where to, such as docs/pictures")
    parser.add_argument("report", type=Path, nargs="?", help="a report's HTML, of a bench with --peers and --project")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, studio(options.folder) as taken:
        if options.report:
            report_pictures(taken, options.report)
        else:
            view_pictures(taken, Path(scratch))
    return 0


if __name__ == "__main__":
    run_command(main)
