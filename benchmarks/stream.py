"""Whether reading a tub keeps up with computing: `Extractor.stream` over a tub beside the same frame again and again.

python -m benchmarks.stream [--tub DIR] [--model FILE] [--threads N] [--rounds N]

Both are measured in turns, each for as many frames as the tub has, in stretches of 200: in shorter ones the few frames
that are decoded ahead would count. What a stretch took is divided by its frames; the table has the quickest stretch,
which other work on the machine disturbed least, and the median. Without a tub, one is made of the sample frame.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import run_command, table
from fastact import Extractor, load, samples
from fastact.frames import prefetch
from fastact.lap import Lap
from fastact.maps import FeatureMaps
from fastact.samples import track
from fastact.tub import Tub

GOAL = 0.95
STRETCH = 200

UNSEEN = 1_000_000
"""Seeds from here on are of scenes that the sample pilot was neither trained nor tested on."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tub", type=Path, help="a Donkey tub; without it, one of 600 records is made")
    parser.add_argument("--model", type=Path, default=samples.pilot())
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        extract = Extractor(load(options.model), threads=options.threads)
        lap = Lap(Tub.open(options.tub or made_tub(Path(folder) / "tub", 600)), extract.model)
        frame = next(iter(lap)).frame
        count = sum(1 for _ in stream(extract, lap))
        single, streamed = measured(extract, frame, lap, count, options.rounds)
    rows = [
        [name, f"{min(times) * 1e3:.3f}", f"{statistics.median(times) * 1e3:.3f}", f"{1 / min(times):.0f}"]
        for name, times in (("the same frame, warm", single), ("stream over the tub", streamed))
    ]
    print(table(["", "ms, least", "ms, median", "frames/s, most"], rows))
    print(f"{len(single)} and {len(streamed)} stretches of {STRETCH} frames, {options.threads} thread(s)")
    for name, of in (("least", min), ("median", statistics.median)):
        share = of(single) / of(streamed)
        print(f"stream reaches {share:.1%} of the single frame's figure by the {name}, the goal being {GOAL:.0%}")
    return 0


def stream(extract: Extractor, lap: Lap) -> Iterator[FeatureMaps]:
    return extract.stream(prefetch(shot.frame for shot in lap))


def measured(
    extract: Extractor, frame: np.ndarray, lap: Lap, count: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds a frame of each stretch: the single frame's, and the stream's."""
    maps = extract(frame)

    def again() -> Iterator[FeatureMaps]:
        for _ in range(count):
            yield extract(frame, out=maps)

    single: list[float] = []
    streamed: list[float] = []
    for _ in range(rounds):
        single += stretches(again())
        streamed += stretches(stream(extract, lap))
    return single, streamed


def stretches(frames: Iterator[FeatureMaps]) -> Iterator[float]:
    """Seconds a frame of each stretch; what remains at the end is left out."""
    while True:
        start = time.perf_counter()
        if sum(1 for _ in islice(frames, STRETCH)) < STRETCH:
            return
        yield (time.perf_counter() - start) / STRETCH


def made_tub(folder: Path, count: int) -> Path:
    """A tub of the sample frame, moving to the left, as JPEGs."""
    with Image.open(samples.frame("160x120")) as image:
        picture = np.asarray(image.convert("RGB"))
    return write_tub(folder, ((np.roll(picture, -i, axis=1), 0.0, 0.5) for i in range(count)))


def drawn_tub(folder: Path, count: int) -> Path:
    """A tub of scenes that fastact.samples draws and that the sample pilot never saw, driven as they should be."""
    drawn = (track.draw(seed) for seed in range(UNSEEN, UNSEEN + count))
    return write_tub(folder, ((d.image, float(d.steering), float(d.throttle)) for d in drawn))


def write_tub(folder: Path, records: Iterable[tuple[np.ndarray, float, float]]) -> Path:
    """A tub of pictures, each with its steering and throttle."""
    (folder / "images").mkdir(parents=True)
    lines: list[str] = []
    for i, (picture, angle, throttle) in enumerate(records):
        name = f"{i}_cam_image_array_.jpg"
        Image.fromarray(picture).save(folder / "images" / name)
        fields = {"_index": i, "_timestamp_ms": 50 * i, "cam/image_array": name}
        lines.append(json.dumps(fields | {"user/angle": angle, "user/throttle": throttle}))
    (folder / "catalog_0.catalog").write_text("\n".join(lines) + "\n")
    places = {"paths": ["catalog_0.catalog"], "current_index": len(lines), "max_len": 1000, "deleted_indexes": []}
    names = ["cam/image_array", "user/angle", "user/throttle"]
    parts = [names, ["image_array", "float", "float"], {}, {}, places]
    (folder / "manifest.json").write_text("\n".join(map(json.dumps, parts)) + "\n")
    return folder


if __name__ == "__main__":
    run_command(main)
