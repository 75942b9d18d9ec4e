"""LiteRT, formerly TensorFlow Lite, with XNNPACK."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from fastact.bench.peers.formats.tflite_file import tflite_model
from fastact.bench.peers.network import Array, Floats, Network
from fastact.bench.peers.rivals import version_of


class Engine:
    """An interpreter; frames go into its own memory and maps are views of it, so that nothing is copied twice."""

    def __init__(self, network: Network, frame: Array, threads: int, inside: bool) -> None:
        self.version = version_of(["ai-edge-litert"]) or "unknown"
        in_bytes = frame.dtype == np.uint8
        model = tflite_model(network, in_bytes and inside)
        self._interpreter = Interpreter(model_content=model, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._feed = None
        if in_bytes:
            self._feed = self._bytes if inside else self._floats
        self._frame = frame
        self._input()[0] = frame
        by_name = {d["name"]: d["index"] for d in self._interpreter.get_output_details()}
        self._views = [self._interpreter.tensor(by_name[name]) for name in network.outputs]

    def _bytes(self) -> None:
        self._input()[0] = self._frame

    def _floats(self) -> None:
        np.multiply(self._frame, np.float32(1 / 255), out=self._input()[0])

    def run(self) -> list[Floats]:
        """NHWC in, NHWC out."""
        if self._feed is not None:
            self._feed()
        self._interpreter.invoke()
        return [view() for view in self._views]

    def maps(self, result: object) -> Sequence[Floats]:
        """Copies, without the batch axis."""
        return [view()[0].copy() for view in self._views]
