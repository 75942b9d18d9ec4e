"""The instruction sets kernels are compiled for, and which of them this machine has."""

from __future__ import annotations

import importlib
import platform

from ..records import dataclass


@dataclass(frozen=True)
class Level:
    """One target: the tile table it uses, what LLVM calls it, and the NumPy feature names a CPU must have."""

    registers: str
    machine: str
    llvm_cpu: str
    llvm_features: str
    needs: tuple[str, ...]

    @property
    def triple(self) -> str:
        """LLVM's name for the machine and system."""
        return f"{self.machine}-unknown-linux-gnu"


LEVELS = {
    "x86-64-v4": Level("avx512", "x86_64", "x86-64-v4", "", ("AVX2", "FMA3", "AVX512_SKX")),
    "x86-64-v3": Level("avx2", "x86_64", "x86-64-v3", "", ("AVX2", "FMA3")),
    "aarch64": Level("neon", "aarch64", "cortex-a57", "", ("ASIMD",)),
}
"""Best first."""


def machine() -> str:
    """This machine's architecture under the name the levels have for it."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def supported() -> list[str]:
    """The levels this CPU runs, best first; empty if none."""
    own, features = machine(), _features()
    return [n for n, v in LEVELS.items() if v.machine == own and all(features.get(f) for f in v.needs)]


def _features() -> dict[str, bool]:
    """What NumPy found when it chose its own kernels: it asks the CPU and the operating system."""
    for module in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        try:
            return dict(importlib.import_module(module).__cpu_features__)
        except ImportError:
            continue
    return {}
