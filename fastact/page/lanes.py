"""Where the lines run that connect layers in a list from top to bottom, as in drawings of a history with branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lane:
    """How a layer's row is drawn.

    Attributes:
        at: the lane of the layer's dot.
        into: the lanes whose lines end in the dot, from above.
        through: the lanes whose lines pass the row.
        on: whether a line leaves the dot downwards.
    """

    at: int
    into: tuple[int, ...]
    through: tuple[int, ...]
    on: bool


def lanes(inputs: Sequence[Sequence[int]]) -> list[Lane]:
    """A row for each layer, `inputs` being the numbers of the layers it takes, all of which come before it.

    A layer's line keeps one lane from its row to the last layer that takes it; a lane is used again once it is free.
    """
    last = {source: row for row, sources in enumerate(inputs) for source in sources}
    lane_of: dict[int, int] = {}
    rows: list[Lane] = []
    for row, sources in enumerate(inputs):
        into = tuple(sorted({lane_of[source] for source in sources}))
        ending = sorted(lane_of[source] for source in set(sources) if last[source] == row)
        for source in set(sources):
            if last[source] == row:
                del lane_of[source]
        through = tuple(sorted(lane_of.values()))
        at = ending[0] if ending else next(n for n in range(len(through) + 1) if n not in through)
        if row in last:
            lane_of[row] = at
        rows.append(Lane(at, into, through, row in last))
    return rows
