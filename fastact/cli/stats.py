"""`fastact stats`: what a tub says about a model's filters, as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastact.cli.feeding import INPUT, NamedFile, read_array
from fastact.cli.options import CONFIG, console, plain, say, usable_cores
from fastact.errors import InputError
from fastact.kernels.cpu.threads import MOST

if TYPE_CHECKING:
    from rich.table import Table

    from fastact.graph import Model
    from fastact.stats import FilterStatistics, LayerStatistics, Statistics, TubFrames

_INTERRUPTED = 130


@click.command(short_help="Show what a tub says about a model's filters.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIG
@click.option("--tub", required=True, metavar="DIR", help="The Donkey tub whose pictures are fed.")
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: every convolution."
)  # fmt: skip
@click.option("--start", type=click.IntRange(0), default=0, metavar="N", help="The first record, by its number.")
@click.option("--end", type=click.IntRange(0), metavar="N", help="The last record, by its number.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many frames.")
@click.option(
    "--input", "inputs", type=INPUT, multiple=True,
    help="NAME=FILE.npy: the same array for an input of that name at every frame; repeatable. WIDTHxHEIGHT, such as "
    "640x360: run the same weights at another input size."
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="How to print them."
)  # fmt: skip
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE, not to stdout.")
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=usable_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
def command(
    model_path: str, config_path: str | None, tub: str, layers: tuple[str, ...], start: int, end: int | None,
    limit: int | None, inputs: tuple[tuple[int, int] | NamedFile, ...], form: str, out: Path | None, threads: int,
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
    if end is not None and end < start:
        raise click.BadParameter(f"record {end} is before --start {start}", param_hint="--end")
    from fastact.extractor import Extractor
    from fastact.graph import load
    from fastact.stats import TubFrames
    from fastact.tub import Tub

    model = _sized(load(model_path, config=config_path), inputs)
    frames = TubFrames(Tub.open(tub), model, start, end, limit, _arrays(model, inputs))
    statistics = _collect(Extractor(model, list(layers) or None, threads=threads), frames)
    for note, count in frames.notes.items():
        say(f"fastact: {_many(count, 'picture')} of the tub: {note}")
    if statistics.damaged:
        say(f"fastact: {_many(statistics.damaged, 'record')} left out: damaged, or the picture cannot be read")
    for layer, reason in statistics.missing.items():
        say(f"fastact: layer {layer!r} ({model.layers[layer].class_name}) is not computed: {reason}")
    _give(statistics, form, out)
    if not statistics.complete:
        say(f"fastact: interrupted: these are figures of {_many(statistics.frames, 'frame')}")
        return _INTERRUPTED
    return 0


def _sized(model: Model, inputs: Sequence[tuple[int, int] | NamedFile]) -> Model:
    sizes = [i for i in inputs if not isinstance(i, NamedFile)]
    if len(sizes) > 1:
        raise click.BadParameter("give one size", param_hint="--input")
    return model.at_size(sizes[0]) if sizes else model


def _arrays(model: Model, inputs: Sequence[tuple[int, int] | NamedFile]) -> dict[str, Array]:
    files = [i for i in inputs if isinstance(i, NamedFile)]
    if len({f.name for f in files}) < len(files):
        raise click.BadParameter("an input is given twice", param_hint="--input")
    shapes = model.input_shapes
    for file in files:
        if file.name not in shapes:
            listed = ", ".join(map(repr, shapes))
            raise InputError(f"{model.source} has no input {file.name!r}: its inputs are {listed}")
    return {f.name: read_array(f.path, f.name, shapes[f.name]) for f in files}
