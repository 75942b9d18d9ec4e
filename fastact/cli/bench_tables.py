"""A report's tables on the console: one that is wider goes on below itself, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fastact.cli.options import plain

if TYPE_CHECKING:
    from rich.console import Console

    from fastact.bench.tables import Table

_BETWEEN = 3
"""Columns of the console between two of a table, and one less around them all."""

_LEAST_NAME = 16


def print_table(out: Console, table: Table) -> None:
    """The title, the columns in as many parts as the console needs, and the note."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Shown

    table = _shortened(table, out.width)
    out.print(plain(table.title), style="bold")
    for columns in parts(table, out.width):
        shown = Shown(box=SIMPLE_HEAD, pad_edge=False)
        for number in columns:
            shown.add_column(table.head[number], justify="left" if number < table.names else "right")
        for row in table.rows:
            shown.add_row(*(plain(row[number]) for number in columns))
        out.print(shown)
    if table.note:
        out.print(plain(table.note), end="\n\n")


def parts(table: Table, width: int) -> Iterator[tuple[int, ...]]:
    """Numbers of the columns that stand together, from left to right; those that name a row begin every part."""
    widths = _widths(table)
    names = tuple(range(table.names))
    taken, used = list(names), _room(widths, names)
    for number in range(table.names, len(table.head)):
        more = widths[number] + _BETWEEN
        if used + more > width and len(taken) > len(names):
            yield tuple(taken)
            taken, used = list(names), _room(widths, names)
        taken.append(number)
        used += more
    yield tuple(taken)


def _room(widths: list[int], columns: tuple[int, ...]) -> int:
    return sum(widths[number] + _BETWEEN for number in columns) - 1


def _shortened(table: Table, width: int) -> Table:
    """The table with its longest names shortened, so that they leave half of the console to the rest."""
    from fastact.bench.svg import short

    most = max(_LEAST_NAME, width // (2 * table.names))
    rows = tuple((*(short(cell, most) for cell in row[: table.names]), *row[table.names :]) for row in table.rows)
    return replace(table, rows=rows)


def _widths(table: Table) -> list[int]:
    from rich.cells import cell_len

    return [max(map(cell_len, column)) for column in zip(table.head, *table.rows, strict=True)]
