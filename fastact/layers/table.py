"""`python -m fastact.layers.table` prints docs/layers.md: every layer fastact computes, from the registry."""

from __future__ import annotations

from fastact.layers import registry
from fastact.layers.activation import FUNCTION_NAMES


def markdown() -> str:
    """The page, as Markdown."""
    families: dict[str, dict[str, list[str]]] = {}
    for name, layer in registry().items():
        family = layer.__module__.rpartition(".")[2]
        words = " ".join((layer.__doc__ or "").split("\n\n")[0].split())
        families.setdefault(family, {}).setdefault(words, []).append(f"`{name}`")
    lines = [
        "# Layers",
        "",
        "Made by `python -m fastact.layers.table` from the registry. A file may hold other layers, too: they, and what",
        "depends on them, are named with the reason, and the rest is computed.",
    ]
    for family, layers in sorted(families.items()):
        lines += ["", f"## {family.capitalize()}", "", "| layer | what it gives |", "| --- | --- |"]
        lines += [f"| {', '.join(names)} | {words} |" for words, names in layers.items()]
    lines += ["", "## Activations by name", "", ", ".join(f"`{name}`" for name in FUNCTION_NAMES)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
