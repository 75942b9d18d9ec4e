"""Every kernel, a row each: its name, its parameters and the threads of a block.

Parameters are letters: F, B and I for pointers to float32, uint8 and int32; u, i and f for a uint32, int32 and float32;
l for a uint64, which frame strides are. A name's function lies in a module of :mod:`.code` and is looked up by what
compiles it (:func:`function`), so that a process that launches kernels loads no Numba.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .tiles import TILES, kernel_name

THREADS = 256
"""Threads of a block, where a thread makes one value."""


@dataclass(frozen=True)
class Kernel:
    """A kernel in module `module` of :mod:`.code`: what it takes, and the threads of its blocks.

    Attributes:
        made_by: where several kernels are made by one function: that function, and what it is given.
    """

    module: str
    parameters: str
    threads: int = THREADS
    made_by: tuple[str, tuple[Any, ...]] | None = None


def _convolutions() -> dict[str, Kernel]:
    """A kernel for each tile, for inputs with and without zeros around them, in floats and in bytes."""
    made = {}
    for tile, padded, in_bytes in itertools.product(TILES, (False, True), (False, True)):
        parameters = f"{'B' if in_bytes else 'F'}IIFFFuuuuuuuffuuuuffll"
        given = ("tiled", (tile, padded, in_bytes))
        made[kernel_name(tile, padded=padded, in_bytes=in_bytes)] = Kernel(
            "convolution", parameters, tile.threads, given
        )
    return made


KERNELS: dict[str, Kernel] = {
    "u8_f32_scale": Kernel("moving", "BFufll"),
    **_convolutions(),
    "depthwise": Kernel("depthwise", "FIIFFFuuuuffuuuull"),
    "depthwise_padded": Kernel("depthwise", "FIIFFFuuuuffuuuull"),
    "dense_parts": Kernel("dense", "FFFuuuul"),
    "dense_sum": Kernel("dense", "FFFuuuffl"),
    "ceiling_multiply_adds": Kernel("ceilings", "Fuf"),
    "ceiling_copy": Kernel("ceilings", "FFu"),
}


def function(name: str) -> Callable[..., Any]:
    """The Python function of a kernel; loads Numba."""
    kernel = KERNELS[name]
    module = importlib.import_module(f"{__package__}.code.{kernel.module}")
    maker, given = kernel.made_by or (name, None)
    found: Callable[..., Any] = getattr(module, maker)
    return found if given is None else found(*given)
