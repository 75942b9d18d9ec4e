"""Which layers of a model are wanted: by name, by pattern, by a function, or all of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from typing import TypeAlias

from fastact.errors import LayerNotFoundError
from fastact.graph import Model
from fastact.node import Node

Layers: TypeAlias = "str | Iterable[str] | Callable[[Node], bool] | None"
"""A name, a glob such as ``conv*``, several of them, a predicate of nodes, "all", or None for every convolution."""


def select(model: Model, layers: Layers = None) -> tuple[Node, ...]:
    """The nodes `layers` means, in the model's order.

    A name that is in the model wins over a pattern; ``*`` matches ``/`` too, so that ``*conv2d`` reaches into nested
    models.

    Raises:
        LayerNotFoundError: a name or pattern matches nothing; the message lists what exists.
    """
    if layers is None:
        chosen = {n.name for n in model.nodes if n.is_convolution}
        if not chosen:
            raise LayerNotFoundError(f"{model.source} has no convolution fastact can compute; {_existing(model)}")
    elif callable(layers):
        chosen = {n.name for n in model.nodes if layers(n)}
        if not chosen:
            raise LayerNotFoundError(f"the predicate holds for no layer of {model.source}; {_existing(model)}")
    else:
        patterns = [layers] if isinstance(layers, str) else list(layers)
        chosen = {name for pattern in patterns for name in _matching(model, pattern)}
        if not patterns:
            raise LayerNotFoundError(f"no layers are asked for; {_existing(model)}")
    return tuple(n for n in model.nodes if n.name in chosen)


def _matching(model: Model, pattern: str) -> list[str]:
    if pattern in model.layers:
        return [pattern]
    if pattern == "all":
        return list(model.layers)
    names = fnmatch.filter(model.layers, pattern)
    if not names:
        import difflib  # when something is misspelt, and not before

        near = difflib.get_close_matches(pattern, model.layers, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise LayerNotFoundError(f"no layer of {model.source} matches {pattern!r}{hint}; {_existing(model)}")
    return names


def _existing(model: Model) -> str:
    return "its layers are " + ", ".join(model.layers)
