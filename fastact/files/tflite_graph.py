"""The network in a TensorFlow Lite file: tensors and operators, checked against each other and the file's size.

What comes out of `read` can be walked without further checks: numbers of tensors are in range, every tensor is given
once and before it is taken, so that there is no cycle, and every constant has the bytes its shape needs, in the file.
The same holds for the conditions and bodies of the main network's loops, whose tensors are numbered on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..kernels.records import dataclass
from . import flatbuffer, tflite_flex
from . import tflite_schema as schema
from .flatbuffer import Source, Span, Table
from .text import quoted

__all__ = ["FLOATS", "ITEM_BYTES", "Graph", "Operator", "Tensor", "as_float32", "read"]

MOST_OPERATORS = 20_000
MOST_TENSORS = 65_536
MOST_LOOPS = 64
MOST_AXES = 8
LARGEST = 2**31

ITEM_BYTES: Mapping[str, int] = {
    "FLOAT16": 2, "FLOAT32": 4, "FLOAT64": 8, "INT32": 4, "INT64": 8, "BOOL": 1, "INT8": 1, "UINT8": 1, "INT16": 2,
    "UINT16": 2, "UINT32": 4, "UINT64": 8,
}  # fmt: skip
FLOATS = ("FLOAT16", "FLOAT32", "FLOAT64")
_NUMBERED = re.compile(r"output_(\d{1,9})")
_QUANTISED = ("INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16", "UINT16")


@dataclass(frozen=True)
class Tensor:
    """An array as the file describes it."""

    number: int
    name: str
    shape: tuple[int | None, ...]
    """With the batch axis; None where the file leaves a length open."""
    kind: str
    """``"FLOAT32"``, …"""
    data: Span | None
    """Its bytes, where it is constant."""
    is_variable: bool = False

    @property
    def size(self) -> int:
        """Numbers in it; an open length counts as 1, as in the file."""
        return math.prod(1 if n is None else n for n in self.shape)


@dataclass(frozen=True)
class Operator:
    """One step."""

    kind: str
    inputs: tuple[int, ...]
    """Numbers of tensors; -1 for one that is left out."""
    outputs: tuple[int, ...]
    options: Mapping[str, float]
    """Under the schema's names; empty for operators whose options fastact does not read."""
    folded: Mapping[str, object] = field(default_factory=dict)
    """What operators around it that were folded into it said; of a custom operator, its attributes."""


@dataclass(frozen=True)
class Subgraph:
    """A network: the main one, or the condition or the body of a loop."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """The file's main network."""

    source: Source
    name: str
    tensors: Sequence[Tensor]
    """Its own, and then those of the loops."""
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_names: Mapping[int, str]
    """What the signature calls the inputs."""
    output_names: Mapping[int, str]
    loops: Mapping[int, Subgraph]
    """Conditions and bodies of the main network's loops, by the numbers that WHILE gives."""

    def ints(self, number: int) -> tuple[int, ...] | None:
        """The values of a constant of integers, read; None for any other tensor."""
        tensor = self.tensors[number] if number >= 0 else None
        if tensor is None or tensor.data is None or tensor.kind not in ("INT32", "INT64"):
            return None
        read = self.source.read(tensor.data.offset, tensor.data.size, f"tensor {number}")
        return tuple(int(n) for n in np.frombuffer(read, f"<i{ITEM_BYTES[tensor.kind]}"))

    def floats(self, tensor: Tensor) -> NDArray[np.float32]:
        """The values of a small constant of floats, as what describes the network and no weights."""
        assert tensor.data is not None, "constants only"
        read = self.source.read(tensor.data.offset, tensor.data.size, f"tensor {tensor.number}")
        return as_float32(read, tensor.kind)


def as_float32(stored: bytes, kind: str) -> NDArray[np.float32]:
    """The numbers in the bytes of a constant of one of `FLOATS`, those beyond float32 as infinities."""
    with np.errstate(over="ignore"):
        return np.frombuffer(stored, f"<f{ITEM_BYTES[kind]}").astype(np.float32)


def read(source: Source) -> Graph:
    """The first subgraph of the file; see the module.

    Raises:
        FileError: damaged, or not safe to read.
        UnsupportedError: quantised or sparse.
    """
    model = flatbuffer.root(source, "the model")
    codes = [
        _operator_name(Table(source, at, "an operator code")) for at in _places(model, schema.Model.OPERATOR_CODES)
    ]
    graphs = model.places(schema.Model.SUBGRAPHS, MOST_OPERATORS, "subgraphs")
    if not graphs:
        raise source.problem("holds no network: convert the model again")
    buffers = model.places(schema.Model.BUFFERS, 2 * MOST_TENSORS, "buffers")
    table = Table(source, graphs[0], "the main subgraph")
    main = _subgraph(table, codes, buffers, 0)
    tensors, loops = list(main.tensors), {}
    for number in _loops(source, main, len(graphs)):
        loop = _subgraph(Table(source, graphs[number], f"subgraph {number}"), codes, buffers, len(tensors))
        tensors += loop.tensors
        loops[number] = loop
    named_inputs, named_outputs = _signature(source, model)
    return Graph(
        source,
        table.text(schema.SubGraph.NAME),
        tensors,
        main.operators,
        _in_order(main.inputs, named_inputs),
        _in_order(main.outputs, named_outputs),
        named_inputs,
        named_outputs,
        loops,
    )


def _subgraph(table: Table, codes: Sequence[str], buffers: Sequence[int], first: int) -> Subgraph:
    """A network whose tensors are numbered from `first` on."""
    source, what = table.source, "" if first == 0 else f" of {table.what}"
    places = table.places(schema.SubGraph.TENSORS, MOST_TENSORS - first, "tensors")
    tensors = [_tensor(Table(source, at, f"tensor {i}{what}"), first + i, buffers) for i, at in enumerate(places)]
    places = table.places(schema.SubGraph.OPERATORS, MOST_OPERATORS, "operators")
    operators = [_operator(Table(source, at, f"operator {i}{what}"), codes, first) for i, at in enumerate(places)]
    inputs, outputs = (_numbers(table, f, "ends", first) for f in (schema.SubGraph.INPUTS, schema.SubGraph.OUTPUTS))
    numbered = {tensor.number: tensor for tensor in tensors}
    _check_wiring(source, numbered, operators, inputs, outputs)
    operators = _without_dequantize(operators, numbered)
    _refuse_quantised(source, numbered.values())
    return Subgraph(list(numbered.values()), operators, inputs, outputs)


def _numbers(table: Table, field: int, what: str, first: int) -> tuple[int, ...]:
    """Numbers of tensors, counted on from `first`; those below zero name none."""
    return tuple(first + n if n >= 0 else n for n in table.integers(field, MOST_TENSORS, what))


def _loops(source: Source, main: Subgraph, count: int) -> list[int]:
    """The subgraphs that are conditions and bodies of the main network's loops."""
    found = {
        int(number) for operator in main.operators if operator.kind == "WHILE" for number in operator.options.values()
    }
    if any(not 0 < number < count for number in found):
        raise source.damaged(f"a loop of its network is none of its {count} subgraphs")
    if len(found) > 2 * MOST_LOOPS:
        raise source.problem(f"is not safe to read: its network has more than {MOST_LOOPS} loops")
    return sorted(found)


def _places(table: Table, field: int) -> tuple[int, ...]:
    return table.places(field, MOST_OPERATORS, "items")


def _operator_name(code: Table) -> str:
    deprecated = code.integer(schema.OperatorCode.DEPRECATED_BUILTIN_CODE, "i8")
    number = max(deprecated, code.integer(schema.OperatorCode.BUILTIN_CODE, "i32"))
    if not 0 <= number < len(schema.OPERATORS):
        return f"OPERATOR {number}"
    name = schema.OPERATORS[number]
    return f"CUSTOM {code.text(schema.OperatorCode.CUSTOM_CODE)[:60]}" if name == "CUSTOM" else name


def _tensor(table: Table, number: int, buffers: Sequence[int]) -> Tensor:
    source, name = table.source, table.text(schema.Tensor.NAME)
    shape = table.integers(schema.Tensor.SHAPE, MOST_AXES, "axes")
    signature = table.integers(schema.Tensor.SHAPE_SIGNATURE, MOST_AXES, "axes") or shape
    if any(not 0 <= n < LARGEST for n in shape) or len(signature) != len(shape):
        raise source.damaged(f"{table.what}, {quoted(name)}, has the shape {shape}")
    if any(s not in (n, -1) for s, n in zip(signature, shape, strict=True)):
        raise source.damaged(f"{table.what}, {quoted(name)}, has the shapes {shape} and {signature}")
    kind_number = table.integer(schema.Tensor.TYPE, "i8")
    if not 0 <= kind_number < len(schema.TYPES):
        raise source.damaged(f"{table.what} is of an unknown type, {kind_number}")
    kind = schema.TYPES[kind_number]
    if table.has(schema.Tensor.SPARSITY):
        raise UnsupportedError(
            f"{quoted(source.path)} holds sparse weights, {quoted(name)}, which fastact does not read: convert the "
            "model without sparsity, or give the Keras file that it was made from"
        )
    quantization = table.table(schema.Tensor.QUANTIZATION, f"the quantization of {table.what}")
    if kind in _QUANTISED and quantization is not None and quantization.has_items(schema.Quantization.SCALE, 4):
        raise _quantised(source, name, kind)
    if table.integer(schema.Tensor.EXTERNAL_BUFFER, "u32"):
        raise source.problem("keeps weights in another file, which fastact does not open: convert it to one file")
    data = _data(table, buffers)
    if data is not None and kind in ITEM_BYTES and data.size != math.prod(shape) * ITEM_BYTES[kind]:
        raise source.damaged(
            f"{table.what}, {quoted(name)}, has {data.size} bytes, where its shape {shape} needs "
            f"{math.prod(shape) * ITEM_BYTES[kind]}"
        )
    variable = bool(table.integer(schema.Tensor.IS_VARIABLE, "bool"))
    lengths = signature if data is None else shape  # a constant is as long as its bytes, whatever the file leaves open
    return Tensor(number, name, tuple(None if n == -1 else n for n in lengths), kind, data, variable)


def _data(table: Table, buffers: Sequence[int]) -> Span | None:
    """Where a tensor's bytes are; None for one that is computed."""
    number, source = table.integer(schema.Tensor.BUFFER, "u32"), table.source
    if number == 0:
        return None
    if number >= len(buffers):
        raise source.damaged(f"{table.what} is in buffer {number} of {len(buffers)}")
    buffer = Table(source, buffers[number], f"buffer {number}")
    offset, size = (buffer.integer(f, "u64") for f in (schema.Buffer.OFFSET, schema.Buffer.SIZE))
    if offset > 1:  # 1 is a mark that converters put there for a while
        source.check(Span(offset, size), f"buffer {number}")
        return Span(offset, size)
    span = buffer.span(schema.Buffer.DATA)
    return span if span is not None and span.size else None


def _operator(table: Table, codes: Sequence[str], first: int) -> Operator:
    code = table.integer(schema.Operator.CODE, "u32")
    if code >= len(codes):
        raise table.source.damaged(f"{table.what} is of kind {code} of {len(codes)}")
    inputs, outputs = (_numbers(table, f, "tensors", first) for f in (schema.Operator.INPUTS, schema.Operator.OUTPUTS))
    kind = codes[code]
    if len(inputs) < schema.LEAST_INPUTS.get(kind, 0):
        raise table.source.damaged(f"{table.what}, {kind}, takes {len(inputs)} tensors")
    return Operator(kind, inputs, outputs, _options(table, kind), _custom_options(table, kind))


def _custom_options(table: Table, kind: str) -> dict[str, object]:
    if not kind.startswith("CUSTOM Flex"):
        return {}
    span = table.span(schema.Operator.CUSTOM_OPTIONS)
    if span is None or span.size > tflite_flex.MOST_BYTES:
        return {}
    return dict(tflite_flex.attributes(table.source.read(span.offset, span.size, table.what)))


def _options(table: Table, kind: str) -> dict[str, float]:
    described = schema.OPTIONS.get(kind)
    if described is None:
        return {}
    number = table.integer(schema.Operator.OPTIONS_TYPE, "u8")
    options = table.table(schema.Operator.OPTIONS, f"the options of {table.what}")
    if number == 0 or options is None:
        return {name: f.default for name, f in described.fields.items()}
    if number != described.number:
        raise table.source.damaged(f"{table.what}, {kind}, has the options of another")
    return {name: options.number(f.number, f.kind, f.default) for name, f in described.fields.items()}


def _check_wiring(
    source: Source,
    tensors: Mapping[int, Tensor],
    operators: Sequence[Operator],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> None:
    """Refuse tensors out of range, given twice, or taken before they are given."""
    given = {n for n, t in tensors.items() if t.data is not None or t.is_variable or t.size == 0}
    if len(set(inputs)) != len(inputs) or not inputs:
        raise source.damaged("its network has no inputs, or one of them twice")
    for number in inputs:
        if number not in tensors or tensors[number].data is not None:
            raise source.damaged(f"its network takes tensor {number} as an input")
    given.update(inputs)
    empty = {n for n, t in tensors.items() if t.size == 0}
    untouched = {n for n, t in tensors.items() if t.is_variable}.difference(inputs)
    for place, operator in enumerate(operators):
        for number in operator.inputs:
            if number != -1 and number not in given:
                raise source.damaged(f"operator {place}, {operator.kind}, takes tensor {number} before it is given")
        untouched.difference_update(operator.inputs)
        for number in operator.outputs:
            if number not in tensors or (number in given and number not in empty and number not in untouched):
                raise source.damaged(f"operator {place}, {operator.kind}, gives tensor {number}, which is not its own")
            given.add(number)
            untouched.discard(number)
    if not outputs or not given.issuperset(outputs):
        raise source.damaged("its network gives no outputs, or such as nothing computes")


def _without_dequantize(operators: Sequence[Operator], tensors: dict[int, Tensor]) -> list[Operator]:
    """The operators without DEQUANTIZE of float16 constants, which are put in the place of what it makes of them."""
    kept = []
    for operator in operators:
        stored = tensors.get(operator.inputs[0]) if len(operator.inputs) == 1 else None
        if operator.kind != "DEQUANTIZE" or len(operator.outputs) != 1 or stored is None or stored.data is None:
            kept.append(operator)
            continue
        made = tensors[operator.outputs[0]]
        if stored.kind not in FLOATS or made.kind not in FLOATS or stored.shape != made.shape:
            kept.append(operator)
            continue
        tensors[made.number] = Tensor(made.number, made.name, stored.shape, stored.kind, stored.data)
    return kept


def _refuse_quantised(source: Source, tensors: Iterable[Tensor]) -> None:
    for tensor in tensors:
        if tensor.kind in _QUANTISED and tensor.data is not None:
            raise _quantised(source, tensor.name, tensor.kind)


def _quantised(source: Source, name: str, kind: str) -> UnsupportedError:
    return UnsupportedError(
        f"{quoted(source.path)} is quantised ({quoted(name)} holds {kind.lower()}), and fastact reads float32 and "
        "float16 models: convert the model without optimizations, or give the Keras file that it was made from"
    )


def _signature(source: Source, model: Table) -> tuple[dict[int, str], dict[int, str]]:
    """Names of inputs and outputs in the first signature of the main network, by tensor, in the signature's order."""
    for place in _places(model, schema.Model.SIGNATURES):
        signature = Table(source, place, "a signature")
        if signature.integer(schema.Signature.SUBGRAPH, "u32") == 0:
            inputs, outputs = (
                {
                    entry.integer(schema.TensorMap.TENSOR, "u32"): entry.text(schema.TensorMap.NAME)
                    for entry in (Table(source, at, "a name in a signature") for at in _places(signature, f))
                }
                for f in (schema.Signature.INPUTS, schema.Signature.OUTPUTS)
            )
            return inputs, outputs
    return {}, {}


def _in_order(ends: Sequence[int], named: Mapping[int, str]) -> tuple[int, ...]:
    """The ends of the network, in the signature's order where it names all of them.

    That is by name; where Keras 3 has only numbered them, by number: ``output_10`` comes behind ``output_9``.
    """
    if set(named) != set(ends):
        return tuple(ends)
    found = {tensor: _NUMBERED.fullmatch(name) for tensor, name in named.items()}
    numbers = {tensor: int(match[1]) for tensor, match in found.items() if match}
    return tuple(sorted(named, key=numbers.__getitem__) if len(numbers) == len(named) else named)
