"""Names out of a file made fit for a message: short, on one line, without control characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["listed", "quoted"]

_LONGEST = 96


def quoted(text: object) -> str:
    """Return `text` in single quotes, what cannot be printed escaped, at most 96 characters of it."""
    shown = str(text)
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return "'" + "".join(c if c.isprintable() else _escaped(c) for c in shown) + "'"


def listed(names: Iterable[str], most: int = 6) -> str:
    """Return the first `most` names, quoted and separated by commas, and how many more there are."""
    every: Sequence[str] = list(names)
    shown = ", ".join(quoted(name) for name in every[:most])
    left = len(every) - most
    return (f"{shown} and {left} more" if left > 0 else shown) or "nothing"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
