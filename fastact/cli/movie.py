"""`fastact movie`: a film of a tub, as the network sees it."""

from __future__ import annotations

from fractions import Fraction

import click

from fastact.cli.feeding import Sources, input_option
from fastact.cli.laps import ending_well, lap_of, progress_bar, range_options, say_pictures
from fastact.cli.options import CONFIGS, DEVICE, FiniteRange, network_and_camera, say
from fastact.kernels.cpu.threads import MOST


@click.command(short_help="Make a film of a tub, as the network sees it.")
@click.option("--model", "-m", "model_path", required=True, metavar="FILE", help="The model's file.")
@CONFIGS
@click.option("--tub", required=True, metavar="DIR", help="The Donkey tub.")
@click.option("--out", "-o", required=True, metavar="FILE", help="The film: FILE.mp4, FILE.gif or FILE.webp.")
@click.option(
    "--style", type=click.Choice(["mosaic", "overlay", "saliency"]), default="mosaic", show_default=True,
    help="The layers' maps beside the picture; the mean of one layer's filters over it; or VisualBackProp over it."
)  # fmt: skip
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: every convolution. Over a picture: the last of them."
)  # fmt: skip
@range_options
@click.option(
    "--scale", type=click.IntRange(1, 16), metavar="N",
    help="How many times larger than the camera's a picture is.  [default: about 640 wide, or 480 beside a mosaic]"
)  # fmt: skip
@click.option(
    "--fps", type=FiniteRange(1, 120), default=20, show_default=True, metavar="N",
    help="Frames a second; a car records 20."
)  # fmt: skip
@click.option("--draw-user-input", "driver", is_flag=True, help="Draw the recorded steering over the picture, too.")
@click.option(
    "--cmap", metavar="NAME", help="Colour map.  [default: viridis for a mosaic, inferno over a picture]"
)  # fmt: skip
@input_option
@DEVICE
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=1, show_default=True, metavar="N",
    help="Threads that compute a picture together; pictures are decoded and encoded beside them."
)  # fmt: skip
def command(
    model_path: str, configs: tuple[str, ...], tub: str, out: str, style: str, layers: tuple[str, ...], start: int,
    end: int | None, scale: int | None, fps: float, driver: bool, cmap: str | None, inputs: tuple[object, ...],
    device: str, threads: int,
) -> int:  # fmt: skip
    """Make a film of a tub: the camera's picture, what the network saw in it, and the steering.

    What the driver steered is green, what the network would is blue. Colours have one scale for the whole film, found
    from a few dozen records before it begins. Deleted records are left out; damaged ones, too, and counted. The film
    appears when it is whole: interrupted, nothing is left. MP4 needs the extra `movie`.

    \b
    Examples:
      fastact movie --tub data --model pilot.h5 --out lap.mp4
      fastact movie --tub data --model pilot.h5 --out lap.mp4 --style saliency --draw-user-input
      fastact movie --tub data --model pilot.h5 --out corner.gif --style overlay -l conv2d_3 --start 200 --end 300
    """
    from fastact.film import Film, make_film
    from fastact.film.files import check_film
    from fastact.film.scenes import Look
    from fastact.graph import load
    from fastact.writing import check_place

    look = Look(scale, Fraction(fps).limit_denominator(1001), driver, cmap)
    check_film(out, look.fps)
    check_place(out)
    network, camera = network_and_camera(configs)
    sources = Sources.of((), inputs, None, ())  # type: ignore[arg-type]  # the option gives no others
    model = load(model_path, config=network)
    model = model.at_size(sources.size) if sources.size else model
    film = Film(model, style=style, layers=list(layers) or None, threads=threads, device=device)
    lap = lap_of(model, tub, inputs, start, end, camera)  # type: ignore[arg-type]
    with ending_well(), progress_bar("film") as progress:
        made = make_film(film, lap, out, look=look, progress=progress)
    say(f"fastact: {made.frames} frames of {made.size[0]}x{made.size[1]}, {made.frames / fps:.1f} s")
    say_pictures(lap)
    click.echo(out)
    return 0
