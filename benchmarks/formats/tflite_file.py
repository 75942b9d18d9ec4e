"""A chain as a TensorFlow Lite model, through the schema that comes with LiteRT."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from benchmarks.chain import Chain, Conv, Floats
from benchmarks.common import BenchmarkError

_IDENTIFIER = b"TFL3"


def tflite_model(chain: Chain) -> bytes:
    """CONV_2D operators, relu fused, (1, rows, columns, channels); every layer's map is an output."""
    model = schema.ModelT()
    model.version, model.description = 3, b"chain"
    model.buffers = [schema.BufferT()]  # the first must be empty: tensors without data refer to it
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    model.operatorCodes = [code]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor("frame", (1, *chain.input_shape), 0)]
    graph.inputs, graph.outputs, graph.operators = [0], [], []
    for conv in chain.convs:
        if conv.groups != 1:
            raise BenchmarkError("grouped convolutions are not measured in LiteRT")
        first = len(graph.tensors)
        for name, array in (("kernel", conv.weights.transpose(3, 0, 1, 2)), ("bias", conv.bias)):
            model.buffers.append(_buffer(array))
            graph.tensors.append(_tensor(f"{conv.name}/{name}", array.shape, len(model.buffers) - 1))
        graph.tensors.append(_tensor(conv.name, (1, *conv.shape), 0))
        operator = schema.OperatorT()
        operator.inputs = [graph.outputs[-1] if graph.outputs else 0, first, first + 1]
        operator.outputs = [first + 2]
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, _options(conv)
        graph.operators.append(operator)
        graph.outputs.append(first + 2)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _options(conv: Conv) -> schema.Conv2DOptionsT:
    options = schema.Conv2DOptionsT()
    options.padding = getattr(schema.Padding, conv.padding)
    options.strideH, options.strideW = conv.strides
    options.dilationHFactor, options.dilationWFactor = conv.dilation
    activation = schema.ActivationFunctionType
    options.fusedActivationFunction = activation.RELU if conv.relu else activation.NONE
    return options


def _tensor(name: str, shape: tuple[int, ...], buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = (
        name.encode(),
        list(shape),
        schema.TensorType.FLOAT32,
        buffer,
    )
    return tensor


def _buffer(array: Floats) -> schema.BufferT:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
    return buffer
