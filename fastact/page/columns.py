"""What the page is told: models, layers and maps as plain data that becomes JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastact.cost import Cost
from fastact.fields import Field, Spans, receptive_fields
from fastact.graph import Model
from fastact.kernels.ops import Floats
from fastact.node import Node
from fastact.page.lanes import lanes
from fastact.page.packing import Packed

Data = dict[str, Any]

_BY = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Fed:
    """What a model was fed: a title, the picture or None, and what was done to it.

    A picture is uint8 (H, W, 1 or 3), a run of pictures (T, H, W, 1 or 3).
    """

    title: str
    picture: npt.NDArray[np.uint8] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A model at one size, and its maps of one frame; several columns stand side by side.

    Attributes:
        label: what tells it from the other columns.
        maps: by layer, channels last; empty for the network alone.
        missing: layers that were asked for and are not computed, with the reason.
    """

    label: str
    model: Model
    maps: Mapping[str, Floats]
    fed: Fed | None = None


def planes_of(array: Floats) -> Floats:
    """A layer's maps one after the other, (maps, rows, columns): (..., H, W, C) step by step, filter by filter.

    A vector (C,) is one map of one row; steps of vectors, (T, C), one map with a row a step.
    """
    if array.ndim < 3:
        return np.ascontiguousarray(array.reshape(1, -1, array.shape[-1] if array.ndim else 1))
    moved = np.moveaxis(array, -1, -3)
    return np.ascontiguousarray(moved.reshape(-1, *moved.shape[-2:]))


def described(column: Column, packed: Mapping[str, Packed]) -> Data:
    """A column as plain data; `packed` are the maps that lie in the page by layer."""
    model, fed = column.model, column.fed
    fields, spans = receptive_fields(model), _Spans()
    work = sum(cost.multiply_adds for cost in model.costs.values())
    drawn = lanes([node.inputs for node in model.nodes])
    size = None if fed is None or fed.picture is None else fed.picture.shape[-3:-1]
    layers = []
    for node, lane in zip(model.nodes, drawn, strict=True):
        cost, field = model.costs.get(node.name), fields.get(node.name)
        layers.append({
            "name": node.name,
            "kind": node.class_name,
            "reason": node.reason,
            "facts": facts(node, cost, work, field is None),
            "share": cost.multiply_adds / work if cost and work else 0,
            "lane": {"at": lane.at, "into": lane.into, "through": lane.through, "on": lane.on},
            "maps": _maps(node, column, packed.get(node.name)),
            "field": None if field is None or size is None else {
                "rows": spans.number(field.rows),
                "columns": spans.number(field.columns),
                "place": placed(field, cost, size),
            },
        })  # fmt: skip
    return {
        "label": column.label,
        "input": None if fed is None else picture_of(fed),
        "layers": layers,
        "spans": spans.listed,
    }


class _Spans:
    """Spans by number: layers that see the same share one list."""

    def __init__(self) -> None:
        self.listed: list[list[int]] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, spans: Spans) -> int:
        """The number of the list [start, stop, start, stop, ...]."""
        key = spans.tobytes()
        if key not in self._numbers:
            self._numbers[key] = len(self.listed)
            self.listed.append(spans.ravel().tolist())
        return self._numbers[key]


def picture_of(fed: Fed) -> Data:
    """What was fed: the picture, or the pictures of a run, as PNG in data addresses."""
    said = {"title": fed.title, "notes": list(fed.notes)}
    if fed.picture is None:
        return {**said, "addresses": [], "width": 0, "height": 0}
    height, width, channels = fed.picture.shape[-3:]
    addresses = [_png(pixels) for pixels in fed.picture.reshape(-1, height, width, channels)]
    return {**said, "addresses": addresses, "width": width, "height": height}


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    stored = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stored, "PNG")
    return "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode("ascii")


def _maps(node: Node, column: Column, packed: Packed | None) -> Data | None:
    """The geometry of a layer's maps, and how they are packed."""
    array = column.maps.get(node.name)
    if array is None:
        return None
    count, height, width = planes_of(array).shape
    finite = array[np.isfinite(array)]
    return {
        "count": count,
        "height": height,
        "width": width,
        "filters": array.shape[-1] if array.ndim >= 3 else 1,
        "vector": array.ndim < 3,
        "low": float(finite.min()) if finite.size else 0,
        "high": float(finite.max()) if finite.size else 0,
        "bits": packed.bits if packed else 32,
        "lows": packed.low if packed else (),
        "highs": packed.high if packed else (),
    }


def facts(node: Node, cost: Cost | None, work: int, whole: bool) -> list[str]:
    """What is said of a layer beside its name."""
    said = []
    if node.shape is not None:
        said.append(shape_in_words(node))
    if node.parameters:
        said.append(f"{node.parameters:,} parameters")
    if cost and cost.multiply_adds:
        share = 100 * cost.multiply_adds / work
        said.append(f"{_short(cost.multiply_adds)} multiply-adds ({'<1' if share < 0.5 else format(share, '.0f')}%)")
    if cost and not node.is_input and node.shape is not None:
        if cost.sight and not whole:
            said.append(f"a cell sees {cost.sight.size[1]}{_BY}{cost.sight.size[0]} pixels")
        elif whole and len(node.shape) < 3:
            said.append("sees the whole picture")
    return said


def shape_in_words(node: Node) -> str:
    """Maps as their number, in a run that of steps × filters, and width × height; other shapes as they are."""
    lengths = ["?" if n is None else str(n) for n in node.shape or ()]
    if len(lengths) in (3, 4) and not (node.layer is not None and node.layer.channels_first):
        *steps, rows, columns, filters = lengths
        number = _BY.join([*steps, filters])
        return f"{number} {'map' if number == '1' else 'maps'} of {columns}{_BY}{rows}"
    if len(lengths) == 1:
        return f"{lengths[0]} {'value' if lengths[0] == '1' else 'values'}"
    return _BY.join(lengths)


def _short(number: int) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return str(number)


def placed(field: Field, cost: Cost | None, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, width and height, in pixels, of a map laid over the picture so that each cell lies amid what it sees.

    A map whose cells all see from edge to edge is laid over the whole picture.
    """
    jumps = (1, 1) if cost is None or cost.sight is None else cost.sight.jump
    along = [
        _along(spans, jump, length)
        for spans, jump, length in zip((field.rows, field.columns), jumps, size, strict=True)
    ]
    (top, height), (left, width) = along
    return left, top, width, height


def _along(spans: Spans, jump: int | Fraction, length: int) -> tuple[float, float]:
    inside = np.flatnonzero((spans[:, 0] > 0) & (spans[:, 1] < length))
    cell = int(inside[len(inside) // 2]) if len(inside) else 0
    start, stop = spans[cell].tolist()
    if not len(inside) and (stop >= length or start > 0):
        return 0.0, float(length)
    middle = (start + stop) / 2
    first, extent = middle - (cell + 0.5) * float(jump), len(spans) * float(jump)
    return (first, extent) if math.isfinite(first) else (0.0, float(length))
