"""ONNX Runtime's CPU provider."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime

from benchmarks.chain import Chain, Floats
from benchmarks.formats.onnx_file import INPUT, onnx_model


class Engine:
    """A session with all optimisations, its outputs bound to arrays made beforehand.

    Bound outputs save it an allocation and a copy a map: a few per cent beside `session.run` at 160x120.
    """

    def __init__(self, chain: Chain, frame: Floats) -> None:
        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session = onnxruntime.InferenceSession(onnx_model(chain), options, providers=["CPUExecutionProvider"])
        self._frame = np.ascontiguousarray(frame.transpose(2, 0, 1)[np.newaxis])
        self._binding = self._session.io_binding()
        self._binding.bind_cpu_input(INPUT, self._frame)
        self._maps = []
        for conv in chain.convs:
            rows, columns, filters = conv.shape
            array = np.empty((1, filters, rows, columns), np.float32)
            self._binding.bind_output(conv.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
            self._maps.append(array)

    def run(self) -> list[Floats]:
        """NCHW in, NCHW out."""
        self._session.run_with_iobinding(self._binding)
        return self._maps

    def maps(self, result: object) -> Sequence[Floats]:
        """Channels moved last."""
        return [m[0].transpose(1, 2, 0) for m in self._maps]
