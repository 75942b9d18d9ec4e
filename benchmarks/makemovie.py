"""A film of saliency over a tub: `fastact movie` beside donkeycar's own `donkey makemovie --salient`.

python -m benchmarks.makemovie --donkey VENV/bin/donkey --tub DIR --model FILE [--rounds N]

Both make an MP4 of all records at twice the pictures' size, each as a process of its own, in turns; what counts is the
wall time of the whole process. On a machine that does other things, too, the CPU time says more. donkeycar 5.3.0 needs
an environment with Python 3.11 in which its tools run:

    pip install donkeycar==5.3.0 tensorflow-cpu==2.15.1 'moviepy<2' 'opencv-python-headless<4.11' 'numpy<2' pandas \\
        matplotlib

Its film is a gradient's saliency with lines for the driver's and the network's steering; fastact's is VisualBackProp
with the same lines, and a panel of steering below. What runs from a folder of source has its bytecode written by the
first round; from a package that pip installed, it is there before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import BenchmarkError, run_command, table

GOAL = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--donkey", type=Path, required=True, help="the program `donkey`")
    parser.add_argument("--tub", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="a linear pilot as .h5")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tub = shutil.copytree(options.tub, folder / "tub")  # donkeycar opens tubs to write
        for path in (tub, *tub.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        given = ["--tub", str(tub), "--model", str(options.model.resolve()), "--scale", "2"]
        theirs = [str(options.donkey.absolute()), "makemovie", *given, "--type", "linear", "--salient"]
        theirs += ["--config", str(configuration(options.donkey, folder)), "--out", "theirs.mp4"]
        ours = [sys.executable, "-m", "fastact", "movie", *given, "--style", "saliency", "--draw-user-input"]
        ours += ["--out", "ours.mp4"]
        times: dict[str, list[Taken]] = {"donkey makemovie --salient": [], "fastact movie --style saliency": []}
        for _ in range(options.rounds):
            for (_, taken), arguments in zip(times.items(), (theirs, ours), strict=True):
                taken.append(timed(arguments, folder))
        frames = {"theirs": count(folder / "theirs.mp4"), "ours": count(folder / "ours.mp4")}
    made = dict(zip(times, frames.values(), strict=True))
    rows = [
        [what, str(made[what]), *(f"{of(t.wall for t in taken):.1f}" for of in (min, statistics.median)),
         f"{min(t.cpu for t in taken):.1f}", f"{made[what] / min(t.wall for t in taken):.0f}"]
        for what, taken in times.items()
    ]  # fmt: skip
    print(table(["", "frames", "s, least", "s, median", "s of CPU, least", "frames/s, most"], rows))
    slow, fast = times.values()
    for what, ratio in (
        ("least wall time", min(t.wall for t in slow) / min(t.wall for t in fast)),
        ("median wall time", statistics.median(t.wall for t in slow) / statistics.median(t.wall for t in fast)),
        ("least CPU time", min(t.cpu for t in slow) / min(t.cpu for t in fast)),
    ):
        print(f"fastact is {ratio:.1f} times faster by the {what}, the goal being {GOAL}")
    return 0


def configuration(donkey: Path, folder: Path) -> Path:
    """The configuration that donkeycar gives a new car."""
    found = sorted(
        donkey.absolute().parent.parent.glob("lib/python3*/site-packages/donkeycar/templates/cfg_complete.py")
    )
    if not found:
        raise BenchmarkError(f"there is no donkeycar beside {donkey}")
    return Path(shutil.copy(found[0], folder / "config.py"))


class Taken(NamedTuple):
    """Seconds that a program took: on the clock, and of the CPU."""

    wall: float
    cpu: float


def timed(arguments: Sequence[str], folder: Path) -> Taken:
    """How long a program takes; raises BenchmarkError where it fails."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installs is compiled to bytecode
    if Path(arguments[0]) != Path(sys.executable):
        environment.pop("PYTHONPATH", None)
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise BenchmarkError(f"{arguments[0]} failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(wall, cpu)


def count(path: Path) -> int:
    """The frames of a film."""
    import av

    try:
        with av.open(path) as container:
            return sum(1 for _ in container.decode(video=0))
    except OSError as error:
        raise BenchmarkError(f"no film was made: {error}") from error


if __name__ == "__main__":
    run_command(main)
