from __future__ import annotations

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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # read when Numba is imported, which any test may do first
sys.path.insert(0, str(Path(__file__).parent))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
