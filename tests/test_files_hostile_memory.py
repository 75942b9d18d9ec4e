"""Files that take memory without bounds where a reader is careless, opened in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hdf5_attacks import ATTACKS, assert_little_memory, changed_reference, one_string_many_times, refused
from hostile import write_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.h5")


def test_memory_stays_bounded(tmp_path: Path) -> None:
    assert_little_memory(ATTACKS, write_model(tmp_path / "honest.h5"))


@pytest.mark.parametrize("length", [0, 1, 3, 2**31, 2**32 - 1])
def test_lengths_that_are_not_those_of_the_strings(tmp_path: Path, length: int) -> None:
    refused(
        changed_reference(tmp_path / "a.h5", length), "a string of the attribute layer_names is not where it should be"
    )


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Read without this module's care, the repeated string takes as much memory as it claims."""
    path = one_string_many_times(tmp_path / "a.h5")
    program = (
        "import h5py, resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        f"h5py.File({str(path)!r})['model_weights'].attrs['layer_names']"
    )
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each would reserve memory of its own
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False, env=one_thread
    )
    assert "MemoryError" in done.stderr or "allocat" in done.stderr, done
