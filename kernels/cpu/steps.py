"""The table of steps that the native entry walks, and what stands in it.

An address is given as a place, a region and an offset into it, since a frame's input and output lie elsewhere at
each call: :class:`Table` writes the regions' addresses in. How an operation becomes rows is in :mod:`.encode`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..places import Place
from ..records import dataclass
from .fields import FIELDS

PREFIX = "fastact_kernel_"
"""What a kernel's name begins with in the compiled library."""


Field: TypeAlias = "int | str | Place | npt.NDArray[Any] | list[Row]"
"""A row's field: a number, a kernel's name, an address in a region; an array, or rows elsewhere in the table, whose
address is meant."""
Row: TypeAlias = "list[Field]"


@dataclass(frozen=True)
class _Below:
    """The address of row number `row` of the table."""

    row: int


def _laid_out(rows: Sequence[Row]) -> list[list[int | str | Place | npt.NDArray[Any] | _Below]]:
    """All rows, those that others point to behind them."""
    laid: list[list[Any]] = [list(row) for row in rows]
    for row in laid:  # which grows meanwhile
        for f, field in enumerate(row):
            if isinstance(field, list):
                row[f] = _Below(len(laid))
                laid += [list(inner) for inner in field]
    return laid


class Table:
    """Rows laid out for the native entry, and the addresses in them that change from call to call.

    Attributes:
        steps: how many of the `rows`, the first ones, the entry walks; rows that other rows point to lie behind them.
    """

    def __init__(self, rows: Sequence[Row], regions: int, kernel: Callable[[str], int]) -> None:
        """`kernel` gives the address of a kernel by name."""
        self.steps = len(rows)
        laid = _laid_out(rows)
        self.rows = np.zeros((len(laid), FIELDS), np.int64)
        self.address = self.rows.ctypes.data
        self._kept: list[npt.NDArray[Any]] = []
        places: list[list[tuple[int, int]]] = [[] for _ in range(regions)]
        for r, row in enumerate(laid):
            for f, field in enumerate(row):
                if isinstance(field, Place):
                    places[field.region].append((r * FIELDS + f, field.offset))
                elif isinstance(field, np.ndarray):
                    self._kept.append(field)
                    self.rows[r, f] = field.ctypes.data
                elif isinstance(field, _Below):
                    self.rows[r, f] = self.address + field.row * self.rows.strides[0]
                else:
                    self.rows[r, f] = kernel(field) if isinstance(field, str) else field
        self._places = [np.array(p, np.int64).reshape(-1, 2).T for p in places]
        self._starts: list[int | None] = [None] * regions
        self._flat = self.rows.reshape(-1)

    def place(self, region: int, address: int) -> None:
        """Lets `region` start at `address`."""
        if self._starts[region] != address:
            where, offsets = self._places[region]
            self._starts[region] = None  # an interrupt or a fork may come before the next two lines are done
            self._flat[where] = offsets + address
            self._starts[region] = address
