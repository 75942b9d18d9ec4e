"""Values along some axes summed up, or scaled by what they sum up to."""

from __future__ import annotations

import enum
import math

from ..records import dataclass
from .base import Op, Shape, Strip, Window, same_rows


class Total(enum.IntEnum):
    """What becomes of the values along the reduced axes."""

    SUM = 0
    MEAN = 1
    MAX = 2
    MIN = 3


@dataclass(frozen=True, eq=False)
class Reduce(Op):
    """One of :class:`Total` over `axes`, which the output does not have."""

    total: Total
    axes: tuple[int, ...]
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        gone = {a % len(inputs[0]) for a in self.axes}
        return tuple(n for a, n in enumerate(inputs[0]) if a not in gone)


class Scaling(enum.IntEnum):
    """How values are brought to one scale along the reduced axes."""

    MOMENTS = 0  # (x - mean) / sqrt(variance + epsilon)
    VARIANCE = 1  # x / sqrt(variance + epsilon)
    MEAN_SQUARE = 2  # x / sqrt(mean of x^2 + epsilon)
    NORM = 3  # x / sqrt(max(sum of x^2, epsilon))


@dataclass(frozen=True, eq=False)
class Standardize(Op):
    """One of :class:`Scaling` over `axes`."""

    scaling: Scaling
    axes: tuple[int, ...]
    epsilon: float

    @property
    def window(self) -> Window | None:  # type: ignore[override]  # noqa: D102
        return Window((1, 1), (1, 1)) if self.axes == (-1,) else None

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        rows_apart = all(a % len(inputs[0]) for a in self.axes)
        return same_rows(self, first, last, *inputs) if rows_apart else None


@dataclass(frozen=True, eq=False)
class Contract(Op):
    """Sums of products over one axis of each of two inputs: first the first's other axes, then the second's.

    Of two vectors that is one value, (1,).
    """

    axis: int
    axis2: int
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        first, second = (list(s) for s in inputs)
        del first[self.axis], second[self.axis2]
        return (*first, *second) or (1,)

    def multiply_adds(self, *inputs: Shape) -> int:  # noqa: D102
        return math.prod(self.shape(*inputs)) * inputs[0][self.axis]


def kept_and_reduced(shape: Shape, axes: tuple[int, ...]) -> tuple[int, int, int, int, int]:
    """A shape as (kept, reduced, kept, reduced, kept) lengths, neighbouring axes of one kind taken together.

    Enough for up to four axes; ValueError for axes that alternate more often.
    """
    gone = {a % len(shape) for a in axes}
    lengths = [1] * 5
    at = 0
    for a, n in enumerate(shape):
        if n != 1:
            at += (a in gone) != (at % 2 == 1)
            if at > 4:
                raise ValueError(f"axes {axes} of {shape} alternate too often")
            lengths[at] *= n
    return lengths[0], lengths[1], lengths[2], lengths[3], lengths[4]
