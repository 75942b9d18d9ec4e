"""OpenVINO's CPU plugin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino

from fastact.bench.peers.formats.onnx_file import onnx_model
from fastact.bench.peers.network import Array, Floats, Network


class Engine:
    """A request compiled for latency in float32; input and outputs shared, not copied."""

    def __init__(self, network: Network, frame: Array, threads: int, inside: bool) -> None:
        self.version = openvino.__version__.partition("-")[0]
        core = openvino.Core()
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        in_bytes = frame.dtype == np.uint8
        model = core.read_model(onnx_model(network, in_bytes and inside))
        compiled = core.compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        self._bytes = frame if in_bytes and not inside else None
        if in_bytes and inside:
            self._frame: Array = np.ascontiguousarray(frame[np.newaxis])
        else:
            self._frame = np.ascontiguousarray(frame.transpose(2, 0, 1)[np.newaxis], np.float32)
        self._turned = self._frame[0].transpose(1, 2, 0)
        self._outputs = [compiled.output(name) for name in network.outputs]

    def run(self) -> list[Floats]:
        """NCHW in, NCHW out; bytes are turned round as they are scaled."""
        if self._bytes is not None:
            np.multiply(self._bytes, np.float32(1 / 255), out=self._turned)
        result = self._request.infer([self._frame], share_inputs=True, share_outputs=True)
        return [result[output] for output in self._outputs]

    def maps(self, result: object) -> Sequence[Floats]:
        """Copies, channels moved last."""
        made = [self._request.get_tensor(output).data[0] for output in self._outputs]
        return [(m.transpose(1, 2, 0) if m.ndim == 3 else m).copy() for m in made]
