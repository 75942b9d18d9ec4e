"""`fastact saliency`: which pixels matter to a network, laid over the picture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from fastact.cli.feeding import Array, Feed, Feeder, NamedFile, Sources, feeding_options
from fastact.cli.options import CONFIGS, DEVICE, network_and_camera, say, usable_cores
from fastact.errors import InputError
from fastact.graph import Model, load
from fastact.kernels.cpu.threads import MOST
from fastact.kernels.ops import Floats
from fastact.maps import FeatureMaps
from fastact.saliency import GradCam, GradientSaliency, VisualBackProp
from fastact.saliency.cost import cost
from fastact.saving import save_npz
from fastact.writing import check_place, make_folder

_METHODS = ("visualbackprop", "gradient", "gradcam")
_FORMATS = ("png", "npz")
_PERCENTILE = 99
Method = VisualBackProp | GradientSaliency | GradCam


@dataclass(frozen=True)
class Choice:
    """What the options choose beside model and picture; None where they leave it open."""

    method: str
    output: str | None
    value: int | None
    layer: str | None
    threads: int
    device: str

    def of(self, model: Model) -> Method:
        """The method for a model; raises BadParameter for options that it does not take."""
        if self.method == "gradient" and self.layer is not None:
            raise click.BadParameter("the gradient is taken by the picture: --layer is of no use", param_hint="--layer")
        if self.method != "visualbackprop":
            if self.method == "gradient":
                return GradientSaliency(model, self.output, index=self.value, threads=self.threads, device=self.device)
            return GradCam(model, self.layer, self.output, index=self.value, threads=self.threads, device=self.device)
        for option, given in (("--output", self.output), ("--value", self.value)):
            if given is not None:
                words = "VisualBackProp comes from the maps alone, whatever the output: choose --method gradient"
                raise click.BadParameter(words, param_hint=option)
        return VisualBackProp(model, self.layer, threads=self.threads, device=self.device)


@dataclass(frozen=True)
class Words:
    """What a page says: its heading, what is shown, how to read it."""

    name: str
    facts: tuple[str, ...]
    notes: tuple[str, ...]


def _words(see: Method, model: str) -> Words:
    if isinstance(see, VisualBackProp):
        first, last, count = see.convolutions[0], see.convolutions[-1], len(see.convolutions)
        which = f"{count} convolutions, {first} to {last}, are active together" if count > 1 else f"{first} is active"
        fact = f"Where {which}: the product of their maps' means over channels."
        return Words(f"VisualBackProp of {model}", (fact,), ("It shows what is seen, not what follows from it.",))
    number = f"{see.scalar.words}, here {see.value:.4g}"
    if isinstance(see, GradientSaliency):
        fact = f"Where a small change would change {number}, most: its gradient's length."
        note = "What would raise the number and what would lower it look alike."
        return Words(f"Gradient of {model}", (fact,), (note,))
    size = "x".join(map(str, see.strength.shape[::-1]))
    fact = f"Where the maps of {see.layer} ({size}) speak for raising {number}."
    note = "What speaks for lowering it is not shown; cells are stretched over the picture."
    if not see.strength.any():
        note = "Nothing does: the sum of the weighted maps is nowhere above 0."
    return Words(f"Grad-CAM of {model}", (fact,), (note,))


def laid_out(pictures: Array, mask: Floats) -> tuple[Array, Floats]:
    """A picture and its mask as they are; of a run of pictures all of them, line by line, with their masks.

    Args:
        pictures: (H, W, C) or (T, H, W, C).
        mask: (h, w) or (t, h, w): where t is not T, each picture gets the mask nearest in time.
    """
    if pictures.ndim == 3:
        return pictures, mask
    from PIL import Image

    steps, height, width, channels = pictures.shape
    columns = int(np.ceil(np.sqrt(steps)))
    lines = -(-steps // columns)
    page = np.zeros((lines * height, columns * width, channels), pictures.dtype)
    strengths = np.zeros(page.shape[:2], np.float32)
    for t, picture in enumerate(pictures):
        own = mask if mask.ndim == 2 else mask[t * len(mask) // steps]
        stretched = Image.fromarray(own).resize((width, height), Image.Resampling.BILINEAR)
        line, column = divmod(t, columns)
        rows = slice(line * height, (line + 1) * height)
        page[rows, column * width : (column + 1) * width] = picture
        strengths[rows, column * width : (column + 1) * width] = np.asarray(stretched)
    return page, strengths


@click.command(short_help="Show which pixels matter to a network.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIGS
@feeding_options
@click.option(
    "--method", type=click.Choice(_METHODS), default="visualbackprop", show_default=True,
    help="Where the convolutions are active together; where a small change would change an output most; or where a "
    "convolution's maps speak for a larger output."
)  # fmt: skip
@click.option(
    "--output", "output", metavar="NAME", help="The output that counts, or any layer.  [default: the first]"
)  # fmt: skip
@click.option(
    "--value", type=click.IntRange(0), metavar="N",
    help="Which of its values, from 0.  [default: the largest of a softmax, else 0]"
)  # fmt: skip
@click.option(
    "--layer", metavar="NAME",
    help="The convolution: VisualBackProp's last, or the one of Grad-CAM.  [default: the last]"
)  # fmt: skip
@click.option(
    "--out", "-o", default="fastact-saliency", show_default=True, metavar="DIR|FILE.png", help="Where results go."
)  # fmt: skip
@click.option(
    "--save", default="png", show_default=True, metavar="LIST",
    help="What to write, of png,npz, separated by commas; npz has the mask, the strength it is made of and, of "
    "--method gradient, the gradient itself."
)  # fmt: skip
@DEVICE
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=usable_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
@click.option("--cmap", default="inferno", show_default=True, metavar="NAME", help="Colour map, such as magma or gray.")
def command(
    model_path: str, configs: tuple[str, ...], images: tuple[str, ...],
    inputs: tuple[tuple[int, int] | NamedFile, ...], tub: str | None,
    indexes: tuple[int, ...], method: str, output: str | None, value: int | None, layer: str | None, out: str,
    save: str, device: str, threads: int, cmap: str,
) -> int:  # fmt: skip
    """Show which pixels matter to a network: a mask from 0 to 1, laid over the picture, with words and a scale.

    Prints the files written; what a mask costs beside the feature maps alone goes to stderr.

    \b
    Examples:
      fastact saliency --model pilot.h5 --image frame.jpg
      fastact saliency --model pilot.h5 --image frame.jpg --method gradient --output n_outputs0 --save png,npz
      fastact saliency --model pilot.h5 --image frame.jpg --method gradcam --layer conv2d_3 --out cam.png
      fastact saliency --model pilot.h5 --image frame.jpg --config mycar/myconfig.py
    """
    formats = _formats(save)
    from fastact.views import color_table

    color_table(cmap)  # whether there is such a map, before anything is computed
    sources = Sources.of(images, inputs, tub, indexes)
    network, camera = network_and_camera(configs)
    model = load(model_path, config=network)
    model = model.at_size(sources.size) if sources.size else model
    feeder = Feeder(model, sources, camera=camera)
    see = Choice(method, output, value, layer, threads, device).of(model)
    files = _files(out, [feeder.name(run) for run in feeder.runs], method)
    for file in files:
        make_folder(file.parent)
        for kind in formats:
            check_place(file if kind == "png" else file.with_suffix(".npz"))
    for run, file in zip(feeder.runs, files, strict=True):
        feed = feeder.feed(run)
        if feed.shown is None:
            raise InputError("there is no picture among the inputs to lay the mask over: give --image")
        for note in feed.notes:
            say(f"fastact: {os.fspath(run.pictures[-1])}: {note}")
        mask = see(feed.inputs)
        if "png" in formats:
            _draw(see, feed, mask, file, cmap)
            click.echo(str(file))
        if "npz" in formats:
            arrays = {"mask": mask, "strength": see.strength}
            if isinstance(see, GradientSaliency):
                arrays["gradient"] = see.gradient(feed.inputs)
            save_npz(file.with_suffix(".npz"), FeatureMaps(arrays, {}), _metadata(see, feed, method))
            click.echo(str(file.with_suffix(".npz")))
    spent = cost(see, feeder.feed(feeder.runs[-1]).inputs, threads, device)
    say(
        f"fastact: {spent.mask:.2f} ms a frame, {spent.ratio:.2f} times the {spent.plain:.2f} ms of the convolutions' "
        f"maps alone ({'on the GPU' if see.device == 'cuda' else f'{threads} thread' + 's' * (threads > 1)})"
    )
    return 0


def _draw(see: Method, feed: Feed, mask: Floats, file: Path, cmap: str) -> None:
    from fastact.views import overlay, save_png  # not loaded where only arrays are asked for

    assert feed.shown is not None
    words = _words(see, os.path.basename(see.model.source))  # noqa: PTH119
    drawn, scale = _scaled(see, mask)
    notes = [*words.notes, scale, *(f"The picture was {note}." for note in feed.notes)]
    picture, strengths = laid_out(feed.shown, drawn)
    facts = [*words.facts, ", ".join(feed.files)]
    save_png(overlay(picture, strengths, name=words.name, facts=facts, notes=notes, colormap=cmap), file)


def _scaled(see: Method, mask: Floats) -> tuple[Floats, str]:
    """The mask on the scale it is drawn on, and that scale in words.

    A gradient has single pixels far above all others, beside which nothing else would be seen.
    """
    low, high = float(see.strength.min()), float(see.strength.max())
    top = float(np.percentile(mask, _PERCENTILE)) if isinstance(see, GradientSaliency) else 1.0
    if low == high:
        return mask, f"The strength is {low:.3g} everywhere, so that nothing is coloured."
    if not 0 < top < 1:
        return mask, f"1 is this picture's largest strength, {high:.3g}, and 0 its least, {low:.3g}."
    words = (
        f"1 is the {_PERCENTILE}th percentile of this picture's strengths, {low + top * (high - low):.3g} (they reach "
        f"{high:.3g}), and 0 the least, {low:.3g}."
    )
    return np.minimum(mask / np.float32(top), np.float32(1)), words


def _metadata(see: Method, feed: Feed, method: str) -> dict[str, Any]:
    """What a file of arrays says about them."""
    from fastact import __version__

    about: dict[str, Any] = {
        "fastact": __version__,
        "model": os.path.basename(see.model.source),  # noqa: PTH119
        "model_sha256": see.model.identity,
        "frame": ", ".join(feed.files),
        "frame_was": list(feed.notes),
        "method": method,
    }
    if isinstance(see, VisualBackProp):
        return about | {"convolutions": list(see.convolutions)}
    about |= {"output": see.scalar.output, "value": see.scalar.index, "value_in_words": see.scalar.words}
    return about | ({"layer": see.layer} if isinstance(see, GradCam) else {"by": see.by})


def _formats(save: str) -> tuple[str, ...]:
    formats = tuple(f.strip().lower() for f in save.split(",") if f.strip())
    if not formats or any(f not in _FORMATS for f in formats):
        raise click.BadParameter(f"{save!r}: give png, npz or png,npz", param_hint="--save")
    return formats


def _files(out: str, names: list[str], method: str) -> list[Path]:
    """A picture's path for each name; a number is added where two are the same."""
    if Path(out).suffix.lower() == ".png":
        if len(names) > 1:
            raise click.BadParameter(f"{len(names)} masks do not go into one file: give a folder", param_hint="--out")
        return [Path(out)]
    files: list[Path] = []
    for name in names:
        file, number = Path(out) / f"{name}-{method}.png", 2
        while file in files:
            file, number = Path(out) / f"{name}-{method}-{number}.png", number + 1
        files.append(file)
    return files
