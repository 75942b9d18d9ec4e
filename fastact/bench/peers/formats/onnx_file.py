"""A network as an ONNX model, for ONNX Runtime and OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, checker, helper, numpy_helper

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
    Pads,
    Pool,
    Step,
    Upsample,
)

_OPSET, _IR_VERSION = 17, 8  # read by every version of both since 2022
_FUNCTIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


class _Graph:
    """Nodes and weights as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.ranks: dict[str, int] = {}  # of the steps' maps, the batch axis included

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def weight(self, name: str, array: Array) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def function(self, function: str, x: str, step: Step) -> None:
        """The activation that gives the step's map."""
        if function == "relu6":
            limits = [self.weight(f"{step.name}/{n}", np.array(n, np.float32)) for n in (0, 6)]
            self.node("Clip", [x, *limits], step.name)
        elif function == "softmax":
            self.node("Softmax", [x], step.name, axis=1)
        else:
            self.node(_FUNCTIONS.get(function, "Identity"), [x], step.name)

    def before(self, function: str, step: Step) -> str:
        """The name of what comes before the activation: the map itself if there is none."""
        return step.name if function == "linear" else f"{step.name}/linear"


def onnx_model(network: Network, in_bytes: bool = False) -> bytes:
    """Nodes of (1, channels, rows, columns); every wanted map is an output under its layer's name.

    `in_bytes`: the input is uint8 (1, rows, columns, channels), and the model itself scales it by 1/255.
    """
    graph = _Graph()
    rows, columns, channels = network.input_shape
    given = _tensor(INPUT, network.input_shape)
    if in_bytes:
        given = helper.make_tensor_value_info("bytes", TensorProto.UINT8, [1, rows, columns, channels])
        graph.node("Transpose", ["bytes"], "bytes/turned", perm=[0, 3, 1, 2])
        graph.node("Cast", ["bytes/turned"], "bytes/floats", to=TensorProto.FLOAT)
        graph.node("Mul", ["bytes/floats", graph.weight("bytes/scale", np.array([1 / 255], np.float32))], INPUT)
    for step in network.steps:
        _WRITERS[type(step)](graph, step)
        graph.ranks[step.name] = 1 + len(step.shape)
    outputs = [_tensor(s.name, s.shape) for s in network.wanted]
    made = helper.make_graph(graph.nodes, "network", [given], outputs, graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _tensor(name: str, shape: Sequence[int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *onnx_shape(shape)])


def onnx_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """A map's shape with channels first, without the batch axis."""
    return (shape[-1], *shape[:-1])


def _pads(pads: Pads) -> tuple[int, ...]:
    top, bottom, left, right = pads
    return top, left, bottom, right


def _conv(graph: _Graph, step: Conv) -> None:
    kernel = graph.weight(f"{step.name}/kernel", step.weights.transpose(3, 2, 0, 1))
    bias = graph.weight(f"{step.name}/bias", step.bias)
    before = graph.before(step.function, step)
    graph.node(
        "Conv",
        [step.inputs[0], kernel, bias],
        before,
        kernel_shape=step.weights.shape[:2],
        strides=step.strides,
        pads=_pads(step.pads),
        dilations=step.dilation,
        group=step.groups,
    )
    if step.function != "linear":
        graph.function(step.function, before, step)


def _conv_transpose(graph: _Graph, step: ConvTranspose) -> None:
    kernel = graph.weight(f"{step.name}/kernel", step.weights.transpose(3, 2, 0, 1))
    bias = graph.weight(f"{step.name}/bias", step.bias)
    before = graph.before(step.function, step)
    size, pads = step.weights.shape[:2], _pads(step.crops)
    inputs = [step.inputs[0], kernel, bias]
    graph.node("ConvTranspose", inputs, before, kernel_shape=size, strides=step.strides, pads=pads)
    if step.function != "linear":
        graph.function(step.function, before, step)


def _dense(graph: _Graph, step: Dense) -> None:
    weights = [graph.weight(f"{step.name}/kernel", step.weights), graph.weight(f"{step.name}/bias", step.bias)]
    before = graph.before(step.function, step)
    graph.node("Gemm", [step.inputs[0], *weights], before)
    if step.function != "linear":
        graph.function(step.function, before, step)


def _batch_norm(graph: _Graph, step: BatchNorm) -> None:
    arrays = {"gamma": step.gamma, "beta": step.beta, "mean": step.mean, "variance": step.variance}
    weights = [graph.weight(f"{step.name}/{name}", array) for name, array in arrays.items()]
    graph.node("BatchNormalization", [step.inputs[0], *weights], step.name, epsilon=step.epsilon)


def _pool(graph: _Graph, step: Pool) -> None:
    kind = "MaxPool" if step.kind == "max" else "AveragePool"
    graph.node(kind, step.inputs, step.name, kernel_shape=step.size, strides=step.strides, pads=_pads(step.pads))


def _global_average(graph: _Graph, step: GlobalAverage) -> None:
    graph.node("GlobalAveragePool", step.inputs, f"{step.name}/kept")
    graph.node("Flatten", [f"{step.name}/kept"], step.name)


def _flatten(graph: _Graph, step: Flatten) -> None:
    """Keras flattens with channels last: a picture is turned round before."""
    (given,) = step.inputs
    if graph.ranks.get(given, 4) == 4:
        given = graph.node("Transpose", [given], f"{step.name}/turned", perm=[0, 2, 3, 1])
    graph.node("Flatten", [given], step.name, axis=1)


def _upsample(graph: _Graph, step: Upsample) -> None:
    scales = graph.weight(f"{step.name}/scales", np.array([1, 1, *step.size], np.float32))
    how = (
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if step.interpolation == "nearest"
        else {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    )
    graph.node("Resize", [step.inputs[0], "", scales], step.name, **how)


def _pad(graph: _Graph, step: Pad) -> None:
    top, left, bottom, right = _pads(step.pads)
    pads = graph.weight(f"{step.name}/pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    graph.node("Pad", [step.inputs[0], pads], step.name)


_WRITERS: dict[type[Step], Callable[[_Graph, Any], object]] = {
    Activation: lambda graph, step: graph.function(step.function, step.inputs[0], step),
    BatchNorm: _batch_norm,
    Concat: lambda graph, step: graph.node("Concat", step.inputs, step.name, axis=1),
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Flatten: _flatten,
    GlobalAverage: _global_average,
    Merge: lambda graph, step: graph.node("Add" if step.kind == "add" else "Mul", step.inputs, step.name),
    Pad: _pad,
    Pool: _pool,
    Upsample: _upsample,
}
