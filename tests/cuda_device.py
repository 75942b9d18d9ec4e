"""A GPU for tests: the driver's functions over memory of the host, and kernels in Numba's simulator."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from fake_driver import FakeDriver, Gpu

from fastact.kernels.cuda import catalog
from fastact.kernels.cuda.device import Device, cards
from fastact.kernels.cuda.driver import Driver


def archive(folder: Path) -> Path:
    """PTX of all kernels, as far as the driver for tests looks at it."""
    path = folder / "ptx.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in catalog.KERNELS:
            made.writestr(f"{name}.ptx", f".visible .entry {name}(")
    return path


def fake_device(
    folder: Path, gpu: Gpu | None = None, kernels: dict[str, Callable[..., object]] | None = None
) -> tuple[FakeDriver, Device]:
    """A driver with a GPU, and that GPU; its kernels are the simulator's where no others are given."""
    fake = FakeDriver(gpu or Gpu(), kernels=kernels)
    driver = Driver(fake).start()
    return fake, Device(driver, cards(driver)[0], archive(folder))
