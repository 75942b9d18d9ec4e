"""`fastact demo`: the main job on the samples in the package."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fastact import samples
from fastact.cli.extract import Job
from fastact.cli.feeding import Feeder, Sources
from fastact.cli.options import DEVICE, say
from fastact.extractor import Extractor
from fastact.graph import load
from fastact.views import Style


@click.command(short_help="Run the main job on the samples that come with fastact.")
@click.option("--out", "-o", default="fastact-demo", show_default=True, metavar="DIR", help="Where pictures go.")
@DEVICE
def command(out: str, device: str) -> int:
    """Run the main job on the samples that come with fastact: a trained pilot and a frame of its track.

    The frame goes through the pilot at 160x120, as the car sees it, and through the same weights at 640x360.
    """
    pilot = load(samples.pilot())
    for size, model in (("160x120", pilot), ("640x360", pilot.at_size((360, 640)))):
        frame = samples.frame(size)  # type: ignore[arg-type]  # the two sizes there are
        feeder = Feeder(model, Sources.of([str(frame)], [], None, []))
        job = Job(Extractor(model, device=device), feeder, raw=False, formats=("png",), style=Style())
        folder = Path(out) / size
        feed, maps = job.run(feeder.runs[0], folder)
        started = time.perf_counter()
        job.extract(feed.inputs)
        elapsed = 1e3 * (time.perf_counter() - started)
        filters = sum(array.shape[-1] for array in maps.values())
        say(f"fastact: {size}: {filters} feature maps of {len(maps)} layers in {elapsed:.2f} ms")
        click.echo(str(folder / "sheet.png"))
    say("fastact: open the two sheets above; beside each lie the layers one by one")
    return 0
