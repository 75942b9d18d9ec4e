"""What every operation is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..records import dataclass

if TYPE_CHECKING:
    from fractions import Fraction

Shape: TypeAlias = tuple[int, ...]


Floats: TypeAlias = npt.NDArray[np.float32]


Pads: TypeAlias = tuple[int, int, int, int]
"""Rows above, rows below, columns left, columns right."""


NO_PADS: Pads = (0, 0, 0, 0)


Sides: TypeAlias = tuple[tuple[int, int], ...]
"""Cells before and after, for each of an array's first axes."""


INF = math.inf


def span(length: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Positions a window of `kernel` cells, `dilation` apart, takes over `length` cells in steps of `stride`.

    floor((length - ((kernel - 1) * dilation + 1)) / stride) + 1, with `length` already padded; never below 0.
    """
    return max(0, (length - (kernel - 1) * dilation - 1) // stride + 1)


@dataclass(frozen=True)
class Window:
    """What one value of an output sees of the input along rows and columns.

    `strides` are how far the windows of neighbouring values lie apart: a fraction where the output is the larger one.
    """

    size: tuple[int, int]
    strides: tuple[int | Fraction, int | Fraction]

    @staticmethod
    def of(size: Sequence[int], strides: Sequence[int | Fraction]) -> Window:
        """The last two of one to three axes: planes are not followed, and steps in time are a row."""
        (height, width), (down, across) = (1, *size)[-2:], (1, *strides)[-2:]
        return Window((height, width), (down, across))


def share(cells: int, values: int) -> Fraction:
    """How far apart values lie in the input, as many as `values` along as many as `cells` of its cells."""
    from fractions import Fraction  # which brings decimal: only networks that make a map larger need it

    return Fraction(cells, values)


@dataclass(frozen=True)
class Strip:
    """An operation on a strip: rows first..last-1 of each input go in."""

    op: Op
    first: int
    last: int


class Op:
    """One operation: `shape(*inputs)` is the output's shape for the inputs' shapes."""

    window: Window | None = Window((1, 1), (1, 1))
    """What one output value sees of the input; None if all of it."""

    def shape(self, *inputs: Shape) -> Shape:
        """The output's shape; the first input's unless a subclass says otherwise."""
        return inputs[0]

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:
        """What gives the output's rows first..last-1 alone, for inputs of these shapes; None if that cannot be said."""
        return None

    def multiply_adds(self, *inputs: Shape) -> int:
        """Multiplications each followed by an addition: convolutions and dense layers alone are counted."""
        return 0


def same_rows(op: Op, first: int, last: int, *inputs: Shape) -> Strip | None:
    """The strip of an operation whose output rows need the same rows of its inputs, all as many, and no others."""
    return Strip(op, first, last) if len({shape[0] for shape in inputs}) == 1 else None


def window_rows(
    first: int, last: int, height: int, reach: int, stride: int, pads: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """What windows of `reach` rows see for output rows first..last-1: first and last (exclusive) row of the input, and
    the padding above and below them; None where they see padding alone."""
    start, stop = first * stride - pads[0], (last - 1) * stride + reach - pads[0]
    inside = max(start, 0), min(stop, height)
    return (*inside, max(-start, 0), max(stop - height, 0)) if inside[0] < inside[1] else None


def axis_split(shape: Shape, axis: int) -> tuple[int, int, int]:
    """A shape seen as (outer, length of `axis`, inner): how row-major memory lies around one axis."""
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
