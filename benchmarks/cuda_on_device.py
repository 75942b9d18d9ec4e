"""Runs the simulator's tests on the GPU that is there: a plug-in for pytest.

    python -m pytest -p benchmarks.cuda_on_device tests/test_cuda_convolution.py ...

It stands in for the tests' `cuda_simulation`: what they run in the simulator is launched on the device instead, with
outputs and all memory around them poisoned, and held against the same bounds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.cuda_checks import computed
from fastact.kernels import ops
from fastact.kernels.cuda.boards import Board
from fastact.kernels.cuda.device import open_device

_ASKED = "from cuda_simulation import run\n"


def tests(folder: Path) -> list[Path]:
    """The files of tests that need nothing of the simulator but to run operations."""
    return [path for path in sorted(folder.glob("test_cuda_*.py")) if _ASKED in path.read_text()]


def run(op: ops.Op, *inputs: np.ndarray[Any, Any], board: Board | None = None) -> np.ndarray[Any, Any]:
    """What the GPU makes of a batch: inputs and result have an axis of frames in front."""
    made, _ = computed(open_device(), op, inputs, board)
    return made


def pytest_configure() -> None:
    """Before tests are collected."""
    standing_in = ModuleType("cuda_simulation")
    standing_in.run = run  # type: ignore[attr-defined]
    sys.modules["cuda_simulation"] = standing_in
