"""What `fastact stats` prints for the sample pilot, and what the figures cost beside the maps they are of.

    python -m benchmarks.stats [--frames N] [--write docs/stats.md]

The tub is made of drawn frames that the sample pilot was not trained on, so that the printed table can be had again
anywhere; only the times differ from machine to machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import replace_file
from fastact import Extractor, samples
from fastact.samples import track
from fastact.samples.train import TEST_SEEDS
from fastact.stats import Collector

BEGIN, END = "<!-- sample: begin -->", "<!-- sample: end -->"
_ROUNDS = 15
_LINES = 32


def make_tub(folder: Path, frames: Sequence[np.ndarray]) -> Path:
    """A tub of these pictures, as PNG files, with as much in its records as pictures need."""
    (folder / "images").mkdir(parents=True)
    lines = []
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / "images" / f"{i}.png")
        lines.append(json.dumps({"_index": i, "cam/image_array": f"{i}.png"}))
    (folder / "catalog_0.catalog").write_text("\n".join(lines) + "\n")
    places = {"paths": ["catalog_0.catalog"], "current_index": len(frames), "deleted_indexes": []}
    parts = [["cam/image_array"], ["image_array"], {}, {}, places]
    (folder / "manifest.json").write_text("".join(json.dumps(part) + "\n" for part in parts))
    return folder


def printed(tub: Path) -> str:
    """The first lines of the command's table."""
    command = [sys.executable, "-m", "fastact", "stats", "--model", str(samples.pilot()), "--tub", str(tub)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line.rstrip() for line in out.splitlines()[:_LINES])


def costs(frames: Sequence[np.ndarray]) -> tuple[float, float]:
    """Seconds of CPU a frame, medians of rounds in turn: of maps alone, on one thread, and of figures on top."""
    extract = Extractor(samples.pilot())
    collector = Collector(extract)

    def plain() -> None:
        for _ in extract.stream(frames):
            pass

    def both() -> None:
        for maps in extract.stream(frames):
            collector.add(maps)

    rounds = [(_cpu(plain), _cpu(both)) for _ in range(_ROUNDS + 1)][1:]
    alone, together = (statistics.median(times) / len(frames) for times in zip(*rounds, strict=True))
    return alone, together - alone


def _cpu(work: Callable[[], None]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def document(frames: Sequence[np.ndarray], tub: Path) -> str:
    """What stands between the marks."""
    maps, figures = costs(frames)
    return (
        f"```\n$ fastact stats --model pilot_160x120.h5 --tub tub\n{printed(tub)}\n...\n```\n\n"
        f"On the machine that wrote this page a frame's maps took {1e3 * maps:.2f} ms of CPU on one thread, and its "
        f"figures {1e3 * figures:.2f} ms on top ({figures / maps:.1f} times as much).\n"
    )


def main() -> None:
    """Prints, or writes into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100, help="how many frames to draw")
    parser.add_argument("--write", type=Path, help="the page to put it into, between its two marks")
    options = parser.parse_args()
    drawn = [track.draw(seed).image for seed in TEST_SEEDS[: options.frames]]
    with tempfile.TemporaryDirectory() as folder:
        text = document(drawn, make_tub(Path(folder) / "tub", drawn))
    if options.write is None:
        print(text)
        return
    before, _, rest = options.write.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        parser.error(f"{options.write} has no {BEGIN} with {END} behind it")
    replace_file(options.write, f"{before}{BEGIN}\n{text}{END}{after}")


if __name__ == "__main__":
    main()
