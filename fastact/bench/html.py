"""A report as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastact.bench import words
from fastact.bench.pictures import Shown
from fastact.bench.plots import key, plots
from fastact.bench.result import Report, Size
from fastact.bench.svg import color
from fastact.bench.tables import tables
from fastact.errors import MissingExtraError


def template_library() -> Any:
    """jinja2, which fills the page; raises MissingExtraError where it is not installed."""
    try:
        import jinja2
    except ImportError as error:
        purpose = "writing report.html, which --save json,md leaves out,"
        raise MissingExtraError(purpose, "jinja2", "report") from error
    return jinja2


@dataclass(frozen=True)
class Card:
    """A size at a glance: its colour in the plots, its time, and a line beside it."""

    color: str
    label: str
    time: str
    beside: str


def card(number: int, size: Size) -> Card:
    """Of a size, by its place in the report."""
    beside = [f"{1 / size.frame.median:,.0f} frames a second", f"{words.LOOP_HERTZ} Hz: {words.fits(size)}"]
    if size.process_bytes is not None:
        beside.append(words.megabytes(size.process_bytes))
    return Card(color(number), size.label, words.milliseconds(size.frame.median), " · ".join(beside))


def html(report: Report, pictures: Sequence[Sequence[Shown]] = ()) -> str:
    """The page; raises MissingExtraError without jinja2."""
    jinja2 = template_library()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fastact.bench"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page: str = environment.get_template("report.html.j2").render(
        report=report,
        title=f"{report.subject.name}: what a larger input costs",
        made=words.moment(report.made),
        cards=[card(number, size) for number, size in enumerate(report.sizes)],
        headline=words.headline(report),
        notes=words.notes(report),
        key=key(report.sizes),
        plots=plots(report),
        pictures=pictures,
        tables=tables(report),
        reading=words.reading(report),
        facts=words.facts(report),
    )
    return page
