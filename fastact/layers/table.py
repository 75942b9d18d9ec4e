"""`python -m fastact.layers.table` prints docs/layers.md: every layer fastact computes, from the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastact.kernels.ops import PoolKind
from fastact.layers import registry
from fastact.layers.activation import FUNCTION_NAMES
from fastact.layers.base import Layer
from fastact.layers.functions.calls import Function, FunctionCall, keras_operations, tensorflow_functions
from fastact.layers.reading import read

EXACTNESS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("bit", "the values TensorFlow gives, to the bit: nothing is computed but by comparing", frozenset()),
    ("one", "each sum, difference, product or quotient of two values is rounded once, as TensorFlow does",
     frozenset({"Binary", "BinaryConstant"})),
    ("unit", "within a unit in the last place of float32: computed in float64 and rounded once",
     frozenset({
         "Elementwise", "RowWise", "GatedLinear", "Reduce", "Standardize", "Contract", "GlobalPool", "Resample",
     })),
    ("two", "rounded twice: what the scale multiplies, and the result", frozenset({"Affine"})),
    ("sum", "float32 sums of products, or of a window's values: at most twice TensorFlow's error, as a rule less",
     frozenset({"Conv2D", "Conv3D", "DepthwiseConv2D", "Dense", "Pool"})),
)  # fmt: skip
"""How exact a layer is: a word, what it means, and the operations that make a layer no better. The last one counts."""


def markdown() -> str:
    """The page, as Markdown."""
    families: dict[str, dict[type[Layer], list[str]]] = {}
    for name, layer in registry().items():
        families.setdefault(layer.__module__.rpartition(".")[2], {}).setdefault(layer, []).append(f"`{name}`")
    lines = [
        "# Layers",
        "",
        "Made by `python -m fastact.layers.table` from the registry. A file may hold other layers, too: they, and what",
        "depends on them, are named with the reason, and the rest is computed.",
        "",
        "Arguments are those that fastact reads from the configuration; others do nothing when a network runs.",
        "The last column says how exact a layer is on its own input, an activation included:",
        "",
        *(f"- **{word}**: {meaning}" for word, meaning, _ in EXACTNESS),
    ]
    for family, layers in sorted(families.items()):
        lines += ["", f"## {family.capitalize()}", "", "| layer | what it gives | arguments | since | exact |"]
        lines += ["| --- | --- | --- | --- | --- |", *(_row(layer, names) for layer, names in layers.items())]
    lines += ["", "## Activations by name", "", ", ".join(f"`{name}`" for name in FUNCTION_NAMES)]
    lines += ["", "## TensorFlow functions in Keras 2 files (TFOpLambda, SlicingOpLambda)", ""]
    lines += [
        "Those that move values are exact to the **bit**, arithmetic of two values rounds **one** time, the others",
        "are a **unit** off at most. The first argument is a tensor; in arithmetic either may be a constant.",
        "",
    ]
    lines += _functions(tensorflow_functions())
    lines += ["", "## Operations of keras.ops in Keras 3 files", ""]
    lines += _functions(keras_operations())
    return "\n".join(lines)


def _row(layer: type[Layer], names: list[str]) -> str:
    words = " ".join((layer.__doc__ or "").split("\n\n")[0].split())
    reading = read(layer)
    arguments = ", ".join(f"`{entry}`" for entry in reading.entries)
    exact = "as what is inside" if {"layer", "cell"} & set(reading.entries) else _exactness(layer, reading.operations)
    return f"| {', '.join(names)} | {words} | {arguments} | {layer.since} | {exact} |"


def _exactness(layer: type[Layer], operations: set[str]) -> str:
    if issubclass(layer, FunctionCall):
        return "as its function"
    if getattr(layer, "kind", None) is PoolKind.MAX:
        return "bit"
    return [word for word, _, worse in EXACTNESS if word == "bit" or worse & operations][-1]


def _functions(functions: Mapping[str, Function]) -> Iterator[str]:
    yield "| function | arguments |"
    yield "| --- | --- |"
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, function in sorted(functions.items()):
        alike.setdefault(function.takes, []).append(f"`{name}`")
    for takes, names in alike.items():
        shown = (" or ".join(f"`{n}`" for n in argument.split("|")) for argument in takes)
        yield f"| {', '.join(names)} | {', '.join(shown)} |"


if __name__ == "__main__":
    print(markdown())
