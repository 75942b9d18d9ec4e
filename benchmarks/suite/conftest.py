"""What the suite shares: the tests' table of cases and their oracles."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from benchmarks.peak import Peak


@pytest.fixture(scope="session")
def peak() -> float:
    """GFLOP/s of one core, the largest of many bursts."""
    burst = Peak().burst
    return max(burst() for _ in range(200))
