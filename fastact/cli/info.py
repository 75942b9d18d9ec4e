"""`fastact info`: what a model consists of and costs."""

from __future__ import annotations

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fastact.cli.options import CONFIG, SIZE, console, plain
from fastact.graph import Model, load
from fastact.layers import Shape
from fastact.node import Node

_FORMULA = "along rows and columns, out = floor((n + 2p - k) / s) + 1 for n cells, padding p, kernel k, stride s"


@click.command(short_help="Show a model's layers: shapes, parameters, costs, receptive fields.")
@click.argument("model_path", metavar="MODEL")
@CONFIG
@click.option("--input", "size", type=SIZE, help="Also the same weights at another input size, such as 640x360.")
def command(model_path: str, config_path: str | None, size: tuple[int, int] | None) -> int:
    """Show a model's layers: output shapes, parameters, multiply-adds, receptive fields, bytes of maps.

    With --input, the same weights at another resolution beside the file's own, and which layers could not follow.

    \b
    Examples:
      fastact info pilot.h5
      fastact info pilot.h5 --input 640x360
      fastact info pilot.weights.h5 --config pilot.json
    """
    model = load(model_path, config=config_path)
    models = [model] if size is None else [model, model.at_size(size)]
    out = console()
    out.print(f"{model.source}: {model.format}, sha256 {model.identity[:16]}", markup=False)
    for m in models:
        out.print(f"input {_inputs(m)}", markup=False)
    out.print(_table(models))
    for m in models:
        out.print(_totals(m), markup=False)
    for note in _notes(models):
        out.print(note, markup=False)
    return 0


def _inputs(model: Model) -> str:
    return ", ".join(f"{name} {_shape(shape)}" for name, shape in model.input_shapes.items())


def _table(models: list[Model]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("\nlayer", "\nclass"):
        table.add_column(title, no_wrap=True)
    for title in ("\nparameters", "receptive\nfield"):
        table.add_column(title, justify="right", no_wrap=True)
    for model in models:
        for title in (f"{_size(model)}\noutput", "\nmultiply-adds", "\nmap bytes"):
            table.add_column(title, justify="right", no_wrap=True)
    for node in models[0].nodes:
        cells = [plain(node.name), plain(node.class_name), _count(node.parameters), _sight(models[0], node)]
        for model in models:
            cells += _cells(model, model.layers[node.name])
        table.add_row(*cells)
    return table


def _size(model: Model) -> str:
    """The first picture's width x height."""
    pictures = [shape for shape in model.input_shapes.values() if len(shape) == 3]
    return f"input {pictures[0][1] or '?'}x{pictures[0][0] or '?'}" if pictures else ""


def _cells(model: Model, node: Node) -> list[str]:
    if node.reason is not None or node.shape is None:
        return ["not computed", "", ""]
    cost = model.costs.get(node.name)
    return [_shape(node.shape), _count(cost.multiply_adds if cost else 0), _count(node.map_bytes or 0)]


def _sight(model: Model, node: Node) -> str:
    """Width x height of the receptive field in input pixels; larger than the input where it reaches beyond."""
    cost = model.costs.get(node.name)
    if cost is None or node.is_input:
        return ""
    return f"{cost.sight.size[1]}x{cost.sight.size[0]}" if cost.sight else "all"


def _totals(model: Model) -> str:
    work = sum(cost.multiply_adds for cost in model.costs.values())
    size = sum(node.map_bytes or 0 for node in model.nodes if node.reason is None)
    return (
        f"total for input {_inputs(model)}: {model.parameters:,} parameters, {work:,} multiply-adds "
        f"({2 * work / 1e6:,.1f} MFLOP), {size / 1e6:,.2f} MB of maps"
    )


def _notes(models: list[Model]) -> list[str]:
    notes = []
    for node in models[0].nodes:
        if node.reason is not None:
            notes.append(f"not computed: {node.name} ({node.class_name}): {node.reason}")
    if len(models) == 2:
        first, second = (sum(c.multiply_adds for c in m.costs.values()) for m in models)
        if first:
            notes.append(f"{second / first:.1f} times the multiply-adds; {_FORMULA}")
        for node in models[1].nodes:
            if node.reason is not None and models[0].layers[node.name].reason is None:
                notes.append(f"cannot follow: {node.name} ({node.class_name}): {node.reason}")
    return notes


def _shape(shape: Shape) -> str:
    return "(" + ", ".join("?" if n is None else str(n) for n in shape) + ")"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""
