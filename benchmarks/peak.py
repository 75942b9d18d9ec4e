"""The most the cores can do, measured as `fastact bench` measures it, in GFLOP/s.

python -m benchmarks.peak
"""

from __future__ import annotations

from fastact.bench import peak
from fastact.kernels.cpu import library


class Peak:
    """Bursts of multiply-adds by `threads` cores together; on one, a burst takes about a fifth of a millisecond."""

    def __init__(self, threads: int = 1) -> None:
        self._peak = peak.Peak(library.load(), threads)

    def burst(self) -> float:
        """GFLOP/s of the better of two bursts in a row; the largest of many is the peak."""
        return self._peak.burst() / 1e9


if __name__ == "__main__":
    one = Peak()
    print(f"{max(one.burst() for _ in range(1000)):.1f} GFLOP/s")
