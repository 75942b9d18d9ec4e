"""What the commands over a whole tub share: its options, a progress bar, and ending well when they are told to."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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
            "--start", type=click.IntRange(0), default=0, metavar="N",
            help="The record to begin with, as the tub numbers them."
        ),
        click.option(
            "--end", type=click.IntRange(0), metavar="N",
            help="The record to stop before, as the tub numbers them.  [default: to the last one]"
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
    limit: int | None = None,
) -> Lap:
    """The model's lap over a tub, or over the part of it that `range_options` say."""
    from fastact.lap import Lap
    from fastact.tub import Tub

    if end is not None and end <= start:
        raise click.BadParameter(f"{end} is not after --start {start}", param_hint="--end")
    arrays = read_arrays(model, {i.name: i.path for i in inputs if isinstance(i, NamedFile)})
    return Lap(Tub.open(tub), model, arrays=arrays, start=start, end=end, limit=limit, prepare=camera)


def say_pictures(lap: Lap) -> None:
    """What had to be done to pictures of the lap's latest loop, and how many records were left out, if any."""
    for note, count in lap.notes.items():
        say(f"fastact: {many(count, 'picture')} of the tub: {note}")
    if lap.damaged:
        say(f"fastact: {many(lap.damaged, 'record')} left out: damaged, or the picture cannot be read")


def many(count: int, what: str) -> str:
    """A number of things, in words."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


class Done(Protocol):
    """What moves a bar on."""

    def __call__(self, done: int, count: int | None = None, /) -> None:
        """To how many things are done, of how many where that was not said before."""


@contextmanager
def progress_bar(name: str, total: int | None = None) -> Iterator[Done]:
    """A bar on stderr with the rate and the time left. Where stderr is no terminal, it is one line at the end."""
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
        yield lambda done, count=None: progress.update(task, completed=done, total=count)


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
