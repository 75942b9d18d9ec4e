"""Values moved, and nothing computed: bytes to floats, padding, cropping, joining."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Op, Pads, Shape, Strip, same_rows


@dataclass(frozen=True, eq=False)
class FromBytes(Op):
    """uint8 to float32, divided by `divisor` (255 for a picture scaled to 0..1, 1 for raw values)."""

    divisor: float

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs)


@dataclass(frozen=True, eq=False)
class Pad2D(Op):
    """(H, W, C) with rows and columns of zeros around it."""

    pads: Pads

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.pads
        return (height + top + bottom, width + left + right, channels)

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        top, _, left, right = self.pads
        start, stop = (min(max(row - top, 0), inputs[0][0]) for row in (first, last))
        above = min(max(top - first, 0), last - first)
        return Strip(Pad2D((above, last - first - above - (stop - start), left, right)), start, stop)


@dataclass(frozen=True, eq=False)
class Crop2D(Op):
    """(H, W, C) less rows above, below and columns left, right."""

    crops: Pads

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.crops
        return (height - top - bottom, width - left - right, channels)


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """Inputs one after the other along `axis`; their other axes are equal."""

    axis: int = -1

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = list(inputs[0])
        shape[self.axis] = sum(i[self.axis] for i in inputs)
        return tuple(shape)

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs) if self.axis % len(inputs[0]) else None


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same values in the same order under another shape; costs nothing."""

    target: Shape
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.target
