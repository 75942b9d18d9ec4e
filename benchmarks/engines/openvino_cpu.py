"""OpenVINO's CPU plugin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino

from benchmarks.chain import Chain, Floats
from benchmarks.formats.onnx_file import onnx_model


class Engine:
    """A request compiled for latency in float32; input and outputs shared, not copied."""

    def __init__(self, chain: Chain, frame: Floats) -> None:
        self.version = openvino.__version__.partition("-")[0]
        core = openvino.Core()
        options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(onnx_model(chain)), "CPU", options)
        self._request = compiled.create_infer_request()
        self._frame = np.ascontiguousarray(frame.transpose(2, 0, 1)[np.newaxis])
        self._outputs = [compiled.output(c.name) for c in chain.convs]

    def run(self) -> list[Floats]:
        """NCHW in, NCHW out."""
        result = self._request.infer([self._frame], share_inputs=True, share_outputs=True)
        return [result[output] for output in self._outputs]

    def maps(self, result: object) -> Sequence[Floats]:
        """Copies, channels moved last."""
        return [self._request.get_tensor(output).data[0].transpose(1, 2, 0).copy() for output in self._outputs]
