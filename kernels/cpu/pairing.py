"""Convolutions with fewer products: two neighbouring pixels are computed together.

Two pixels of a map see much of the same input, and sums and differences of it can be multiplied once for both. Three
taps of a window, for two pixels six products, take four; two taps take three:

    F(2, 3): y0 = m1 + m2 + m3, y1 = m2 - m3 - m4, where x3 is what the second pixel's third tap sees, and
        m1 = (x0 - x2) w0             m2 = (x1 + x2) (w0 + w1 + w2) / 2
        m4 = (x1 - x3) w2             m3 = (x2 - x1) (w0 - w1 + w2) / 2
    F(2, 2): y0 = m1 + m2, y1 = m2 - m4, where
        m1 = (x0 - x1) w0             m2 = x1 (w0 + w1)             m4 = (x1 - x2) w1

(S. Winograd, Arithmetic Complexity of Computations, 1980; for networks A. Lavin and S. Gray, 2016.) Along a row of
the window, taps as far apart as neighbouring pixels' windows are, the stride, make chains; each chain is cut into
threes, and what is left of it is a two or a one. So a row of five taps with a stride of two takes 7 products for 2
pixels and not 10; three with a stride of one take 4 and not 6. The sums of m1 over all rows and channels, of m2, m3 and
m4 are four matrix products, which the convolution's own micro-kernel computes.

It is done along rows alone: in both directions it would save more, and lose more of a sum's exactness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import ops
from ..program import Instruction
from ..records import dataclass

PAIRS = 8
"""The most pairs of a tile."""
CELLS = 384
"""The most pairs times filters of a tile."""
_ROOM = 128 * 1024
"""The most bytes of factors of a tile: they are read anew for each vector of filters, from the second cache."""
_LEAST_CHANNELS, _LEAST_TILES, _WORTH = 16, 4, 1.3
"""The fewest channels and filters, tiles of pairs, and products in place of one, for which spreading the input and
putting sums together costs less than is saved (`python -m benchmarks.pairs`)."""


@dataclass(frozen=True)
class Chain:
    """`taps` taps, three at most, that are multiplied together: `first` is the place of the first in its row."""

    first: int
    taps: int

    @property
    def products(self) -> int:
        """For two pixels."""
        return self.taps + 1

    @property
    def sums(self) -> tuple[int, ...]:
        """To which of the four sums its products belong, in order."""
        return {3: (0, 1, 2, 3), 2: (0, 1, 3), 1: (0, 3)}[self.taps]


@dataclass(frozen=True, eq=False)
class PairedConv2D(ops.Op):
    """A convolution that is computed in pairs of pixels; all but the last bits of its values are the same.

    Attributes:
        conv: what is computed.
        chains: of one row of its window.
        weights: (rows, filters), by which the factors of a pair are multiplied: those of the first sum, over rows of
            the window, chains and channels, then those of the second, third and fourth.
        sums: how many rows of the weights each sum has.
    """

    conv: ops.Conv2D
    chains: tuple[Chain, ...]
    weights: ops.Floats
    sums: tuple[int, ...]

    @property
    def window(self) -> ops.Window:  # type: ignore[override]  # noqa: D102
        return self.conv.window

    def shape(self, *inputs: ops.Shape) -> ops.Shape:  # noqa: D102
        return self.conv.shape(*inputs[:1])

    def strip(self, first: int, last: int, *inputs: ops.Shape) -> ops.Strip | None:  # noqa: D102
        strip = self.conv.strip(first, last, *inputs)
        return strip and ops.Strip(self.of(strip.op), strip.first, strip.last)

    def multiply_adds(self, *inputs: ops.Shape) -> int:
        """Those that are done, which are fewer than the convolution's."""
        rows, columns, filters = self.shape(*inputs)
        return rows * -(-columns // 2) * filters * sum(self.sums)

    def of(self, conv: ops.Op) -> PairedConv2D:
        """The same for a convolution with the same weights."""
        assert isinstance(conv, ops.Conv2D)
        return PairedConv2D(conv, self.chains, self.weights, self.sums)

    @property
    def room(self) -> int:
        """Bytes in which one member of a team works on a tile."""
        return 4 * (PAIRS * sum(self.sums) + 4 * CELLS)


def paired(instruction: Instruction) -> Instruction:
    """The instruction, its convolution in pairs where that is faster."""
    op, shapes = instruction.op, [v.shape for v in instruction.inputs]
    if type(op) is not ops.Conv2D or op.groups > 1 or op.dilation[1] > 1:
        return instruction
    (kh, kw, depth, filters), (rows, columns, _) = op.weights.shape, op.shape(*shapes)
    chains = chains_of(kw, op.strides[1])
    products = sum(chain.products for chain in chains)
    if (
        chains[0].taps < 3
        or 2 * kw < _WORTH * products
        or min(depth, filters) < _LEAST_CHANNELS
        or rows * (columns // 2) < _LEAST_TILES * PAIRS
        or 4 * PAIRS * kh * products * depth > _ROOM
    ):
        return instruction
    return Instruction(in_pairs(op), instruction.inputs, instruction.output)


def in_pairs(conv: ops.Conv2D) -> PairedConv2D:
    """The same convolution in pairs.

    It has one group, no dilation along rows, at least 8 channels and filters, windows that are wider than two strides
    (so that there is a chain of three), and a map of two columns or more.
    """
    chains = tuple(chains_of(conv.weights.shape[1], conv.strides[1]))
    sums = factors(conv.weights, conv.strides[1], chains)
    return PairedConv2D(conv, chains, np.concatenate(sums), tuple(map(len, sums)))


def chains_of(taps: int, stride: int) -> list[Chain]:
    """The chains of a row of `taps` taps: the threes first."""
    chains = [
        Chain(first, min(3, len(range(first, taps, stride))))
        for start in range(min(stride, taps))
        for first in range(start, taps, 3 * stride)
    ]
    return sorted(chains, key=lambda chain: -chain.taps)


def factors(weights: ops.Floats, stride: int, chains: Sequence[Chain]) -> tuple[ops.Floats, ...]:
    """What the four sums' factors are multiplied by, from weights (kh, kw, channels, filters): (rows, filters) each."""
    sums: list[list[ops.Floats]] = [[], [], [], []]
    for row in weights:
        for chain in chains:
            w = [row[chain.first + n * stride].astype(np.float64) for n in range(chain.taps)]
            if chain.taps == 3:
                made = [w[0], (w[0] + w[1] + w[2]) / 2, (w[0] - w[1] + w[2]) / 2, w[2]]
            elif chain.taps == 2:
                made = [w[0], w[0] + w[1], w[1]]
            else:
                made = [w[0], -w[0]]
            for number, factor in zip(chain.sums, made, strict=True):
                sums[number].append(factor.astype(np.float32))
    return tuple(np.concatenate(parts) for parts in sums)
