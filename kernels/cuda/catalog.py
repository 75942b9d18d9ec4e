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

from .. import ops
from .tiles import TILES, kernel_name

THREADS = 256
"""Threads of a block, where a thread makes one value."""

CHAINS, LINKS = 8, 16
"""Sums of a thread that do not wait for one another, and multiply-adds of each in a turn of the loop."""

COPIES = 8
"""Values that a thread copies, all on their way at once."""


@dataclass(frozen=True)
class Kernel:
    """A kernel in module `module` of :mod:`.code`: what it takes, and the threads of its blocks."""

    module: str
    parameters: str
    threads: int = THREADS


def _convolutions() -> dict[str, Kernel]:
    """A kernel for each tile, for inputs with and without zeros around them, in floats and in bytes."""
    made = {}
    for tile, padded, in_bytes in itertools.product(TILES, (False, True), (False, True)):
        parameters = f"{'B' if in_bytes else 'F'}IIFFFuuuuuuuffuuuuffll"
        made[kernel_name(tile, padded=padded, in_bytes=in_bytes)] = Kernel("convolution", parameters, tile.threads)
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
    "f32_copy": Kernel("moving", "FF" + 11 * "u" + "ll"),
    "f32_copy_5": Kernel("moving", "FF" + 17 * "u" + "ll"),
    "f32_pad": Kernel("moving", "FF" + 10 * "u" + "ll"),
    **{f"f32_{kind.name.lower()}": Kernel("pointwise", "FFuffll") for kind in ops.Unary},
    **{f"f32_{kind.name.lower()}": Kernel("pointwise", "FFF" + 12 * "u" + "lll") for kind in ops.Merge},
    **{f"f32_{kind.name.lower()}": Kernel("rowwise", "FF" + 5 * "u" + "ll") for kind in ops.Row},
    "f32_affine": Kernel("pointwise", "FFuuuFFFll"),
    "f32_gated_linear": Kernel("pointwise", "FFuull"),
    "f32_reduce_sum": Kernel("reduction", "FF" + 7 * "u" + "fll"),
    "f32_reduce_max": Kernel("reduction", "FF" + 7 * "u" + "ll"),
    "f32_reduce_min": Kernel("reduction", "FF" + 7 * "u" + "ll"),
    **{f"f32_standardize_{kind.name.lower()}": Kernel("reduction", "FF" + 7 * "u" + "ffll") for kind in ops.Scaling},
    "f32_contract": Kernel("reduction", "FFF" + 7 * "u" + "lll"),
    **{f"f32_{kind.name.lower()}_pool": Kernel("pooling", "FF" + 17 * "u" + "ll") for kind in ops.PoolKind},
    **{f"f32_{kind.name.lower()}_pool_gradient": Kernel("pooling", "FFF" + 17 * "u" + "lll") for kind in ops.PoolKind},
    "f32_resample": Kernel("resampling", "FFuuuuuIFll"),
}


def function(name: str) -> Callable[..., Any]:
    """The Python function of a kernel, which its module has by this name or, made by a function, in KERNELS; loads
    Numba."""
    module = importlib.import_module(f"{__package__}.code.{KERNELS[name].module}")
    made: dict[str, Callable[..., Any]] = getattr(module, "KERNELS", {})
    found: Callable[..., Any] = made[name] if name in made else getattr(module, name)
    return found
