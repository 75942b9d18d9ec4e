"""Values between values: maps in another size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..records import dataclass
from .base import Floats, Op, Shape, Window, share


@dataclass(frozen=True, eq=False)
class Resample(Op):
    """Weighted sums of cells along one axis: cell i of the output is the sum of weights[i] times the cells[i] there.

    `cells` (output cells, taps) are numbers of the input's `length` cells along `axis`, `weights` of the same shape.
    """

    axis: int
    length: int
    cells: npt.NDArray[np.int64]
    weights: Floats

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = list(inputs[0])
        shape[self.axis] = len(self.cells)
        return tuple(shape)

    @property
    def window(self) -> Window:  # type: ignore[override]  # noqa: D102
        sizes, strides = [1, 1], [share(1, 1)] * 2
        if self.axis in (0, 1):
            sizes[self.axis] = self.cells.shape[1]
            strides[self.axis] = share(self.length, len(self.cells))
        return Window.of(sizes, strides)
