"""Runs of the command line: what they give, and the sample files they are given."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py

from fastact import samples

PILOT = str(samples.pilot())
SMALL, LARGE = str(samples.frame("160x120")), str(samples.frame("640x360"))
CONVOLUTIONS = [f"Conv2D_{n}_layer" for n in ("First", "Second", "Third", "Fourth", "Fifth")]


@dataclass
class Result:
    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of an error, after which nothing is said."""
        assert self.status == 2, self
        assert "Traceback" not in self.err
        line = self.err.splitlines()[-1]
        assert line.startswith(("fastact: ", "Error: ")), self.err
        return line


def changed_pilot(path: Path, change) -> Path:
    """A copy of the sample pilot with `change(file)` done to it."""
    shutil.copy(PILOT, path)
    path.chmod(0o644)
    with h5py.File(path, "r+") as file:
        change(file)
    return path
