"""Values moved, and nothing computed: bytes to floats, padding, cropping, joining."""

from __future__ import annotations

from ..records import dataclass
from .base import Floats, Op, Shape, Sides, Strip, Window, same_rows, share


@dataclass(frozen=True, eq=False)
class FromBytes(Op):
    """uint8 to float32, divided by `divisor` (255 for a picture scaled to 0..1, 1 for raw values)."""

    divisor: float

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        return same_rows(self, first, last, *inputs)


@dataclass(frozen=True, eq=False)
class Pad(Op):
    """The input in a frame of zeros; from the first axis with any to the last there are three at most."""

    sides: Sides

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape, framed = inputs[0], len(self.sides)
        return (*(n + sum(side) for n, side in zip(shape, self.sides, strict=False)), *shape[framed:])

    def strip(self, first: int, last: int, *inputs: Shape) -> Strip | None:  # noqa: D102
        (top, _), *others = self.sides
        start, stop = (min(max(row - top, 0), inputs[0][0]) for row in (first, last))
        above = min(max(top - first, 0), last - first)
        return Strip(Pad(((above, last - first - above - (stop - start)), *others)), start, stop)


@dataclass(frozen=True, eq=False)
class Crop(Op):
    """The input less cells at its sides."""

    sides: Sides

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape, framed = inputs[0], len(self.sides)
        return (*(n - sum(side) for n, side in zip(shape, self.sides, strict=False)), *shape[framed:])


@dataclass(frozen=True, eq=False)
class Repeat(Op):
    """Each cell of the first axes so many times in a row, a number for each axis."""

    times: tuple[int, ...]

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape, repeated = inputs[0], len(self.times)
        return (*(n * times for n, times in zip(shape, self.times, strict=False)), *shape[repeated:])

    @property
    def window(self) -> Window | None:  # type: ignore[override]
        """One cell, its copies a fraction of a cell apart."""
        rows, columns = (*self.times, 1)[:2]
        return Window((1, 1), (share(1, rows), share(1, columns)))


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
class Interleave(Op):
    """Maps put in between each other: (*size, channels), every cell of which one input at most gives.

    Along two or three axes. Cell (i, j) of input number n comes to origins[n] + (i, j) * strides; cells that nothing
    comes to hold `fill`, a value for each channel.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    origins: tuple[tuple[int, ...], ...]
    fill: Floats

    def shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (*self.size, inputs[0][-1])

    @property
    def window(self) -> Window:  # type: ignore[override]
        """One cell, the next a fraction of a cell away."""
        return Window((1, 1), (share(1, self.strides[-2]), share(1, self.strides[-1])))


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
