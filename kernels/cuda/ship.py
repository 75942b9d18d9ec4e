"""Makes the PTX for every target in the folder a wheel takes it from.

    python -m fastact.kernels.cuda.ship [FOLDER]

Needs numba-cuda, and no GPU.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .build import TARGETS
from .search import SHIPPED, command, environment, file_name


def main(folder: str = str(SHIPPED)) -> None:
    """Writes an archive for every target into `folder`, in place of what was there."""
    shelf = Path(folder)
    shelf.mkdir(exist_ok=True)
    for old in shelf.glob("*.zip"):
        old.unlink()
    with tempfile.TemporaryDirectory() as place:
        for target in TARGETS:
            made = Path(place) / "kernels.zip"
            subprocess.run(command(target, made), env=environment(), check=True)
            final = shelf / file_name(target, made)
            final.write_bytes(made.read_bytes())
            print(f"{final.name}: {final.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
