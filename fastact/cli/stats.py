"""`fastact stats`: what a tub says about a model's filters, as a table, JSON or CSV."""

from __future__ import annotations

import io
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastact.cli.feeding import Input, NamedFile, Sources
from fastact.cli.laps import lap_of, many, progress_bar, range_options, say_pictures
from fastact.cli.options import CONFIGS, DEVICE, console, network_and_camera, plain, say, usable_cores
from fastact.kernels.cpu.threads import MOST
from fastact.writing import check_place, whole_file

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fastact.extractor import Extractor, Frame
    from fastact.lap import Lap, Shot
    from fastact.stats import Collector, FilterStatistics, LayerStatistics, Statistics
    from fastact.tub import Record

_INTERRUPTED = 130


@click.command(short_help="Show what a tub says about a model's filters.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIGS
@click.option("--tub", required=True, metavar="DIR", help="The Donkey tub whose pictures are fed.")
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: every convolution."
)  # fmt: skip
@range_options
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many frames.")
@click.option(
    "--input", "inputs", type=Input(), multiple=True,
    help="NAME=FILE.npy: the same array for an input of that name at every frame; repeatable. WIDTHxHEIGHT, such as "
    "640x360: run the same weights at another input size."
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="How to print them."
)  # fmt: skip
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE, not to stdout.")
@DEVICE
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=usable_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
def command(
    model_path: str, configs: tuple[str, ...], tub: str, layers: tuple[str, ...], start: int, end: int | None,
    limit: int | None, inputs: tuple[tuple[int, int] | NamedFile, ...], form: str, out: Path | None, device: str,
    threads: int,
) -> int:  # fmt: skip
    """Show what a tub says about a model's filters.

    For every filter over all frames: mean, deviation, share of zeros, extremes, whether it is dead or nearly so, which
    other it is most like, and the records that excite it most; JSON has histograms and places as well. Damaged records
    are left out and counted. Ctrl-C ends early with what there is. docs/stats.md says what each figure means.

    \b
    Examples:
      fastact stats --model pilot.h5 --tub data
      fastact stats --model pilot.h5 --tub data --layers 'conv2d_[12]' --limit 500
      fastact stats --model pilot.h5 --tub data --start 100 --end 900 --format json --out stats.json
    """
    from fastact.extractor import Extractor
    from fastact.graph import load

    if out is not None:
        check_place(out)
    sources = Sources.of((), inputs, None, ())
    network, camera = network_and_camera(configs)
    model = load(model_path, config=network)
    model = model.at_size(sources.size) if sources.size else model
    lap = lap_of(model, tub, inputs, start, end, camera, limit)
    extract = Extractor(model, list(layers) or None, threads=threads, device=device)
    with _until_interrupted() as interrupted:
        collector = collected(extract, lap, interrupted)
    statistics = collector.result(damaged=lap.damaged, complete=not interrupted())
    say_pictures(lap)
    for layer, reason in statistics.missing.items():
        say(f"fastact: layer {layer!r} ({model.layers[layer].class_name}) is not computed: {reason}")
    _give(statistics, form, out)
    if not statistics.complete:
        say(f"fastact: interrupted: these are figures of {many(statistics.frames, 'frame')}")
        return _INTERRUPTED
    return 0


def _never() -> bool:
    return False


def collected(extract: Extractor, lap: Lap, stopped: Callable[[], bool] = _never) -> Collector:
    """What is gathered of all frames of a lap, or of those until it is stopped; of one at least.

    Raises InputError where no frame can be read.
    """
    from fastact.frames import prefetch
    from fastact.stats import Collector

    collector = Collector(extract)
    order: deque[Record] = deque()

    def frames(shots: Iterable[Shot]) -> Iterator[Frame]:
        for shot in shots:
            order.append(shot.record)
            yield shot.frame

    with progress_bar("frames", lap.count()) as progress:
        for maps in extract.stream(frames(prefetch(lap))):
            record = order.popleft()
            collector.add(maps, record.index, lap.tub.inside(record))
            progress(collector.frames)
            if stopped():
                break
    if not collector.frames:
        raise lap.empty()
    return collector


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, so that a frame is never taken in by half; pressed again, it ends at once."""
    asked: list[int] = []

    def handle(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _give(statistics: Statistics, form: str, out: Path | None) -> None:
    """Prints the figures, or writes them."""
    from fastact.stats import to_csv

    if form == "table" and out is None:
        _print(statistics, console())
        return
    makers: dict[str, Callable[[], str]] = {
        "table": lambda: _text(statistics),
        "json": lambda: statistics.to_json() + "\n",
        "csv": lambda: to_csv(statistics),
    }
    if out is None:
        click.echo(makers[form](), nl=False)
        return
    with whole_file(out) as beside:
        beside.write_text(makers[form](), encoding="utf-8")
    click.echo(str(out))


def _text(statistics: Statistics) -> str:
    """The table as it is printed, without colours."""
    from rich.console import Console

    text = io.StringIO()
    _print(statistics, Console(file=text, width=200, highlight=False))
    return text.getvalue()


def _print(statistics: Statistics, out: Console) -> None:
    frames = many(statistics.frames, "frame")
    out.print(plain(f"{statistics.model} over {frames}, records {statistics.first} to {statistics.last}"))
    out.print(_layers(statistics))
    for layer in statistics.layers:
        out.print(_filters(layer))
    out.print(_NOTE, markup=False)


_NOTE = """\
dead: the same value everywhere; nearly dead: 99.9 % zeros, or next to no deviation; active: frames with a value that
is not zero; like: the most similar filter of the layer, and the correlation; excited by: records, the highest first"""


def _layers(statistics: Statistics) -> Table:
    """Each layer's dead filters and duplicates."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("layer", "filters", "dead", "nearly dead", "duplicates"):
        table.add_column(title, justify="left" if title in ("layer", "duplicates") else "right")
    for layer in statistics.layers:
        groups = "; ".join(", ".join(map(str, d.filters)) for d in layer.duplicates)
        dead, nearly = len(layer.having("dead")), len(layer.having("nearly dead"))
        table.add_row(plain(layer.name), str(len(layer.filters)), str(dead), str(nearly), groups)
    return table


def _filters(layer: LayerStatistics) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=plain(layer.name), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("filter", "mean", "deviation", "zeros", "minimum", "maximum", "active", "", "like", "excited by"):
        table.add_column(title, justify="left" if title in ("", "like", "excited by") else "right", no_wrap=True)
    for f in layer.filters:
        table.add_row(*_cells(f))
    return table


def _cells(f: FilterStatistics) -> list[str]:
    verdict = "" if f.verdict == "alive" else f.verdict
    twin = f"{f.twin.filter} ({f.twin.correlation:+.2f})" if f.twin else ""
    figures = [f"{x:.4g}" for x in (f.mean, f.deviation)], [f"{x:.4g}" for x in (f.minimum, f.maximum)]
    active = f"{f.active_frames} of {f.frames}"
    records = ", ".join(str(peak.record) for peak in f.peaks)
    return [str(f.index), *figures[0], f"{f.zeros:.1%}", *figures[1], active, verdict, twin, records]
