"""A launch: one kernel over a grid of blocks, with its arguments.

All frames of a batch run in the same launches: the third axis of every grid counts frames. What a frame has lies in
regions, as :class:`~fastact.kernels.places.Place` says; a region's next frame is a whole region further on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..places import Place


@dataclass(frozen=True)
class Stride:
    """From a frame's values to the next frame's, in a region, counted in items of `item` bytes (a uint64)."""

    region: int
    item: int = 4


Argument: TypeAlias = "Place | Stride | int | float | np.int32 | npt.NDArray[Any]"
"""A pointer into a region, a stride, a uint32, a float32, an int32, or a pointer to what an array holds.

An int is a uint64 where the kernel has one: 0 as the frame stride of an array, which all frames share.
"""


@dataclass(frozen=True)
class Launch:
    """Kernel `kernel` on a grid of blocks[0] x blocks[1] x frames blocks; the catalog knows the threads of a block."""

    kernel: str
    blocks: tuple[int, int]
    arguments: tuple[Argument, ...]
