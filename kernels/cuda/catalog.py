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

from .. import ops

THREADS = 256
"""Threads of a block, where a thread makes one value."""


@dataclass(frozen=True)
class Kernel:
    """A kernel in module `module` of :mod:`.code`: what it takes, and the threads of its blocks."""

    module: str
    parameters: str
    threads: int = THREADS


KERNELS: dict[str, Kernel] = {
    "u8_f32_scale": Kernel("moving", "BFufll"),
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
