"""Values moved, and nothing computed: bytes to floats, padding, cropping, joining."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Op, Pads, Shape, Window


@dataclass(frozen=True, eq=False)
class FromBytes(Op):
    """uint8 to float32, divided by `divisor` (255 for a picture scaled to 0..1, 1 for raw values)."""

    divisor: float


@dataclass(frozen=True, eq=False)
class Pad2D(Op):
    """(H, W, C) with rows and columns of zeros around it."""

    pads: Pads

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (height, width, channels), (top, bottom, left, right) = inputs[0], self.pads
        return (height + top + bottom, width + left + right, channels)


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


@dataclass(frozen=True, eq=False)
class Slice(Op):
    """`count` values along `axis`, the first at `start`, each `step` cells from the one before: backwards below 0."""

    axis: int
    start: int
    count: int
    step: int = 1

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape = list(inputs[0])
        shape[self.axis] = self.count
        return tuple(shape)

    @property
    def window(self) -> Window | None:  # type: ignore[override]
        """One cell; how far apart cells lie where some are left out is not followed."""
        return Op.window if abs(self.step) == 1 else None


@dataclass(frozen=True, eq=False)
class Transpose(Op):
    """Axis number a of the output is axis `axes[a]` of the input, as numpy.transpose has it; five axes at most."""

    axes: tuple[int, ...]

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return tuple(inputs[0][a] for a in self.axes)

    @property
    def window(self) -> Window | None:  # type: ignore[override]
        """One cell where channels alone go to the front or to the back; other orders are not followed."""
        places = tuple(range(len(self.axes)))
        kept = (places, (*places[1:], 0), (places[-1], *places[:-1]))
        return Op.window if self.axes in kept else None


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """The same values in the same order under another shape; costs nothing."""

    target: Shape
    window = None

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return self.target
