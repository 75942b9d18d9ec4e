"""Maps computed by teams of threads, here and in processes of their own.

Its fixtures are for the modules that name them as their own.
"""

from __future__ import annotations

import faulthandler
import gc
import hashlib
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from python_threads import PATIENCE

from fastact import samples
from fastact.extractor import Extractor


def frame(rows: int = 120, columns: int = 160) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (rows, columns, 3), np.uint8)


def digest(maps) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(maps[name]).tobytes() for name in maps)).hexdigest()


@pytest.fixture(scope="module")
def expected() -> str:
    """The digest of the sample pilot's maps as one thread computes them."""
    return digest(Extractor(samples.pilot(), "*")(frame()))


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Ends the tests with every thread's stack where one takes longer than `PATIENCE`."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


PRELUDE = """
import faulthandler, gc, hashlib, os, signal, sys, threading, time
faulthandler.dump_traceback_later(240, exit=True)
import numpy as np
from fastact import samples
from fastact.extractor import Extractor

picture = np.random.default_rng(7).integers(0, 256, (120, 160, 3), np.uint8)

def digest(maps):
    return hashlib.sha256(b"".join(np.ascontiguousarray(maps[name]).tobytes() for name in maps)).hexdigest()

def extractor(threads):
    return Extractor(samples.pilot(), "*", threads=threads)
"""


def child(code: str, *arguments: str) -> str:
    """What a process of its own prints; it must end well, and say nothing on stderr."""
    command = [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def settled(before: set[threading.Thread]) -> bool:
    """Whether every thread ends that was not there before."""
    end = time.monotonic() + PATIENCE / 2
    while True:
        gc.collect()
        if set(threading.enumerate()) <= before:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
