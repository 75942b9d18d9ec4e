"""Kernels built in processes of their own, and the folders of a machine where kernels lie."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from fastact.kernels.cpu import library, search
from fastact.kernels.cpu.levels import LEVELS

LEVEL = search.best_level()
REGISTERS = LEVELS[LEVEL].registers

find_library: Callable[..., library.Library] = library.load.__wrapped__
"""`library.load` without its memory of what it found before."""

CHILD = """
import hashlib, json, shutil, sys
from pathlib import Path
from fastact.kernels.cpu import library, search
search.SHIPPED, copy = Path("/nonexistent"), sys.argv[1]
import numpy as np
from PIL import Image
from fastact import samples
from fastact.extractor import Extractor
maps = Extractor(samples.pilot(), "all")(np.asarray(Image.open(samples.frame("160x120"))))
used = library.load()
if copy:
    shutil.copy(used.path, copy)
print(json.dumps({
    "path": str(used.path),
    "maps": hashlib.sha256(b"".join(m.tobytes() for m in maps.values())).hexdigest(),
    "modules": [m for m in ("numba", "llvmlite") if m in sys.modules],
}))
"""
"""Finds or builds kernels with none shipped, computes the sample frame's maps and says what it used."""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def child(cache: Path | str, copy: Path | str = "", **environment: str) -> subprocess.Popen[str]:
    # The linker's own cache stays where it is: to fill a new one takes it half a minute.
    zig = os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(platformdirs.user_cache_path("zig")))
    env = os.environ | {"XDG_CACHE_HOME": str(cache), "ZIG_GLOBAL_CACHE_DIR": zig} | environment
    command = [sys.executable, "-c", CHILD, str(copy)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> tuple[dict, str]:
    """What a child said on stdout and on stderr."""
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, err
    return json.loads(out), err


@dataclass
class Race:
    """Two processes that needed kernels at once from an empty cache."""

    folder: Path
    reports: list[dict]
    talk: list[str]


@dataclass
class Homeless:
    """A process that found no folder to keep its kernels in."""

    object_file: Path
    report: dict
    talk: str


@dataclass
class Place:
    """Folders of a machine: what was shipped, and the user's cache."""

    shipped: Path
    cache: Path
    good: Path
    built: list[list[str]] = field(default_factory=list)

    def put(self, where: Path, content: bytes | None = None, **parts: str) -> Path:
        """Writes kernels, or `content` under a name that fits it, into a folder."""
        body = self.good.read_bytes() if content is None else content
        hashes = {"source": search.source_hash(), "compiler": search.compiler_hash()}
        hashes["digest"] = hashlib.sha256(body).hexdigest()[:16]
        path = where / f"{LEVEL}-{REGISTERS}-{'-'.join((hashes | parts).values())}{self.good.suffix}"
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(body)
        path.chmod(0o600)
        return path

    def refusals(self) -> dict[Path, str | None]:
        return {c.path: c.refusal for c in search.candidates(LEVEL, REGISTERS)}
