"""`fastact extract`: pictures in; pictures of feature maps, and arrays, out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from fastact.cli.feeding import Array, Feed, Feeder, NamedFile, Run, Sources, feeding_options
from fastact.cli.laps import ending_well, lap_of, many, progress_bar, range_options, say_pictures
from fastact.cli.options import CONFIGS, DEVICE, network_and_camera, say, usable_cores
from fastact.extractor import Extractor
from fastact.graph import load
from fastact.kernels.cpu.threads import MOST
from fastact.kernels.records import dataclass
from fastact.layers import show
from fastact.maps import FeatureMaps
from fastact.saving import describe, file_names, hdf5_library, save_h5, save_npz
from fastact.writing import check_place, make_folder

if TYPE_CHECKING:
    from fastact.lap import Lap
    from fastact.views import Style

_FORMATS = ("png", "npz", "h5")
_HDF5_NAMES = (".h5", ".hdf5")
_RESULT = re.compile(r"sheet\.png|maps\.(npz|h5)|\d{2,}_.*\.png", re.DOTALL)
"""The names of files that extract writes into a picture's folder."""


@dataclass(frozen=True)
class Job:
    """What to make of each feed."""

    extract: Extractor
    feeder: Feeder
    raw: bool
    formats: tuple[str, ...]
    style: Style | None

    def run(self, run: Run, folder: Path) -> tuple[Feed, FeatureMaps]:
        """Computes the maps of one of the feeder's runs and writes them into `folder`, which is made."""
        feed = self.feeder.feed(run)
        maps = self.extract(self.feeder.raw(feed) if self.raw else feed.inputs)
        make_folder(folder)
        metadata = describe(self.extract.model, maps, ", ".join(feed.files)) | {
            "input": "0..255" if self.raw else "0..1",
            "frame_was": list(feed.notes),
        }
        if "png" in self.formats:
            self._draw(feed, maps, folder)
        if "npz" in self.formats:
            save_npz(folder / "maps.npz", maps, metadata)
        if "h5" in self.formats:
            save_h5(folder / "maps.h5", maps, metadata)
        if older := _older(folder, self._names(maps)):
            say(f"fastact: {os.fspath(folder)!r} still has {many(older, 'file')} of earlier results beside these")
        return feed, maps

    def _names(self, maps: FeatureMaps) -> set[str]:
        """The files that maps are written to."""
        pictures = {f"{name}.png" for name in (*file_names(maps), "sheet")} if "png" in self.formats else set()
        return pictures | {f"maps.{kind}" for kind in self.formats if kind != "png"}

    def _draw(self, feed: Feed, maps: FeatureMaps, folder: Path) -> None:
        from fastact.views import contact_sheet, mosaic, save_png  # not loaded where only arrays are asked for

        drawn = {name: self.extract.model.as_pictures_have(array) for name, array in maps.items()}
        for (name, array), file_name in zip(drawn.items(), file_names(maps), strict=True):
            save_png(mosaic(array, name=name, style=self.style), folder / f"{file_name}.png")
        model = os.path.basename(self.extract.model.source)  # noqa: PTH119
        inputs = {name: self.extract.model.as_pictures_have(array) for name, array in feed.inputs.items()}
        caption = [f"{model}, {', '.join(_in_words(name, a) for name, a in inputs.items())}"]
        caption += [f"fed: {', '.join(feed.files)}"] if len(feed.files) > 1 else []
        caption += [f"the picture was {note}" for note in feed.notes]
        caption += [f"{name} is not computed: {reason}" for name, reason in maps.missing.items()]
        if self.raw:
            caption.append("fed as 0..255 (--raw), not as the pilot is fed, which is 0..1")
        title = feed.files[-1] if len(feed.files) == 1 else feed.name
        sheet = contact_sheet(feed.shown, drawn, title=title, style=self.style, caption=caption)
        save_png(sheet, folder / "sheet.png")


def _older(folder: Path, written: set[str]) -> int:
    """How many files of results `folder` has that are not among those written now; 0 where it cannot be listed."""
    try:
        return sum(_RESULT.fullmatch(name) is not None for name in set(os.listdir(folder)) - written)  # noqa: PTH208
    except PermissionError:
        return 0


def _in_words(name: str, array: Array) -> str:
    """An input and its size: pictures as width x height."""
    if array.ndim not in (3, 4):
        return f"input {name} of {show(array.shape)}"
    rows, columns = array.shape[-3:-1]
    return f"input {columns}x{rows}" if array.ndim == 3 else f"input {len(array)} pictures of {columns}x{rows}"


@click.command(short_help="Compute the feature maps of pictures and save them.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIGS
@feeding_options
@range_options
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: every convolution."
)  # fmt: skip
@click.option(
    "--out",
    "-o",
    default="fastact-maps",
    show_default=True,
    metavar="DIR",
    help="Where results go; FILE.h5 for a whole tub's maps.",
)
@click.option(
    "--save",
    default="png",
    show_default=True,
    metavar="LIST",
    help="What to write, of png,npz,h5, separated by commas.",
)
@click.option("--raw", is_flag=True, help="Feed 0..255 as `donkey cnnactivations` does, not 0..1 as the car does.")
@DEVICE
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=usable_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
@click.option(
    "--norm", type=click.Choice(["channel", "layer", "percentile"]), default="channel", show_default=True,
    help="What a picture's colours span: each filter's own values, the layer's, or its 1st to 99th percentile."
)  # fmt: skip
@click.option("--cmap", default="viridis", show_default=True, metavar="NAME", help="Colour map, such as magma or gray.")
def command(
    model_path: str, configs: tuple[str, ...], images: tuple[str, ...],
    inputs: tuple[tuple[int, int] | NamedFile, ...], tub: str | None,
    indexes: tuple[int, ...], start: int, end: int | None, layers: tuple[str, ...], out: str, save: str, raw: bool,
    device: str, threads: int, norm: str, cmap: str,
) -> int:  # fmt: skip
    """Compute the feature maps of pictures and save them.

    For each picture a folder of its name in DIR: one PNG a layer and sheet.png, the input beside all layers; and the
    arrays, if asked for, as maps.npz and maps.h5. A picture of another size is resized as Donkey does, and that is
    said. Prints the folders written.

    A model with several inputs gets the others as --input NAME=FILE.npy, and one that takes a run of pictures gets
    them from several --image, in order of time, or from a tub; nothing that is not given is made up.

    With --tub and no --index, the maps of all its records, or of those from --start to --end, go to one HDF5 file,
    --out FILE.h5, which can be read while it grows. Stopped, the same command goes on where it was.

    \b
    Examples:
      fastact extract --model pilot.h5 --image frame.jpg
      fastact extract --model pilot.h5 --image frame.jpg --layers 'conv2d_[12]' --save png,npz
      fastact extract --model pilot.h5 --image large.jpg --input 640x360 --out large
      fastact extract --model imu.h5 --image frame.jpg --input imu_in=imu.npy
      fastact extract --model rnn.h5 --tub data --index 120 --layers all
      fastact extract --model pilot.h5 --tub data --out lap.h5
      fastact extract --model pilot.h5 --image frame.jpg --config mycar/myconfig.py
    """
    network, camera = network_and_camera(configs)
    if tub is not None and not indexes and out.lower().endswith(_HDF5_NAMES):
        _check_lap(click.get_current_context(), out)
        sources = Sources.of((), inputs, None, ())
        model = load(model_path, config=network)
        model = model.at_size(sources.size) if sources.size else model
        return _extract_lap(
            Extractor(model, list(layers) or None, device=device),
            lap_of(model, tub, inputs, start, end, camera),
            out,
            threads,
        )
    if start or end is not None:
        raise click.UsageError("--start and --end are for a whole tub: add --tub DIR and --out FILE.h5")
    if out.lower().endswith(_HDF5_NAMES):
        raise click.BadParameter(
            f"{out!r}: a file .h5 is for a whole tub's maps: give a folder, which gets maps.h5 with --save h5",
            param_hint="--out",
        )
    formats = _formats(save)
    style = _style(cmap, norm) if "png" in formats else None
    if "h5" in formats:
        hdf5_library()  # whether it is there, before anything is written
    sources = Sources.of(images, inputs, tub, indexes)
    model = load(model_path, config=network)
    model = model.at_size(sources.size) if sources.size else model
    feeder = Feeder(model, sources, camera=camera)
    job = Job(Extractor(model, list(layers) or None, threads=threads, device=device), feeder, raw, formats, style)
    folders = _folders(Path(make_folder(out)), map(feeder.name, feeder.runs))
    said: set[str] = set()
    for run, folder in _progress(list(zip(feeder.runs, folders, strict=True))):
        feed, maps = job.run(run, folder)
        for note in feed.notes:
            say(f"fastact: {os.fspath(run.pictures[-1])}: {note}")
        for layer, reason in maps.missing.items():
            if layer not in said:
                say(f"fastact: layer {layer!r} ({model.layers[layer].class_name}) is not computed: {reason}")
                said.add(layer)
        click.echo(str(folder))
    return 0


def _check_lap(context: click.Context, out: str) -> None:
    """Raises UsageError for options that a whole tub's maps have no use for, OutputError for a place that is none."""
    names = {"raw": "--raw", "images": "--image", "save": "--save", "cmap": "--cmap", "norm": "--norm"}
    given = [option for n, option in names.items() if context.get_parameter_source(n) is not ParameterSource.DEFAULT]
    if given:
        verb = "do" if len(given) > 1 else "does"
        raise click.UsageError(f"{' and '.join(given)} {verb} not go with the maps of a whole tub: leave them out")
    if not os.path.isfile(out):  # noqa: PTH113 - a file that is there goes on, whatever may be made beside it
        check_place(out)


def _extract_lap(extract: Extractor, lap: Lap, out: str, threads: int) -> int:
    """Writes the maps of a tub to one file. Compressing takes most of the time, and gets the threads."""
    from fastact.tub_maps import write_tub_maps

    with ending_well(), progress_bar("maps", lap.count()) as progress:
        written = write_tub_maps(out, extract, lap, workers=threads, progress=progress)
    if written.before:
        say(f"fastact: {out!r} had {written.before} frames already, and the rest was added")
    say_pictures(lap)
    for layer in extract.layers:
        if reason := extract.model.layers[layer].reason:
            say(f"fastact: layer {layer!r} ({extract.model.layers[layer].class_name}) is not computed: {reason}")
    click.echo(out)
    return 0


def _style(cmap: str, norm: str) -> Style:
    """How pictures are to look; InputError for a colour map there is none of."""
    from fastact.views import Style, color_table

    color_table(cmap)
    return Style(colormap=cmap, normalization=norm)  # type: ignore[arg-type]  # click has checked it


def _formats(save: str) -> tuple[str, ...]:
    formats = tuple(f.strip().lower() for f in save.split(",") if f.strip())
    unknown = [f for f in formats if f not in _FORMATS]
    if unknown or not formats:
        raise click.BadParameter(
            f"{save!r}: give one or more of png, npz, h5, separated by commas", param_hint="--save"
        )
    return formats


def _folders(out: Path, names: Iterable[str]) -> list[Path]:
    """A folder for each name; a number is added where two are the same."""
    folders: list[Path] = []
    for name in names:
        folder, number = out / name, 2
        while folder in folders:
            folder, number = out / f"{name}-{number}", number + 1
        folders.append(folder)
    return folders


def _progress(work: list[tuple[Run, Path]]) -> Iterator[tuple[Run, Path]]:
    """The same, under a progress bar on stderr where there is more than one."""
    if len(work) == 1:
        yield from work
        return
    with progress_bar("pictures", len(work)) as progress:
        for done, item in enumerate(work, 1):
            yield item
            progress(done)
