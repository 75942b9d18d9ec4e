"""The CUDA kernels on the GPU that is there: right first, then fast. One command, a few minutes.

    python -m benchmarks.cuda --out DIR [--only PART ...]

In this order: every operation against its reference, with fresh random inputs and poisoned outputs; what the GPU can
do at most, by kernels of fastact's own; every convolution's map of the pilots, one frame and batches, by a replayed
graph and by single launches, beside PyTorch with cuDNN where it is installed; every tile on every layer. All times are
medians of the device's own events over many runs, taken in turns. The kernels' PTX has to be there, or numba-cuda to
make it: `python -m fastact.kernels.cuda.ship kernels/cuda/ptx` makes it on any machine.

Exit status: 0; 1 if something computes something else: nothing is timed then; 2 without a GPU that can be used.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import fastact
from benchmarks import cuda_checks, cuda_on_device
from benchmarks.common import BenchmarkError, replace_file, run_command, table
from benchmarks.cuda_times import HEAD, Ceilings, TileTimes, Times, ceilings, networks, tile_head, tiles
from fastact.kernels.cuda.device import Device, open_device
from fastact.kernels.cuda.errors import CudaError
from fastact.kernels.shelf import BuildError

PARTS = ("checks", "tests", "networks", "tiles")
_ROOT = Path(__file__).parents[1]


@dataclass
class Findings:
    """All that was found, as it is written to the file."""

    device: dict[str, object]
    fastact: str
    date: str
    seed: int
    ceilings: Ceilings | None = None
    checks: list[cuda_checks.Verdict] | None = None
    models: list[cuda_checks.Verdict] | None = None
    tests: str = "not run"
    networks: list[Times] | None = None
    tiles: list[TileTimes] | None = None

    def write(self, path: Path) -> None:
        """As JSON; sets are sorted lists."""
        replace_file(path, json.dumps(asdict(self), indent=1, default=sorted) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write cuda.json to")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts alone, of all")
    parser.add_argument("--rounds", type=int, default=15, help="samples of each time (15)")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="of the inputs: by default another each time"
    )
    options = parser.parse_args(argv)
    try:
        return measure(open_device(), options.out, tuple(options.only or PARTS), options.rounds, options.seed)
    except (CudaError, BuildError) as error:
        raise BenchmarkError(str(error)) from error


def measure(device: Device, out: Path, parts: Sequence[str], rounds: int, seed: int) -> int:
    """Everything that `parts` names, on `device`; returns the exit status."""
    out.mkdir(parents=True, exist_ok=True)
    found = Findings(asdict(device.card), fastact.__version__, time.strftime("%Y-%m-%d %H:%M"), seed)
    print(_described(device))
    right = True
    if "checks" in parts:
        found.checks = cuda_checks.check(device, seed)
        found.models = cuda_checks.models(seed)
        right = not any(verdict.wrong for verdict in found.checks + found.models)
        print(f"\n{_verdicts(found.checks)}\n\n{_verdicts(found.models)}")
    if "tests" in parts:
        passed, found.tests = _tests()
        right = right and passed
        print(f"\nthe simulator's tests on the device: {found.tests}")
    found.write(out / "cuda.json")
    if not right:
        print("\nthe GPU computes something else: nothing is timed", file=sys.stderr)
        return 1
    if "networks" in parts or "tiles" in parts:
        found.ceilings = ceilings(device)
        print(f"\n{found.ceilings.words}")
    if "tiles" in parts:
        found.tiles = tiles(device, rounds, seed)
        print("\nmicroseconds of every tile on every layer; * is the one that is taken\n")
        print(table(tile_head(), [one.cells for one in found.tiles]))
    found.write(out / "cuda.json")
    if "networks" in parts and found.ceilings:
        found.networks = networks(device, found.ceilings, rounds, seed)
        print(f"\n{_described(device)}; {found.ceilings.words}; milliseconds of a batch; {found.networks[0].rival}\n")
        print(table(HEAD, [one.cells for one in found.networks]))
    found.write(out / "cuda.json")
    return 0


def _described(device: Device) -> str:
    card = device.card
    return (
        f"{card.name}, compute capability {card.capability[0]}.{card.capability[1]}, {card.multiprocessors} "
        f"multiprocessors, {card.clock / 1e9:.2f} GHz at most, {card.memory / 2**30:.0f} GiB, driver for CUDA "
        f"{card.driver[0]}.{card.driver[1]}; fastact {fastact.__version__}"
    )


def _verdicts(made: Sequence[cuda_checks.Verdict]) -> str:
    rows = [(v.kind, str(v.cases), f"{v.worst:.1e}", str(len(v.wrong)) if v.wrong else "") for v in made]
    wrong = [f"  {v.kind}: {reason}" for v in made for reason in v.wrong[:5]]
    return "\n".join([table(("operation, tile or network", "cases", "largest error", "wrong"), rows), *wrong])


def _tests() -> tuple[bool, str]:
    """Whether the simulator's tests pass on the device, and how that went in words."""
    absent = [name for name in ("pytest", "hypothesis") if importlib.util.find_spec(name) is None]
    if absent:
        return True, f"not run, since {' and '.join(absent)} are not installed"
    files = [str(path) for path in cuda_on_device.tests(_ROOT / "tests")]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "benchmarks.cuda_on_device", *files]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
    made = subprocess.run(command, capture_output=True, text=True, check=False, cwd=_ROOT, env=environment)
    lines = made.stdout.strip().splitlines() or made.stderr.strip().splitlines() or [""]
    if made.returncode:
        print("\n".join(lines[-40:]))
    return made.returncode == 0, lines[-1]


if __name__ == "__main__":
    run_command(main)
