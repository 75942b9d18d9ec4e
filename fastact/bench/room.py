"""Whether a machine has the memory to measure what is asked, before it is taken."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from fastact.bench.machine import ROOT, text
from fastact.errors import InputError
from fastact.graph import Model
from fastact.selection import Layers, select


def check_room(models: Sequence[Model], layers: Layers, root: Path = ROOT) -> None:
    """Raises InputError where `models`, one at several sizes, need more memory together than is free.

    All sizes are kept ready while they take turns; beside them one more is needed at a time, for the process whose
    memory is measured and for the sweep.
    """
    free = _free(root)
    needs = [_needed(model, layers) for model in models]
    total = sum(needs) + max(needs)
    if free is not None and total > free:
        raise InputError(
            f"{models[0].source} needs about {total / 1e9:.1f} GB to be measured at these sizes, and this machine has "
            f"{free / 1e9:.1f} GB free: choose smaller sizes or fewer layers"
        )


def _needed(model: Model, layers: Layers) -> int:
    """Bytes, about: the frame as it is read, maps for whole frames and for layers one by one, and what lies between."""
    wanted = {node.name for node in select(model, layers) if node.reason is None}
    used, between = set(wanted), [0]
    for node in reversed(model.nodes):
        if node.name in used:
            used |= {model.nodes[number].name for number in node.inputs}
            between.append(0 if node.name in wanted or node.is_input else node.map_bytes or 0)
    maps = [model.layers[name].map_bytes or 0 for name in wanted]
    frames = sum(math.prod(n or 1 for n in shape) for shape in model.input_shapes.values())
    # Pillow has four bytes for a pixel of three colours, beside the array.
    return 2 * (sum(maps) + max(between)) + 4 * frames


def _free(root: Path) -> int | None:
    """Bytes that Linux could give to a process, its caches included; None where it does not say."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text(root / "proc/meminfo") or "", re.MULTILINE)
    return 1024 * int(found[1]) if found else None
