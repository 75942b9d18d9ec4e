"""What computes the maps: one engine for each kind of device, behind one interface, chosen here and nowhere else.

A device's modules are imported when it is asked for.
"""

from __future__ import annotations

from fastact.engines.base import Array, Engine, Prepared, Profile, Task
from fastact.errors import InputError

__all__ = ["DEVICES", "Array", "Engine", "Prepared", "Profile", "Task", "engine"]

DEVICES = ("cpu", "cuda", "auto")
"""What can be asked for; "auto" is a GPU where one can be used, else the CPU."""


def engine(device: str, threads: int = 1) -> Engine:
    """The engine for a device; `threads` compute a frame together where that is the CPU.

    Raises:
        InputError: there is no such device.
        KernelError: it cannot be used, or has no kernels.
    """
    if device == "cpu":
        from fastact.engines.cpu import CpuEngine

        return CpuEngine(threads)
    if device == "cuda":
        from fastact.engines.cuda import CudaEngine

        return CudaEngine()
    if device == "auto":
        from fastact.engines.auto import auto_engine

        return auto_engine(threads)
    raise InputError(f"unknown device {device!r}: choose {', '.join(DEVICES)}")
