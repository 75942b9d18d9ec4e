"""Builds the kernels of every level into the folder a wheel takes them from.

    python -m fastact.kernels.cpu.ship [FOLDER]

Needs Numba, and ziglang to link for other machines than this one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .build import link, portable_linker
from .levels import LEVELS
from .search import SHIPPED, file_name


def main(folder: str = str(SHIPPED)) -> None:
    """Writes a library for every level into `folder`, in place of what was there."""
    target = Path(folder)
    target.mkdir(exist_ok=True)
    for old in target.glob("*.so"):
        old.unlink()
    with tempfile.TemporaryDirectory() as place:
        for name, level in LEVELS.items():
            made, compiled = Path(place) / f"{name}.so", Path(place) / f"{name}.lo"
            command = [sys.executable, "-m", f"{__package__}.build", name, level.registers, str(compiled)]
            subprocess.run(command, check=True)
            link(portable_linker(level), compiled, made)
            final = target / file_name(name, level.registers, made)
            final.write_bytes(made.read_bytes())
            print(f"{final.name}: {final.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
