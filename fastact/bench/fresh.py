"""A process that does what a user's first frame does, and says how much memory it took.

    python -m fastact.bench.fresh MODEL CONFIG ROWS COLUMNS THREADS DEVICE IMAGE LAYER...

An empty CONFIG is none; ROWS and COLUMNS of 0 are the model's own.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fastact.graph import Model

_PATIENCE = 300.0
"""Seconds after which such a process is given up."""


def peak_bytes(
    model: Model, size: tuple[int, int] | None, threads: int, device: str, image: Path, layers: Sequence[str]
) -> int | None:
    """The most memory such a process held, in bytes; None where it failed."""
    rows, columns = size or (0, 0)
    arguments = [
        model.source,
        model.config_source or "",
        str(rows),
        str(columns),
        str(threads),
        device,
        str(image),
        *layers,
    ]
    command = [sys.executable, "-m", "fastact.bench.fresh", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    answer = done.stdout.strip()
    return int(answer) if done.returncode == 0 and answer.isdecimal() else None


def _most_held() -> int:
    """Bytes this process held at most.

    By Linux's VmHWM, which begins anew with the program: ru_maxrss goes on from what the process held before it
    became this program, which is what its large parent held.
    """
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return 1024 * int(found[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _main() -> None:
    from fastact.bench.runner import inputs_of
    from fastact.extractor import Extractor
    from fastact.graph import load

    path, config, rows, columns, threads, device, image, *layers = sys.argv[1:]
    model = load(path, config=config or None)
    if rows != "0":
        model = model.at_size((int(rows), int(columns)))
    inputs = inputs_of(model, Path(image))
    Extractor(model, layers, threads=int(threads), device=device)(inputs)
    print(_most_held())


if __name__ == "__main__":
    _main()
