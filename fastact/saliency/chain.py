"""The chain of convolutions that leads from a picture to a layer, as the operations of a plan have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fastact.errors import InputError, UnsupportedError
from fastact.graph import Model
from fastact.kernels import ops
from fastact.kernels.program import Instruction
from fastact.layers import Value, show
from fastact.node import Node
from fastact.recording import Recorder, ancestors, record

_POINTWISE = (ops.Affine, ops.Elementwise, ops.BinaryConstant, ops.RowWise, ops.Standardize)
"""Operations that leave a map's cells where they are."""


@dataclass(frozen=True)
class Windows:
    """How windows lie over a map, along rows and columns: its lengths, and how many windows there are on each.

    Window number o sees the cells o * strides + t * dilation - before, t from 0 to size - 1.
    """

    lengths: tuple[int, int]
    counts: tuple[int, int]
    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Maps:
    """The maps of convolution `layer`, after all that works value by value on them."""

    layer: str
    value: Value


Link: TypeAlias = "Windows | Maps"


@dataclass(frozen=True)
class Chain:
    """What leads from input `source` to the last convolution, in order."""

    source: str
    links: tuple[Link, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The convolutions."""
        return tuple(link.layer for link in self.links if isinstance(link, Maps))


def recorded(model: Model, names: set[str]) -> tuple[Recorder, dict[str, Value]]:
    """The operations that give nodes `names`, and every needed node's value.

    Raises InputError for a model whose inputs have open sizes.
    """
    if any(None in shape for shape in model.input_shapes.values()):
        raise InputError(f"{model.source} takes inputs of any size: choose one first, with at_size or --input WxH")
    recorder = Recorder()
    needed = ancestors(model.nodes, names)
    _, values = record(recorder, model.nodes, needed, {})
    return recorder, {model.nodes[i].name: value for i, value in values.items()}


def followed(model: Model, layer: str) -> frozenset[str]:
    """`layer` and the nodes after it, one after the other, that may be its activation or normalization."""
    names = [layer]
    place = next(i for i, node in enumerate(model.nodes) if node.name == layer)
    while True:
        takers = [(i, node) for i, node in enumerate(model.nodes) if place in node.inputs]
        if len(takers) != 1:
            return frozenset(names)
        place, node = takers[0]
        if node.reason is not None or node.is_convolution or len(node.inputs) > 1 or len(node.known_shape) != 3:
            return frozenset(names)
        names.append(node.name)


def last_convolution(model: Model, layer: str | None = None) -> Node:
    """The convolution `layer`, or the last to which a chain of convolutions leads from a picture.

    Raises:
        InputError: there is no such layer.
        UnsupportedError: `layer` is no convolution, or no chain leads to it, or to any.
    """
    if layer is not None:
        return convolution(model, layer)
    reason = UnsupportedError(f"{model.source} has no convolution")
    for node in reversed([n for n in model.nodes if n.is_convolution and n.reason is None]):
        try:
            follow(*recorded(model, {node.name}), node.name)
        except UnsupportedError as error:
            reason = error
        else:
            return node
    raise reason


def convolution(model: Model, layer: str) -> Node:
    """The convolution of that name; raises InputError where it is none, or not computed."""
    names = [n.name for n in model.nodes if n.is_convolution and n.reason is None]
    if layer not in names:
        what = "no layer" if layer not in model.layers else "no convolution that is computed"
        raise InputError(f"{model.source} has {what} {layer!r}: its convolutions are {', '.join(names) or 'none'}")
    return model.layers[layer]


def follow(recorder: Recorder, values: Mapping[str, Value], layer: str) -> Chain:
    """The chain that ends with `layer`.

    Raises UnsupportedError, naming the layer that is no link of one: something other than two-dimensional convolutions
    with pools, paddings and what works value by value between them.
    """
    makers = {recorder.root(i.output): i for i in recorder.program}
    last = _after(recorder, values[layer])
    program: list[Instruction] = []
    value = last
    while (instruction := makers.get(recorder.root(value))) is not None:
        if isinstance(instruction.op, ops.FromBytes):
            value = instruction.output
            break
        _check(recorder, instruction, value)
        program.append(instruction)
        value = instruction.inputs[0]
    source = next((name for name, v in values.items() if recorder.root(v) == recorder.root(value)), "")
    if len(value.shape) != 3:
        raise UnsupportedError(f"the input {source!r} is {show(value.shape)}, and a chain begins with one picture")
    return Chain(source, _links(recorder, program[::-1], last))


def _after(recorder: Recorder, value: Value) -> Value:
    """`value` after the operations that work on it value by value, as far as nothing else takes it."""
    while True:
        takers = [i for i in recorder.program if recorder.root(value) in map(recorder.root, i.inputs)]
        if len(takers) != 1 or not isinstance(takers[0].op, _POINTWISE) or takers[0].output.shape != value.shape:
            return value
        value = takers[0].output


def _check(recorder: Recorder, instruction: Instruction, value: Value) -> None:
    """Raises UnsupportedError for an operation that is no link of a chain."""
    op, inputs = instruction.op, instruction.inputs
    windows = isinstance(op, ops.Conv2D | ops.DepthwiseConv2D | ops.Pool | ops.Pad | ops.Crop)
    maps = len(inputs) == 1 and len(inputs[0].shape) == 3 and value.shape == instruction.output.shape
    if isinstance(op, ops.Pad | ops.Crop) and any(map(any, op.sides[2:])):
        windows = False
    if not maps or not (windows or isinstance(op, _POINTWISE)):
        layer = recorder.makers[instruction.output.number]
        raise UnsupportedError(
            f"layer {layer!r} is no part of a chain of two-dimensional convolutions, which VisualBackProp follows from "
            "the picture on: choose a convolution before it, or another method"
        )


def _links(recorder: Recorder, program: list[Instruction], last: Value) -> tuple[Link, ...]:
    """Windows and maps in the order of the program; maps are taken where the next windows look at them."""
    links: list[Link] = []
    pending: str | None = None
    for instruction in program:
        if isinstance(instruction.op, _POINTWISE):
            continue
        if pending is not None:
            links.append(Maps(pending, instruction.inputs[0]))
        links.append(_windows(instruction))
        convolves = isinstance(instruction.op, ops.Conv2D | ops.DepthwiseConv2D)
        pending = recorder.makers[instruction.output.number] if convolves else None
    if pending is not None:
        links.append(Maps(pending, last))
    return tuple(links)


def _windows(instruction: Instruction) -> Windows:
    (height, width, _), (rows, columns, _) = instruction.inputs[0].shape, instruction.output.shape
    lengths, counts = (height, width), (rows, columns)
    match instruction.op:
        case ops.Conv2D() | ops.DepthwiseConv2D() as op:
            kh, kw = op.weights.shape[:2]
            return Windows(lengths, counts, (kh, kw), op.strides, op.dilation, (op.pads[0], op.pads[2]))
        case ops.Pool() as op:
            (size, strides), before = (_pair(op.size), _pair(op.strides)), _pair([side[0] for side in op.sides])
            return Windows(lengths, counts, size, strides, before=before)
        case ops.Pad() | ops.Crop() as op:
            sign = 1 if isinstance(op, ops.Pad) else -1
            top, left = _pair([*(sign * side[0] for side in op.sides), 0])
            return Windows(lengths, counts, (1, 1), before=(top, left))
    raise TypeError(f"{type(instruction.op).__name__} has no windows")


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return values[0], values[1]
