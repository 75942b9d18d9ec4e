"""`fastact verify`: fastact's maps beside TensorFlow's."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from fastact import samples
from fastact.cli.feeding import Array, Feeder, NamedFile, NamedFileType, Sources, picture_options
from fastact.cli.options import CONFIG, DEVICE, FiniteRange, console, plain, say
from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.frames import read_picture, takes_pictures
from fastact.graph import Model, load
from fastact.kernels.ops import Floats
from fastact.verify import TOLERANCE, compare, tensorflow_maps


@click.command(short_help="Compare every layer's map with TensorFlow's.")
@click.argument("model_path", metavar="MODEL")
@CONFIG
@picture_options
@click.option(
    "--input", "inputs", type=NamedFileType(), multiple=True,
    help="NAME=FILE.npy: an array for the input of that name, floats as they are, uint8 scaled by 1/255; repeatable."
)  # fmt: skip
@DEVICE
@click.option(
    "--tolerance", type=FiniteRange(0, min_open=True), default=TOLERANCE, show_default=True,
    help="The largest difference allowed, in parts of a layer's largest value."
)  # fmt: skip
def command(
    model_path: str, config_path: str | None, images: tuple[str, ...],
    inputs: tuple[NamedFile, ...], tub: str | None, indexes: tuple[int, ...], device: str, tolerance: float,
) -> int:  # fmt: skip
    """Compare every layer's map with TensorFlow's, for one frame, at the size that the model's file has.

    What is not given is made up, and that is said: a sample frame where a picture is taken, noise elsewhere.

    Loads MODEL with fastact and with Keras (which must be installed: the extra `verify`) and prints, per layer, the
    largest absolute difference, the largest in parts of the layer's largest value, and a verdict. A .tflite file is
    run by LiteRT or TensorFlow Lite. Exit status 1 if a layer is beyond the tolerance.

    \b
    Example:
      fastact verify pilot.h5 --image frame.jpg
    """
    model = load(model_path, config=config_path)
    fed = _inputs(model, Sources.of(images, inputs, tub, indexes))
    maps = Extractor(model, "all", device=device)(fed)
    say("fastact: asking TensorFlow, which takes a few seconds")
    with _quiet():
        keras, theirs = tensorflow_maps(model, fed)
    differences = compare(maps, theirs)
    table = Table("layer", "class", box=SIMPLE_HEAD, pad_edge=False, title=f"fastact beside {keras}")
    for title in ("largest difference", "of the largest value", "verdict"):
        table.add_column(title, justify="right", no_wrap=True)
    for d in differences:
        verdict = "ok" if d.within(tolerance) else "[bold red]beyond[/]"
        cells = [plain(d.name), plain(model.layers[d.name].class_name), f"{d.absolute:.2e}", f"{d.relative:.2e}"]
        table.add_row(*cells, verdict)
    out = console()
    out.print(table)
    for name, reason in maps.missing.items():
        out.print(f"not computed: {escape(name)} ({escape(model.layers[name].class_name)}): {escape(reason)}")
    beyond = sum(not d.within(tolerance) for d in differences)
    out.print(
        f"{len(differences)} layers compared, {beyond} beyond {tolerance:g} of their largest value, "
        f"{len(maps.missing)} not computed"
    )
    if not differences:
        raise InputError(f"no layer of {model_path!r} can be compared: fastact computes none of those that Keras gives")
    return 1 if beyond else 0


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Sends file descriptor 2 to nowhere: TensorFlow's C++ logs there before it can be told not to."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _inputs(model: Model, sources: Sources) -> dict[str, Floats]:
    """What to feed, float32, uint8 scaled to 0..1: what is given, a sample frame for a picture, noise for the rest."""
    random = np.random.default_rng(0)
    made_up: dict[str, Array] = {}
    for name, shape in model.input_shapes.items():
        if name in sources.arrays or (sources.has_pictures and takes_pictures(shape)):
            continue
        if takes_pictures(shape) and len(shape) == 3:
            made_up[name] = read_picture(samples.frame("160x120"), shape).frame
            say(f"fastact: input {name!r} gets a sample frame")
        else:
            made_up[name] = random.random(tuple(n or 1 for n in shape), np.float32)
            say(f"fastact: input {name!r} gets noise from 0 to 1, from a fixed seed")
    feeder = Feeder(model, sources, made_up)
    if len(feeder.runs) > 1:
        raise InputError(f"verify compares one frame, and {len(feeder.runs)} are given: give one --image or --index")
    feed = feeder.feed(feeder.runs[0])
    for note in feed.notes:
        say(f"fastact: the picture was {note}")
    return {
        n: a / np.float32(255) if a.dtype == np.uint8 else np.asarray(a, np.float32) for n, a in feed.inputs.items()
    }
