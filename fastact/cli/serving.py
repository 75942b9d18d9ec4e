"""`fastact view --serve`: the page with every frame of a tub, until it is interrupted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastact.cli.options import say
from fastact.cli.subjects import Subject, columns_of, first_readable, open_browser
from fastact.errors import InputError
from fastact.kernels.records import dataclass
from fastact.page.html import Live, page
from fastact.page.serve import allowed_hosts, application, server, server_library
from fastact.page.telling import Pass, Telling

if TYPE_CHECKING:
    from fastact.page.columns import Column


@dataclass(frozen=True)
class TubFrames:
    """The runs of a tub's pictures, each through every subject."""

    subjects: Sequence[Subject]

    @property
    def count(self) -> int:
        """How many runs there are; one fewer for each picture that the model takes beyond the first."""
        return min(len(s.feeder.runs) for s in self.subjects if s.feeder is not None)

    def name(self, number: int) -> str:
        """The number of the picture, and its file."""
        feeder = self.subjects[0].feeder
        last = "" if feeder is None else feeder.runs[number].pictures[-1].name
        return f"{number + 1} of {self.count}: {last}"

    def places(self) -> dict[Path, int]:
        """The number of each run, by its last picture."""
        feeder = self.subjects[0].feeder
        return {} if feeder is None else {run.pictures[-1]: n for n, run in enumerate(feeder.runs[: self.count])}

    def columns(self, number: int) -> Sequence[Column]:
        """The columns of one run."""
        return columns_of(self.subjects, number)


def serve_subjects(
    subjects: Sequence[Subject],
    passes: Sequence[Pass | None],
    title: str,
    host: str,
    port: int,
    colormap: str | None,
    *,
    opens: bool,
) -> int:
    """Serves until it is interrupted, with statistics over `passes`; InputError where the address cannot be had."""
    server_library()  # whether it is there, before anything is computed
    frames = TubFrames(subjects)
    start, columns = first_readable(subjects)
    telling = _telling(passes, columns, frames) if passes else None
    text = page(columns, title=title, colormap=colormap, live=Live(frames.count, start, telling is not None))
    try:
        listening = server(application(text, frames, allowed_hosts(host), telling), host, port)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
        raise InputError(f"cannot listen on {host}:{port}: {reason}; choose another with --host and --port") from error
    shown = host if ":" not in host else f"[{host}]"
    address = f"http://{shown}:{listening.effective_port}/"
    click.echo(address)
    say(f"fastact: {frames.count} frames; Ctrl-C ends")
    if opens:
        open_browser(address)
    if telling is not None:
        telling.start()
    try:
        listening.run()  # waitress returns on Ctrl-C
    finally:
        if telling is not None:
            telling.close()
        listening.close()
    return 0


def _telling(passes: Sequence[Pass | None], columns: Sequence[Column], frames: TubFrames) -> Telling:
    """What gathers statistics over the passes, in pixels of the pictures that are shown, leading to the frames."""
    places = frames.places()

    def ready(each: Pass, column: Column) -> Pass:
        tub = each.lap.tub.path
        return replace(each, size=_size(column), frame=lambda image: places.get(tub / image))

    return Telling([each and ready(each, column) for each, column in zip(passes, columns, strict=True)])


def _size(column: Column) -> tuple[int, int] | None:
    """Rows and columns of the picture that is shown."""
    if column.fed is None or column.fed.picture is None:
        return None
    height, width = column.fed.picture.shape[-3:-1]
    return height, width
