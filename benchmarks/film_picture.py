"""Frames of films for docs/movie.md: the sample pilot among scenes that fastact.samples draws and that it never saw.

python -m benchmarks.film_picture docs/pictures
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.common import run_command
from benchmarks.stream import drawn_tub
from fastact import load, samples
from fastact.film import Film
from fastact.film.scenes import Look, scene_for
from fastact.lap import Lap
from fastact.tub import Tub
from fastact.views import save_png

COUNT = 150
"""Scenes in the film."""


def main() -> int:
    folder = Path(sys.argv[1])
    model = load(samples.pilot())
    with tempfile.TemporaryDirectory() as name:
        tub = drawn_tub(Path(name) / "tub", COUNT)
        lap = Lap(Tub.open(tub), model)
        for style in ("mosaic", "saliency"):
            film, look = Film(model, style=style), Look(driver=True)
            scene = scene_for(film, look, next(film.watch(lap)), film.scales(lap, COUNT), Path(model.source).name)
            frames = [scene.draw(seen) for seen in film.watch(lap)]
            save_png(Image.fromarray(frames[-1]), folder / f"movie_{style}.png")
    return 0


if __name__ == "__main__":
    run_command(main)
