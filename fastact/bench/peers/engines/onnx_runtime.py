"""ONNX Runtime's CPU provider."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime

from fastact.bench.peers.formats.onnx_file import onnx_model, onnx_shape
from fastact.bench.peers.network import Array, Floats, Network


class Engine:
    """A session with all optimisations, its input and outputs bound to arrays made beforehand.

    Bound outputs save it an allocation and a copy a map: a few per cent beside `session.run` at 160x120.
    """

    def __init__(self, network: Network, frame: Array, threads: int, inside: bool) -> None:
        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        in_bytes = frame.dtype == np.uint8
        model = onnx_model(network, in_bytes and inside)
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._bytes = frame if in_bytes and not inside else None
        if in_bytes and inside:
            self._frame: Array = np.ascontiguousarray(frame[np.newaxis])
        else:
            self._frame = np.ascontiguousarray(frame.transpose(2, 0, 1)[np.newaxis], np.float32)
        self._turned = self._frame[0].transpose(1, 2, 0)
        self._binding = self._session.io_binding()
        name, given = self._session.get_inputs()[0].name, self._frame
        self._binding.bind_input(name, "cpu", 0, given.dtype.type, given.shape, given.ctypes.data)
        self._maps = []
        for step in network.wanted:
            array = np.empty((1, *onnx_shape(step.shape)), np.float32)
            self._binding.bind_output(step.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
            self._maps.append(array)

    def run(self) -> list[Floats]:
        """NCHW in, NCHW out; bytes are turned round as they are scaled."""
        if self._bytes is not None:
            np.multiply(self._bytes, np.float32(1 / 255), out=self._turned)
        self._session.run_with_iobinding(self._binding)
        return self._maps

    def maps(self, result: object) -> Sequence[Floats]:
        """Channels moved last."""
        return [channels_last(m[0]) for m in self._maps]


def channels_last(array: Floats) -> Floats:
    """A map with its channels moved last; a vector is one already."""
    return array.transpose(1, 2, 0) if array.ndim == 3 else array
