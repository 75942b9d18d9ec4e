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


@dataclass(frozen=True)
class Count:
    """`each` for every frame of the batch, so that a uint32 of each * frames is passed."""

    each: int


Argument: TypeAlias = "Place | Stride | Count | int | float | np.int32 | npt.NDArray[Any]"
"""A pointer into a region, a stride, a uint32 for all frames; a uint32, a float32, an int32; a pointer to what an array
holds, which may be written to where no other launch has the array but those of the same operation.

An int is a uint64 where the kernel has one: 0 as the frame stride of an array, which all frames share.
"""


@dataclass(frozen=True)
class Launch:
    """A kernel on a grid of blocks; the catalog knows the threads of a block.

    Attributes:
        blocks: along the grid's first and second axis; the third counts frames.
        together: 0, or, where a block takes values of any frames, how many it takes: `blocks` then has a frame's
            values in place of the blocks along the first axis, and the third axis has length 1.
    """

    kernel: str
    blocks: tuple[int, int]
    arguments: tuple[Argument, ...]
    together: int = 0

    def grid(self, frames: int) -> tuple[int, int, int]:
        """Blocks along each axis for a batch."""
        first, second = self.blocks
        return (-(-first * frames // self.together), second, 1) if self.together else (first, second, frames)
