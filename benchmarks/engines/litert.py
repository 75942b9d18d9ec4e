"""LiteRT, formerly TensorFlow Lite, with XNNPACK."""

from __future__ import annotations

from collections.abc import Sequence

from ai_edge_litert.interpreter import Interpreter

from benchmarks.chain import Chain, Floats
from benchmarks.common import version_of
from benchmarks.formats.tflite_file import tflite_model


class Engine:
    """An interpreter; the maps are views of its own memory, so that nothing is copied."""

    def __init__(self, chain: Chain, frame: Floats) -> None:
        self.version = version_of(["ai-edge-litert"]) or "unknown"
        self._interpreter = Interpreter(model_content=tflite_model(chain), num_threads=1)
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], frame[None])
        by_name = {d["name"]: d["index"] for d in self._interpreter.get_output_details()}
        self._views = [self._interpreter.tensor(by_name[c.name]) for c in chain.convs]

    def run(self) -> list[Floats]:
        """NHWC in, NHWC out."""
        self._interpreter.invoke()
        return [view() for view in self._views]

    def maps(self, result: object) -> Sequence[Floats]:
        """Copies, without the batch axis."""
        return [view()[0].copy() for view in self._views]
