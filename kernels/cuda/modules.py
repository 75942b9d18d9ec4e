"""Kernels on a device: PTX from an archive, compiled by the driver when a kernel is first needed.

The driver keeps what it compiled in a cache of its own (~/.nv/ComputeCache), so that it compiles a kernel once on a
machine.
"""

from __future__ import annotations

import contextlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .driver import Driver, show
from .errors import UNSUPPORTED_PTX, CallError, CudaError, UnavailableError

_SHARED, _LOCAL, _REGISTERS = 1, 3, 4


@dataclass(frozen=True)
class Resources:
    """What the driver gave a kernel: registers and bytes of local memory a thread, bytes of shared memory a block."""

    registers: int
    local: int
    shared: int


class Modules:
    """The kernels of an archive, a module each. A module lives as long as its context."""

    def __init__(self, driver: Driver, archive: Path) -> None:
        self._driver, self._archive = driver, archive
        self._functions: dict[str, int] = {}

    def function(self, name: str) -> int:
        """The handle of a kernel; the device's context is current."""
        if name not in self._functions:
            self._functions[name] = self._load(name)
        return self._functions[name]

    def resources(self, name: str) -> Resources:
        """What a kernel takes; the device's context is current."""
        function = self.function(name)
        registers, local, shared = (self._driver.function_attribute(a, function) for a in (_REGISTERS, _LOCAL, _SHARED))
        return Resources(registers, local, shared)

    def _load(self, name: str) -> int:
        try:
            with zipfile.ZipFile(self._archive) as archive:
                ptx = archive.read(f"{name}.ptx")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise CudaError(f"{self._archive} has no kernel {name} that can be read: {error}") from error
        try:
            module = self._driver.load(ptx)
        except CallError as error:
            if error.code != UNSUPPORTED_PTX:
                raise
            raise UnavailableError(
                f"the NVIDIA driver, for CUDA {show(self._driver.version)}, is too old for this GPU's code: update it, "
                "or compute on the CPU"
            ) from error
        try:
            return self._driver.function(module, name)
        except CudaError:
            with contextlib.suppress(CudaError):
                self._driver.unload(module)
            raise
