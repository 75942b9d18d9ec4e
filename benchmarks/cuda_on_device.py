"""Runs the simulator's tests on the GPU that is there: a plug-in for pytest.

    python -m pytest -p benchmarks.cuda_on_device tests/test_cuda_convolution.py ...

It stands in for the tests' `cuda_simulation`: what they run in the simulator is launched on the device instead, with
outputs and all memory around them poisoned, and held against the same bounds.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cuda_checks import computed
from benchmarks.cuda_lowered import exact as right
from fastact.kernels import ops
from fastact.kernels.cuda.boards import Board
from fastact.kernels.cuda.device import open_device

Floats = npt.NDArray[Any]

_ASKED = re.compile(r"^from cuda_simulation import (.*)$", re.MULTILINE)


def tests(folder: Path) -> list[Path]:
    """The files of tests that need of the simulator only what is here."""
    found = []
    for path in sorted(folder.glob("test_cuda_*.py")):
        asked = _ASKED.search(path.read_text())
        if asked and set(asked[1].split(", ")) <= {function.__name__ for function in _GIVEN}:
            found.append(path)
    return found


def run(op: ops.Op, *inputs: Floats, board: Board | None = None) -> Floats:
    """What the GPU makes of a batch: inputs and result have an axis of frames in front."""
    made, _ = computed(open_device(), op, inputs, board)
    return made


def batch(*inputs: Floats) -> list[Floats]:
    """Each input as a batch of two frames, the second one's values in the other order."""
    return [np.stack([x, np.flip(x)]) for x in inputs]


def exact(op: ops.Op, *inputs: Floats, dtype: type[np.floating[Any]] = np.float64) -> Floats:
    """What a batch's frames have to give."""
    return np.stack([right(op, *frame) for frame in zip(*(x.astype(dtype) for x in inputs), strict=True)])


_GIVEN = (run, batch, exact)


def pytest_configure() -> None:
    """Before tests are collected."""
    standing_in = ModuleType("cuda_simulation")
    for function in _GIVEN:
        setattr(standing_in, function.__name__, function)
    sys.modules["cuda_simulation"] = standing_in
