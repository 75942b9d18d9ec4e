"""A network as a TensorFlow Lite model, through the schema that comes with LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from fastact.bench.peers.network import (
    INPUT,
    Activation,
    Array,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAverage,
    Merge,
    Network,
    Pad,
    PeerError,
    Pool,
    Step,
    Upsample,
)

_IDENTIFIER = b"TFL3"
_FUSED = {"linear": "NONE", "relu": "RELU", "relu6": "RELU6"}
_FUNCTIONS = {"relu": "RELU", "relu6": "RELU6", "sigmoid": "LOGISTIC", "tanh": "TANH", "softmax": "SOFTMAX"}
_TYPES = {"float32": "FLOAT32", "int32": "INT32", "uint8": "UINT8"}


class _Graph:
    """Tensors and operators as they are added; tensors are known by number."""

    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]  # the first must be empty: tensors without data refer to it
        self.codes: dict[tuple[str, int], int] = {}
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.numbers: dict[str, int] = {}

    def tensor(self, name: str, shape: Sequence[int], buffer: int = 0, kind: str = "float32") -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name.encode(), [int(n) for n in shape], buffer
        tensor.type = getattr(schema.TensorType, _TYPES[kind])
        self.tensors.append(tensor)
        self.numbers[name] = len(self.tensors) - 1
        return self.numbers[name]

    def weight(self, name: str, array: Array) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self.buffers.append(buffer)
        return self.tensor(name, array.shape, len(self.buffers) - 1, str(array.dtype))

    def operator(
        self, kind: str, inputs: Sequence[int], output: int, options: str = "", version: int = 1, **values: Any
    ) -> None:
        """Adds an operator; `options` names its table in the schema, `values` what it holds."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.setdefault((kind, version), len(self.codes))
        operator.inputs, operator.outputs = list(inputs), [output]
        if options:
            table = getattr(schema, f"{options}T")()
            for name, value in values.items():
                setattr(table, name, value)
            operator.builtinOptionsType, operator.builtinOptions = getattr(schema.BuiltinOptions, options), table
        self.operators.append(operator)

    def output(self, step: Step) -> int:
        return self.tensor(step.name, (1, *step.shape))

    def inputs(self, step: Step) -> list[int]:
        return [self.numbers[name] for name in step.inputs]

    def fused(self, function: str, step: Step) -> tuple[int, int]:
        """The activation a convolution does itself, and where it writes: another operator does the others."""
        if function in _FUSED:
            return getattr(schema.ActivationFunctionType, _FUSED[function]), self.output(step)
        return schema.ActivationFunctionType.NONE, self.tensor(f"{step.name}/linear", (1, *step.shape))

    def function(self, function: str, x: int, step: Step) -> None:
        values: dict[str, Any] = {"options": "SoftmaxOptions", "beta": 1.0} if function == "softmax" else {}
        self.operator(_FUNCTIONS[function], [x], self.output(step), **values)

    def rest(self, function: str, x: int, step: Step) -> None:
        """What is left of an activation after `fused`."""
        if function not in _FUSED:
            self.function(function, x, step)


def tflite_model(network: Network, in_bytes: bool = False) -> bytes:
    """Operators on (1, rows, columns, channels), relu fused; every wanted map is an output under its layer's name.

    `in_bytes`: the input is uint8, and the model itself scales it by 1/255.
    """
    graph = _Graph()
    shape = (1, *network.input_shape)
    if in_bytes:
        given = graph.tensor("bytes", shape, kind="uint8")
        floats = graph.tensor("bytes/floats", shape)
        scale = graph.weight("bytes/scale", np.array([1 / 255], np.float32))
        graph.operator("CAST", [given], floats)
        graph.operator("MUL", [floats, scale], graph.tensor(INPUT, shape), "MulOptions")
    else:
        given = graph.tensor(INPUT, shape)
    for step in network.steps:
        _WRITERS[type(step)](graph, step)
    made = schema.SubGraphT()
    made.tensors, made.operators = graph.tensors, graph.operators
    made.inputs, made.outputs = [given], [graph.numbers[name] for name in network.outputs]
    model = schema.ModelT()
    model.version, model.description, model.buffers, model.subgraphs = 3, b"network", graph.buffers, [made]
    model.operatorCodes = [_code(kind, version) for kind, version in graph.codes]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _code(kind: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    return code


def _window(step: Conv | ConvTranspose | Pool) -> dict[str, Any]:
    padding = getattr(schema.Padding, step.padding.upper())
    return {"padding": padding, "strideH": step.strides[0], "strideW": step.strides[1]}


def _conv(graph: _Graph, step: Conv) -> None:
    channels = step.weights.shape[2] * step.groups
    depthwise = step.groups == channels > 1
    if step.groups != 1 and not depthwise:
        raise PeerError("grouped convolutions are not measured in LiteRT")
    kernel = step.weights.transpose(2, 0, 1, 3) if depthwise else step.weights.transpose(3, 0, 1, 2)
    weights = [graph.weight(f"{step.name}/kernel", kernel), graph.weight(f"{step.name}/bias", step.bias)]
    function, output = graph.fused(step.function, step)
    values = {**_window(step), "fusedActivationFunction": function}
    values |= {"dilationHFactor": step.dilation[0], "dilationWFactor": step.dilation[1]}
    kind, options = "CONV_2D", "Conv2DOptions"
    if depthwise:
        kind, options = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        values["depthMultiplier"] = step.weights.shape[3] // channels
    graph.operator(kind, [*graph.inputs(step), *weights], output, options, **values)
    graph.rest(step.function, output, step)


def _conv_transpose(graph: _Graph, step: ConvTranspose) -> None:
    shape = graph.weight(f"{step.name}/shape", np.array([1, *step.shape], np.int32))
    kernel = graph.weight(f"{step.name}/kernel", step.weights.transpose(2, 0, 1, 3))
    bias = graph.weight(f"{step.name}/bias", step.bias)
    linear = step.function == "linear"
    output = graph.output(step) if linear else graph.tensor(f"{step.name}/linear", (1, *step.shape))
    inputs = [shape, kernel, *graph.inputs(step), bias]
    graph.operator("TRANSPOSE_CONV", inputs, output, "TransposeConvOptions", 3, **_window(step))
    if not linear:
        graph.function(step.function, output, step)


def _dense(graph: _Graph, step: Dense) -> None:
    weights = [graph.weight(f"{step.name}/kernel", step.weights.T), graph.weight(f"{step.name}/bias", step.bias)]
    function, output = graph.fused(step.function, step)
    inputs = [*graph.inputs(step), *weights]
    graph.operator("FULLY_CONNECTED", inputs, output, "FullyConnectedOptions", fusedActivationFunction=function)
    graph.rest(step.function, output, step)


def _batch_norm(graph: _Graph, step: BatchNorm) -> None:
    """A product and a sum, which is what TensorFlow's converter makes of a normalization whose map is wanted."""
    scaled = graph.tensor(f"{step.name}/scaled", (1, *step.shape))
    graph.operator("MUL", [*graph.inputs(step), graph.weight(f"{step.name}/scale", step.scale)], scaled, "MulOptions")
    offset = graph.weight(f"{step.name}/offset", step.offset)
    graph.operator("ADD", [scaled, offset], graph.output(step), "AddOptions")


def _merge(graph: _Graph, step: Merge) -> None:
    kind, options = ("ADD", "AddOptions") if step.kind == "add" else ("MUL", "MulOptions")
    graph.operator(kind, graph.inputs(step), graph.output(step), options)


def _concat(graph: _Graph, step: Concat) -> None:
    graph.operator(
        "CONCATENATION", graph.inputs(step), graph.output(step), "ConcatenationOptions", axis=len(step.shape)
    )


def _pool(graph: _Graph, step: Pool) -> None:
    size = {"filterHeight": step.size[0], "filterWidth": step.size[1]}
    kind = "MAX_POOL_2D" if step.kind == "max" else "AVERAGE_POOL_2D"
    graph.operator(kind, graph.inputs(step), graph.output(step), "Pool2DOptions", **_window(step), **size)


def _global_average(graph: _Graph, step: GlobalAverage) -> None:
    axes = graph.weight(f"{step.name}/axes", np.array([1, 2], np.int32))
    graph.operator("MEAN", [*graph.inputs(step), axes], graph.output(step), "ReducerOptions", keepDims=False)


def _flatten(graph: _Graph, step: Flatten) -> None:
    shape = graph.weight(f"{step.name}/shape", np.array([1, *step.shape], np.int32))
    graph.operator(
        "RESHAPE", [*graph.inputs(step), shape], graph.output(step), "ReshapeOptions", newShape=[1, *step.shape]
    )


def _upsample(graph: _Graph, step: Upsample) -> None:
    size = graph.weight(f"{step.name}/size", np.array(step.shape[:2], np.int32))
    kind, options = ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")
    if step.interpolation == "bilinear":
        kind, options = ("RESIZE_BILINEAR", "ResizeBilinearOptions")
    inputs = [*graph.inputs(step), size]
    graph.operator(kind, inputs, graph.output(step), options, 3, halfPixelCenters=True)


def _pad(graph: _Graph, step: Pad) -> None:
    top, bottom, left, right = step.pads
    pads = graph.weight(f"{step.name}/pads", np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    graph.operator("PAD", [*graph.inputs(step), pads], graph.output(step))


_WRITERS: dict[type[Step], Callable[[_Graph, Any], None]] = {
    Activation: lambda graph, step: graph.function(step.function, graph.inputs(step)[0], step),
    BatchNorm: _batch_norm,
    Concat: _concat,
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Flatten: _flatten,
    GlobalAverage: _global_average,
    Merge: _merge,
    Pad: _pad,
    Pool: _pool,
    Upsample: _upsample,
}
