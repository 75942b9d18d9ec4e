"""`fastact extract`: pictures in; pictures of feature maps, and arrays, out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from fastact.cli.options import CONFIG, SIZE, say
from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.frames import Picture, read_picture
from fastact.graph import Model, load
from fastact.kernels.cpu.threads import MOST
from fastact.maps import FeatureMaps
from fastact.saving import describe, file_names, hdf5_library, save_h5, save_npz
from fastact.writing import make_folder

if TYPE_CHECKING:
    from fastact.views import Style

_FORMATS = ("png", "npz", "h5")


@dataclass(frozen=True)
class Job:
    """What to make of each picture."""

    extract: Extractor
    input_name: str
    raw: bool
    formats: tuple[str, ...]
    style: Style | None

    def run(self, image: Path, folder: Path) -> tuple[Picture, FeatureMaps]:
        """Computes one picture's maps and writes them into `folder`, which is made."""
        model = self.extract.model
        picture = read_picture(image, model.input_shapes[self.input_name])
        maps = self.extract(picture.frame.astype(np.float32) if self.raw else picture.frame)
        make_folder(folder)
        metadata = describe(model, maps, image.name) | {
            "input": "0..255" if self.raw else "0..1",
            "frame_was": list(picture.notes),
        }
        if "png" in self.formats:
            self._draw(image, picture, maps, folder)
        if "npz" in self.formats:
            save_npz(folder / "maps.npz", maps, metadata)
        if "h5" in self.formats:
            save_h5(folder / "maps.h5", maps, metadata)
        return picture, maps

    def _draw(self, image: Path, picture: Picture, maps: FeatureMaps, folder: Path) -> None:
        from fastact.views import contact_sheet, mosaic, save_png  # not loaded where only arrays are asked for

        for (name, array), file_name in zip(maps.items(), file_names(maps), strict=True):
            save_png(mosaic(array, name=name, style=self.style), folder / f"{file_name}.png")
        rows, columns, _ = picture.frame.shape
        caption = [f"{os.path.basename(self.extract.model.source)}, input {columns}x{rows}"]  # noqa: PTH119
        caption += [f"the picture was {note}" for note in picture.notes]
        caption += [f"{name} is not computed: {reason}" for name, reason in maps.missing.items()]
        if self.raw:
            caption.append("fed as 0..255 (--raw), not as the pilot is fed, which is 0..1")
        sheet = contact_sheet(picture.frame, maps, title=image.name, style=self.style, caption=caption)
        save_png(sheet, folder / "sheet.png")


def picture_input(model: Model) -> str:
    """The name of the one input, a picture; raises InputError for a model with other inputs."""
    if len(model.inputs) != 1:
        raise InputError(
            f"{model.source} has {len(model.inputs)} inputs, {', '.join(model.inputs)}: the command feeds one picture; "
            "from Python, give the extractor a mapping from input name to array"
        )
    return model.inputs[0]


def _cores() -> int:
    """The cores this process may use, at most 4: beyond that, small maps leave threads waiting for each other."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@click.command(short_help="Compute the feature maps of pictures and save them.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIG
@click.option("--image", "-i", "images", required=True, multiple=True, metavar="FILE", help="A picture; repeatable.")
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: every convolution."
)  # fmt: skip
@click.option("--out", "-o", default="fastact-maps", show_default=True, metavar="DIR", help="Where results go.")
@click.option(
    "--save",
    default="png",
    show_default=True,
    metavar="LIST",
    help="What to write, of png,npz,h5, separated by commas.",
)
@click.option("--raw", is_flag=True, help="Feed 0..255 as `donkey cnnactivations` does, not 0..1 as the car does.")
@click.option("--input", "size", type=SIZE, help="Run the same weights at another input size, such as 640x360.")
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
@click.option(
    "--norm", type=click.Choice(["channel", "layer", "percentile"]), default="channel", show_default=True,
    help="What a picture's colours span: each filter's own values, the layer's, or its 1st to 99th percentile."
)  # fmt: skip
@click.option("--cmap", default="viridis", show_default=True, metavar="NAME", help="Colour map, such as magma or gray.")
def command(
    model_path: str, config_path: str | None, images: tuple[str, ...], layers: tuple[str, ...], out: str, save: str,
    raw: bool, size: tuple[int, int] | None, threads: int, norm: str, cmap: str,
) -> int:  # fmt: skip
    """Compute the feature maps of pictures and save them.

    For each picture a folder of its name in DIR: one PNG a layer and sheet.png, the input beside all layers; and the
    arrays, if asked for, as maps.npz and maps.h5. A picture of another size is resized as Donkey does, and that is
    said. Prints the folders written.

    \b
    Examples:
      fastact extract --model pilot.h5 --image frame.jpg
      fastact extract --model pilot.h5 --image frame.jpg --layers 'conv2d_[12]' --save png,npz
      fastact extract --model pilot.h5 --image large.jpg --input 640x360 --out large
    """
    formats = _formats(save)
    style = _style(cmap, norm) if "png" in formats else None
    if "h5" in formats:
        hdf5_library()  # whether it is there, before anything is written
    for image in images:
        if not Path(image).is_file():
            raise InputError(f"there is no picture {image!r}")
    model = load(model_path, config=config_path)
    name = picture_input(model)
    extract = Extractor(model.at_size(size) if size else model, list(layers) or None, threads=threads)
    job = Job(extract, name, raw, formats, style)
    folders = _folders(Path(make_folder(out)), images)
    said: set[str] = set()
    for image, folder in _progress(list(zip(images, folders, strict=True))):
        picture, maps = job.run(Path(image), folder)
        for note in picture.notes:
            say(f"fastact: {image}: {note}")
        for layer, reason in maps.missing.items():
            if layer not in said:
                say(f"fastact: layer {layer!r} ({model.layers[layer].class_name}) is not computed: {reason}")
                said.add(layer)
        click.echo(str(folder))
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


def _folders(out: Path, images: Iterable[str]) -> list[Path]:
    """A folder for each picture, named after it; a number is added where two have one name."""
    folders: list[Path] = []
    for image in images:
        stem = Path(image).stem
        folder, number = out / stem, 2
        while folder in folders:
            folder, number = out / f"{stem}-{number}", number + 1
        folders.append(folder)
    return folders


def _progress(work: list[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """The same, under a progress bar on stderr where there is more than one."""
    if len(work) == 1:
        yield from work
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(work)
