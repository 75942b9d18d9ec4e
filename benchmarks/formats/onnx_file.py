"""A chain as an ONNX model, for ONNX Runtime and OpenVINO."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, ValueInfoProto, checker, helper, numpy_helper

from benchmarks.chain import Chain

INPUT = "frame"
_OPSET, _IR_VERSION = 17, 8  # read by every version of both since 2022


def onnx_model(chain: Chain) -> bytes:
    """Conv and Relu nodes, (1, channels, rows, columns); every layer's map is an output under the layer's name."""
    nodes, weights, outputs, x = [], [], [], INPUT
    for conv in chain.convs:
        kernel = np.ascontiguousarray(conv.weights.transpose(3, 2, 0, 1))
        weights += [
            numpy_helper.from_array(kernel, f"{conv.name}/kernel"),
            numpy_helper.from_array(conv.bias, f"{conv.name}/bias"),
        ]
        top, bottom, left, right = conv.pads
        y = f"{conv.name}/before_relu" if conv.relu else conv.name
        nodes.append(
            helper.make_node(
                "Conv",
                [x, f"{conv.name}/kernel", f"{conv.name}/bias"],
                [y],
                kernel_shape=kernel.shape[2:],
                strides=conv.strides,
                pads=(top, left, bottom, right),
                dilations=conv.dilation,
                group=conv.groups,
            )
        )
        if conv.relu:
            nodes.append(helper.make_node("Relu", [y], [conv.name]))
        outputs.append(_tensor(conv.name, conv.shape))
        x = conv.name
    graph = helper.make_graph(nodes, "chain", [_tensor(INPUT, chain.input_shape)], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _tensor(name: str, shape: tuple[int, int, int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, shape[2], shape[0], shape[1]])
