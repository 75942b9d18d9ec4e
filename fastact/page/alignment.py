"""Which layers of several models stand side by side."""

from __future__ import annotations

from collections.abc import Sequence

from fastact.graph import Model
from fastact.node import Node

Names = tuple["str | None", ...]
Pair = tuple["int | None", "int | None"]

MOST_PAIRS = 4_000_000
"""Pairs of layers that are compared; models with more are aligned by name alone."""


def aligned(models: Sequence[Model]) -> list[Names]:
    """The rows of a table with a column a model: in each the name of the model's layer, or None.

    Models whose layers have the same classes in the same order are aligned by place, since names that Keras gives by
    itself differ from session to session, and models with the same names by name. Between others as many layers of
    one class as possible are aligned without any two crossing, alike in name or in number of filters where there is a
    choice; a layer without a partner stands alone, where it is in its own model.
    """
    first, *others = models
    rows: list[tuple[Node | None, ...]] = [(node,) for node in first.nodes]
    for model in others:
        leading = [next(node for node in row if node is not None) for row in rows]
        blank = (None,) * len(rows[0])
        pairs = _pairs(leading, model.nodes)
        rows = [(*(blank if i is None else rows[i]), None if j is None else model.nodes[j]) for i, j in pairs]
    return [tuple(None if node is None else node.name for node in row) for row in rows]


def _pairs(one: Sequence[Node], other: Sequence[Node]) -> list[Pair]:
    """The numbers of nodes that stand side by side, in order; None beside one that stands alone."""
    if [n.class_name for n in one] == [n.class_name for n in other]:
        return [(i, i) for i in range(len(one))]
    if {(n.name, n.class_name) for n in one} == {(n.name, n.class_name) for n in other}:
        return _by_name(one, other)
    return _by_name(one, other) if len(one) * len(other) > MOST_PAIRS else _without_crossing(one, other)


def _by_name(one: Sequence[Node], other: Sequence[Node]) -> list[Pair]:
    places = {node.name: j for j, node in enumerate(other)}
    found: list[Pair] = [(i, places.pop(node.name, None)) for i, node in enumerate(one)]
    return [*found, *((None, j) for j in places.values())]


def _without_crossing(one: Sequence[Node], other: Sequence[Node]) -> list[Pair]:
    """The alignment whose likenesses have the largest sum (Needleman and Wunsch 1970, gaps costing nothing)."""
    rows, columns = len(one), len(other)
    best = [[0] * (columns + 1) for _ in range(rows + 1)]  # of what is left from a pair of places on
    for i in reversed(range(rows)):
        below, here = best[i + 1], best[i]
        for j in reversed(range(columns)):
            like = _likeness(one[i], other[j])
            here[j] = max(below[j], here[j + 1], like + below[j + 1] if like else 0)
    found: list[Pair] = []
    i = j = 0
    while i < rows and j < columns:
        like = _likeness(one[i], other[j])
        if like and best[i][j] == like + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((i, None))
            i += 1
        else:
            found.append((None, j))
            j += 1
    return [*found, *((n, None) for n in range(i, rows)), *((None, n) for n in range(j, columns))]


def _likeness(one: Node, other: Node) -> int:
    """0 for layers of different classes; more for the same name, and for as many filters."""
    if one.class_name != other.class_name:
        return 0
    filters = [None if node.shape is None or not node.shape else node.shape[-1] for node in (one, other)]
    return 2 + 2 * (one.name == other.name) + (filters[0] == filters[1])
