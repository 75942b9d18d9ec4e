"""What x264's settings make of films: time, bytes and how near to what was drawn, for docs/movie.md.

    python -m benchmarks.encoding --tub DIR --model FILE [--count N] [--write docs/movie.md]

One film in each style is drawn once and encoded with each setting in turn; the least of the rounds counts. Nearness
is the peak signal-to-noise ratio of all red, green and blue values, frame by frame, their mean in decibels.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Section, cores, cpu_name, markdown, replace_file, run_command, table
from fastact import load
from fastact.film import STYLES, Film, files
from fastact.film.files import X264, film_file
from fastact.film.scenes import Look, scene_for
from fastact.lap import Lap
from fastact.tub import Tub

Frames = Sequence[NDArray[np.uint8]]

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "fastact's": X264,
    "superfast, 20": {"preset": "superfast", "crf": "20"},
    "ultrafast, 20": {"preset": "ultrafast", "crf": "20"},
    "veryfast, 23": {"preset": "veryfast", "crf": "23"},
}
"""A preset and a constant rate factor; fastact's is described in docs/movie.md."""
HEAD = ("film", "setting", "ms a frame", "kB a frame", "dB")
ENCODING = Section("encoding")


def drawn(model: str, tub: Path, style: str, count: int) -> Frames:
    """The frames of a film."""
    film = Film(load(model), style=style)
    lap = Lap(Tub.open(tub), film.model, limit=count)
    scene = scene_for(film, Look(), next(film.watch(lap)), film.scales(lap, lap.count()), Path(model).name)
    return [scene.draw(seen) for seen in film.watch(lap)]


def encode(frames: Frames, path: Path, options: Mapping[str, str]) -> float:
    """Seconds that writing the film takes."""
    size = frames[0].shape[1], frames[0].shape[0]
    with mock.patch.object(files, "X264", options):
        start = time.perf_counter()
        with film_file(path, size, Fraction(20)) as file:
            for frame in frames:
                file.add(frame)
        return time.perf_counter() - start


def nearness(frames: Frames, path: Path) -> float:
    """Decibels."""
    import av

    with av.open(str(path)) as container:
        pairs = zip(container.decode(video=0), frames, strict=True)
        errors = [np.square(s.to_ndarray(format="rgb24") - frame.astype(np.float32)).mean() for s, frame in pairs]
    return float(np.mean([10 * np.log10(255**2 / error) for error in errors]))


def measure(frames: Frames, rounds: int) -> dict[str, tuple[float, float, float]]:
    """For each setting milliseconds and kilobytes a frame, and decibels."""
    count = len(frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        seconds: dict[str, list[float]] = {name: [] for name in SETTINGS}
        found: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            for name, options in SETTINGS.items():
                seconds[name].append(encode(frames, path, options))
                found[name] = path.stat().st_size / count / 1e3, nearness(frames, path)
    return {name: (1e3 * min(times) / count, *found[name]) for name, times in seconds.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tub", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=300, help="records of the tub (300)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="write the table into this document")
    options = parser.parse_args(argv)
    rows = []
    for style in STYLES:
        frames = drawn(options.model, options.tub, style, options.count)
        for setting, figures in measure(frames, options.rounds).items():
            rows.append((style, setting, *(f"{number:.2f}" for number in figures)))
    print(table(HEAD, rows))
    if options.write:
        machine = f"{cpu_name()}, {cores()} cores; {options.count} records of a tub; `python -m benchmarks.encoding`."
        text = ENCODING.write(options.write.read_text(), f"{markdown(HEAD, rows)}\n\n{machine}")
        replace_file(options.write, text)
    return 0


if __name__ == "__main__":
    run_command(main)
