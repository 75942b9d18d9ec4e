"""TensorFlow Lite files made by hand, honest ones and ones that attack their reader.

A table is a dict from the number of a field to its value: a `Scalar`, a `str`, `bytes`, a list of integers, a table,
or a list of tables. The same table may stand in several places, and is then written once and pointed to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from hostile import ramp

from fastact.files import tflite_schema as schema


@dataclass(frozen=True)
class Scalar:
    """A number in a table; `layout` is struct's."""

    layout: str
    value: float


@dataclass(frozen=True)
class Raw:
    """A vector that claims `length` items and holds `content`."""

    length: int
    content: bytes = b""


def i8(value: int) -> Scalar:
    return Scalar("<b", value)


def u8(value: int) -> Scalar:
    return Scalar("<B", value)


def i32(value: int) -> Scalar:
    return Scalar("<i", value)


def u32(value: int) -> Scalar:
    return Scalar("<I", value)


def u64(value: int) -> Scalar:
    return Scalar("<Q", value)


class _Writer:
    """Writes tables before what they point to, so that all offsets are positive."""

    def __init__(self) -> None:
        self.data = bytearray(8)
        self.written: dict[int, int] = {}
        self.waiting: list[tuple[int, Any]] = []

    def table(self, fields: dict[int, Any]) -> int:
        count = max(fields, default=-1) + 1
        places, size = {}, 4
        for number, value in fields.items():
            width = struct.calcsize(value.layout) if isinstance(value, Scalar) else 4
            size = -(-size // width) * width
            places[number], size = size, size + width
        self._align()
        start = len(self.data) + 4 + 2 * count
        start = -(-start // 8) * 8
        self.data += bytes(start - 4 - 2 * count - len(self.data))
        offsets = [places.get(number, 0) for number in range(count)]
        self.data += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
        self.data += struct.pack("<i", 4 + 2 * count) + bytes(size - 4)
        for number, value in fields.items():
            at = start + places[number]
            if isinstance(value, Scalar):
                struct.pack_into(value.layout, self.data, at, value.value)
            else:
                self.waiting.append((at, value))
        return start

    def _align(self) -> None:
        self.data += bytes(-len(self.data) % 16)

    def value(self, value: Any) -> int:
        if isinstance(value, dict):
            return self.table(value)
        self._align()
        self.data += bytes(12)  # the items begin at a multiple of 16
        start = len(self.data)
        if isinstance(value, Raw):
            self.data += struct.pack("<I", value.length) + value.content
        elif isinstance(value, (str, bytes)):
            content = value.encode() if isinstance(value, str) else value
            self.data += struct.pack("<I", len(content)) + content + b"\0"
        elif value and isinstance(value[0], dict):
            self.data += struct.pack("<I", len(value)) + bytes(4 * len(value))
            self.waiting += [(start + 4 + 4 * i, one) for i, one in enumerate(value)]
        else:
            self.data += struct.pack(f"<I{len(value)}i", len(value), *value)
        return start

    def finish(self, root: dict[int, Any]) -> bytes:
        struct.pack_into("<I4s", self.data, 0, self.table(root), b"TFL3")
        while self.waiting:
            at, value = self.waiting.pop()
            place = self.written.get(id(value)) if isinstance(value, dict) else None
            if place is None or place < at:
                place = self.value(value)
                self.written[id(value)] = place
            struct.pack_into("<I", self.data, at, place - at)
        return bytes(self.data)


def encoded(root: dict[int, Any]) -> bytes:
    return _Writer().finish(root)


def tensor(name: str, shape: list[int], buffer: int = 0, kind: str = "FLOAT32", **others: Any) -> dict[int, Any]:
    signature = others.pop("signature", None)
    fields: dict[int, Any] = {
        schema.Tensor.SHAPE: shape,
        schema.Tensor.TYPE: i8(schema.TYPES.index(kind)),
        schema.Tensor.BUFFER: u32(buffer),
        schema.Tensor.NAME: name,
    }
    return fields | ({} if signature is None else {schema.Tensor.SHAPE_SIGNATURE: signature})


def operator(
    code: int, inputs: list[int], outputs: list[int], kind: str | None = None, **options: int
) -> dict[int, Any]:
    fields: dict[int, Any] = {
        schema.Operator.CODE: u32(code), schema.Operator.INPUTS: inputs, schema.Operator.OUTPUTS: outputs,
    }  # fmt: skip
    if kind is not None:
        described = schema.OPTIONS[kind]
        layouts = {"i8": "<b", "bool": "<?", "i32": "<i", "f32": "<f"}
        written = {described.fields[n].number: Scalar(layouts[described.fields[n].kind], v) for n, v in options.items()}
        fields |= {schema.Operator.OPTIONS_TYPE: u8(described.number), schema.Operator.OPTIONS: written}
    return fields


KINDS = ("CONV_2D", "MEAN", "FULLY_CONNECTED")


def small_model() -> dict[int, Any]:
    """A convolution, a mean and a dense layer: the network of `hostile.WANTED`, as a table to be changed."""
    kernel, bias, dense, dense_bias = ramp(3, 3, 3, 4), ramp(4), ramp(4, 2), ramp(2)
    constants = [
        kernel.transpose(3, 0, 1, 2), bias, np.array([1, 2], np.int32), dense.T, dense_bias,
    ]  # fmt: skip
    tensors = [
        tensor("serving_default_image:0", [1, 8, 8, 3], signature=[-1, 8, 8, 3]),
        tensor("small/conv/Conv2D", [4, 3, 3, 3], 1),
        tensor("small/conv/BiasAdd/ReadVariableOp", [4], 2),
        tensor("small/pool/Mean/reduction_indices", [2], 3, "INT32"),
        tensor("small/dense/MatMul", [2, 4], 4),
        tensor("small/dense/BiasAdd", [2], 5),
        tensor("small/conv/BiasAdd;small/conv/Conv2D;small/conv/BiasAdd/ReadVariableOp", [1, 6, 6, 4]),
        tensor("small/pool/Mean", [1, 4]),
        tensor("StatefulPartitionedCall:0", [1, 2]),
    ]
    operators = [
        operator(0, [0, 1, 2], [6], "CONV_2D", padding=1, stride_w=1, stride_h=1),
        operator(1, [6, 3], [7], "MEAN"),
        operator(2, [7, 4, 5], [8], "FULLY_CONNECTED"),
    ]
    graph = {
        schema.SubGraph.TENSORS: tensors,
        schema.SubGraph.INPUTS: [0],
        schema.SubGraph.OUTPUTS: [8],
        schema.SubGraph.OPERATORS: operators,
        schema.SubGraph.NAME: "main",
    }
    names = {
        schema.Signature.INPUTS: [{schema.TensorMap.NAME: "image", schema.TensorMap.TENSOR: u32(0)}],
        schema.Signature.OUTPUTS: [{schema.TensorMap.NAME: "dense", schema.TensorMap.TENSOR: u32(8)}],
    }
    codes = [
        {
            schema.OperatorCode.DEPRECATED_BUILTIN_CODE: i8(schema.OPERATORS.index(kind)),
            schema.OperatorCode.BUILTIN_CODE: i32(schema.OPERATORS.index(kind)),
        }
        for kind in KINDS
    ]
    return {
        0: u32(3),
        schema.Model.OPERATOR_CODES: codes,
        schema.Model.SUBGRAPHS: [graph],
        schema.Model.BUFFERS: [{}, *({schema.Buffer.DATA: np.ascontiguousarray(one).tobytes()} for one in constants)],
        schema.Model.SIGNATURES: [names],
    }
