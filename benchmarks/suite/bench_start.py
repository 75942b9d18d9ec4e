"""Start-up: processor time of `import fastact` and of whole processes, their children's included: `make bench`."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact
from fastact import samples

EXTRACT = """
import sys, numpy, fastact
from PIL import Image
maps = fastact.Extractor(sys.argv[1])(numpy.asarray(Image.open(sys.argv[2])))
numpy.savez(sys.argv[3], **maps)
"""


def processor_seconds() -> float:
    """What all children that have ended have used, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(*command: str) -> None:
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.benchmark(group="start", timer=processor_seconds)
@pytest.mark.parametrize("code", ["pass", "import numpy", "import fastact", "import fastact.cli"])
def bench_import(benchmark: Any, code: str) -> None:
    benchmark.pedantic(run, ("-c", code), rounds=10, warmup_rounds=1)


@pytest.mark.benchmark(group="start", timer=processor_seconds)
def bench_whole_process(benchmark: Any, tmp_path: Path) -> None:
    picture, out = samples.frame("160x120"), tmp_path / "maps.npz"
    extract = fastact.Extractor(samples.pilot())
    command = ("-c", EXTRACT, str(samples.pilot()), str(picture), str(out))
    run(*command)
    from PIL import Image

    expected = extract(np.asarray(Image.open(picture)))
    with np.load(out) as saved:
        assert all(np.array_equal(saved[name], expected[name]) for name in expected)
    benchmark.pedantic(run, command, rounds=10)
