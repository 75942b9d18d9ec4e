"""`fastact view`: a page that shows what every filter sees."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastact.cli.feeding import Feeder, NamedFile, NamedFileType, Sources
from fastact.cli.options import CONFIGS, DEVICE, SIZE, network_and_camera, say, usable_cores
from fastact.cli.subjects import TRIED, Subject, columns_of, first_readable, open_browser, pass_of
from fastact.extractor import Extractor
from fastact.graph import Model, load
from fastact.kernels.cpu.threads import MOST
from fastact.node import Node

if TYPE_CHECKING:
    from fastact.donkey.camera import Camera
    from fastact.page.statistics import Told
    from fastact.page.telling import Pass

_SIDE_BY_SIDE = 2


@click.command(short_help="Open a page that shows what every filter sees.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIGS
@click.option("--image", "-i", "images", multiple=True, metavar="FILE", help="A picture; several for a model that "
    "takes a run of them.")  # fmt: skip
@click.option("--tub", metavar="DIR", help="A Donkey tub to take the picture from, instead of --image.")
@click.option("--index", type=click.IntRange(0), metavar="N", help="The record of the tub.  [default: the first that "
    "can be read]")  # fmt: skip
@click.option("--input", "arrays", type=NamedFileType(), multiple=True, help="NAME=FILE.npy: an array for that input; "
    "repeatable.")  # fmt: skip
@click.option("--size", "sizes", type=SIZE, multiple=True, help="Another input size, such as 640x360; two of them "
    "side by side.")  # fmt: skip
@click.option("--against", metavar="FILE", help="A second model, side by side with the first.")
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: convolutions, dense layers and outputs."
)  # fmt: skip
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Statistics over at most so many frames of the tub; "
    "0 for none.")  # fmt: skip
@click.option("--colormap", metavar="NAME", help="The colour map to begin with.  [default: viridis]")
@click.option("--out", "-o", metavar="FILE", help="Write the page here, one file that needs nothing else.")
@click.option("--open/--no-open", "opens", default=None, help="Open it in the browser.  [default: without --out]")
@click.option("--serve", is_flag=True, help="Serve the page with every frame of the tub.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where --serve listens; "
    "0.0.0.0 for the whole network.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8892, show_default=True, help="The port; 0 for any free "
    "one.")  # fmt: skip
@DEVICE
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=usable_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
def command(
    model_path: str, configs: tuple[str, ...], images: tuple[str, ...], tub: str | None, index: int | None,
    arrays: tuple[NamedFile, ...], sizes: tuple[tuple[int, int], ...], against: str | None, layers: tuple[str, ...],
    limit: int | None, colormap: str | None, out: str | None, opens: bool | None, serve: bool, host: str, port: int,
    device: str, threads: int,
) -> int:  # fmt: skip
    """Show what every filter sees: the network, all its maps, their values and receptive fields, as a page.

    With a tub, statistics over its frames: dead filters, duplicates, the places that excite each filter most.

    The page is one file that needs no network. Without --out it goes to a temporary folder and is opened in the
    browser; its path is printed. With --serve it is served on this machine, with a slider over the tub's frames.

    \b
    Examples:
      fastact view --model pilot.h5 --image frame.jpg
      fastact view --model pilot.h5 --image frame.jpg --out pilot.html
      fastact view --model pilot.h5 --image large.jpg --size 160x120 --size 640x360
      fastact view --model before.h5 --against after.h5 --tub data --index 120
      fastact view --model pilot.h5 --tub data --serve
      fastact view --model pilot.h5 --tub data --config mycar/myconfig.py
    """
    from fastact.page.colours import colour_maps
    from fastact.page.html import page, template_library
    from fastact.writing import check_place

    _check(images, tub, index, out, serve=serve)
    if out is not None:
        check_place(out)
    template_library()  # whether it is there, and the colour map, before anything is computed
    colour_maps(colormap)
    network, camera = network_and_camera(configs)
    models = [load(model_path, config=network)]
    if against is not None:
        models.append(load(against))
    if len(models) * max(1, len(sizes)) > _SIDE_BY_SIDE:
        raise click.UsageError("two columns stand side by side at most: two sizes, or two models")
    named = {a.name: a.path for a in arrays}
    indexes = () if index is None else (index,)
    given = Sources(images, named, tub, indexes, None, most=None if serve else TRIED)
    subjects = _subjects(models, sizes, given, camera, list(layers) or None, threads, device)
    if serve:
        from fastact.cli.serving import serve_subjects

        passes = [] if tub is None or limit == 0 else [pass_of(s, tub, arrays, limit, camera) for s in subjects]
        return serve_subjects(subjects, passes, _title(subjects), host, port, colormap, opens=opens is not False)
    first = tub is not None and index is None
    columns = first_readable(subjects)[1] if first else columns_of(subjects, 0)
    for column in columns:
        for note in column.fed.notes if column.fed else ():
            say(f"fastact: {column.label}: {note}")
    passes = [] if tub is None or limit == 0 else [pass_of(s, tub, arrays, limit, camera) for s in subjects]
    told = [None if each is None else _told(each) for each in passes]
    _give(page(columns, title=_title(subjects), colormap=colormap, told=told), out, opens)
    return 0


def _check(images: Sequence[str], tub: str | None, index: int | None, out: str | None, *, serve: bool) -> None:
    """Raises UsageError for options that do not go together."""
    if images and tub is not None:
        raise click.UsageError("give pictures as files or from a tub, not both")
    if serve and tub is None:
        raise click.UsageError("--serve needs a tub to scrub through: add --tub DIR")
    if serve and out is not None:
        raise click.UsageError("give --serve or --out, not both")
    if index is not None and (tub is None or serve):
        raise click.UsageError("--index says which record of a --tub is shown, without --serve")


def _subjects(
    models: Sequence[Model],
    sizes: Sequence[tuple[int, int]],
    given: Sources,
    camera: Camera | None,
    layers: list[str] | None,
    threads: int,
    device: str,
) -> list[Subject]:
    """What stands side by side: every model at every size."""
    several, subjects = len(models) > 1, []
    for model in models:
        name = os.path.basename(model.source)  # noqa: PTH119
        for size in sizes or (None,):
            sized = model if size is None else model.at_size(size)
            label = name if size is None or several else f"{size[1]}x{size[0]}"
            feeds = given.has_pictures or bool(given.arrays)
            feeder = Feeder(sized, given, camera=camera) if feeds else None
            extract = Extractor(sized, layers or _default(sized), threads=threads, device=device) if feeds else None
            subjects.append(Subject(label, sized, feeder, extract))
    if several and subjects[0].label == subjects[1].label:
        subjects = [Subject(os.path.relpath(s.model.source), s.model, s.feeder, s.extract) for s in subjects]
    return subjects


def _told(each: Pass) -> Told:
    """What a tub says of a column's filters."""
    from fastact.cli.stats import collected
    from fastact.page.statistics import Told

    statistics = collected(each.extract, each.lap).result(damaged=each.lap.damaged)
    return Told(statistics, each.picture)


def _title(subjects: Sequence[Subject]) -> str:
    """What the page is called: the models, and the sizes where there are several."""
    names = dict.fromkeys(os.path.basename(s.model.source) for s in subjects)  # noqa: PTH119
    labels = [s.label for s in subjects if s.label not in names]
    at = f" at {' and '.join(labels)}" if len(names) == 1 and labels else ""
    return " and ".join(names) + at


def _default(model: Model) -> list[str]:
    """Convolutions, and what is small: dense layers and outputs; every layer of a network without any."""

    def wanted(node: Node) -> bool:
        return node.is_convolution or node.class_name == "Dense" or node.name in model.outputs

    names = [node.name for node in model.nodes if wanted(node) and node.reason is None]
    return names or ["all"]


def _give(text: str, out: str | None, opens: bool | None) -> None:
    """Writes the page, prints its path, and opens it where that is wanted."""
    from fastact.writing import whole_file

    path = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="fastact-")) / "view.html"
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
    click.echo(str(path))
    if (out is None) if opens is None else opens:
        open_browser(path.resolve().as_uri())
