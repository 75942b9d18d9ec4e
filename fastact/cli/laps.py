"""What the commands over a whole tub share: its options, a progress bar, and ending well when they are told to."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastact.cli.feeding import NamedFile, read_arrays
from fastact.cli.options import say
from fastact.graph import Model

if TYPE_CHECKING:
    from fastact.donkey.camera import Camera
    from fastact.lap import Lap

F = TypeVar("F", bound=Callable[..., Any])


def range_options(function: F) -> F:
    """The options that choose a part of a tub."""
    for option in reversed((
        click.option(
            "--start", type=click.IntRange(0), default=0, metavar="N", help="The tub's record to begin with, by number."
        ),
        click.option(
            "--end", type=click.IntRange(0), metavar="N", help="The record before which to stop.  [default: the end]"
        ),
    )):  # fmt: skip
        function = option(function)
    return function


def lap_of(
    model: Model,
    tub: str,
    inputs: Sequence[tuple[int, int] | NamedFile],
    start: int,
    end: int | None,
    camera: Camera | None = None,
) -> Lap:
    """The model's lap over a tub, or over the part of it from one number to another."""
    from fastact.lap import Lap
    from fastact.tub import Tub

    if end is not None and end <= start:
        raise click.BadParameter(f"{end} is not after --start {start}", param_hint="--end")
    arrays = read_arrays(model, {i.name: i.path for i in inputs if isinstance(i, NamedFile)})
    return Lap(Tub.open(tub), model, arrays=arrays, start=start, end=end, prepare=camera)


def say_damaged(damaged: int) -> None:
    """How many records were left out, if any."""
    if damaged:
        records = "1 damaged record was" if damaged == 1 else f"{damaged} damaged records were"
        say(f"fastact: {records} skipped")


@contextmanager
def progress_bar(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with the rate and the time left; it is given how many frames are done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:.0f} frames/s")

    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task(name, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def ending_well() -> Iterator[None]:
    """Takes a request to terminate (SIGTERM) within the block as Ctrl-C is taken, so that files are closed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
