from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # read when Numba is imported, which any test may do first
sys.path.insert(0, str(Path(__file__).parent))

# Examples are the same in every run, so that a delivery is not refused for what it did not change; `make fuzz` and
# `pytest --hypothesis-profile random` try others. How long one takes says nothing on a busy machine.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("random"), derandomize=True)
settings.load_profile("random" if "FASTACT_FUZZ" in os.environ else "same")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compiles the kernels where that has not been done, once and before any worker or clock of a test starts."""
    if not hasattr(session.config, "workerinput"):
        from fastact.kernels.cpu import library

        with contextlib.suppress(library.BuildError):  # which every test that needs kernels will tell
            library.load()


@pytest.fixture(scope="session")
def keras_named() -> Callable[[str], Any]:
    """Gives "keras" (Keras 3) or "tf_keras" (Keras 2), both on TensorFlow; the test is skipped where it is absent."""

    @functools.cache
    def import_keras(name: str) -> Any:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed; the golden files stand in for it")
        keras = importlib.import_module(name)
        gc.freeze()  # else each of Keras's clear_session() goes through all of TensorFlow's objects, for half a second
        return keras

    return import_keras


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20_240_501)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process, in an empty folder."""
    from cli_runs import Result

    from fastact.cli import _status

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["fastact", *map(str, arguments)])
        status = _status()
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call
