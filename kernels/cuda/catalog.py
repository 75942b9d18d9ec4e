"""Every kernel, a row each: its name, its parameters and the threads of a block.

Parameters are letters: F, B and I for pointers to float32, uint8 and int32; u, i and f for a uint32, int32 and float32;
l for a uint64, which frame strides are. A name's function lies in a module of :mod:`.code` and is looked up by what
compiles it (:func:`function`), so that a process that launches kernels loads no Numba.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .tiles import TILES, Tile, kernel_name

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


def _convolution(tile: Tile, *, padded: bool) -> Kernel:
    return Kernel("convolution", "FIIFFFuuuuuuuffuuuull", tile.threads, ("tiled", (tile, padded)))


KERNELS: dict[str, Kernel] = {
    "u8_f32_scale": Kernel("moving", "BFufll"),
    **{
        kernel_name(tile, padded=padded): _convolution(tile, padded=padded)
        for tile in TILES
        for padded in (False, True)
    },
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
