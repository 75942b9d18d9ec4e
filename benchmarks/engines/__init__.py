"""The engines: fastact and its rivals, each in a module with a class `Engine`.

A rival is given every advantage that its users could have too: weights in its own layout and the frame in its own
memory before the clock starts, its fused operations, and maps taken in its own layout, without a copy where it can.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.chain import Chain, Floats


class Engine(Protocol):
    """Computes the maps of every convolution of a chain, with one thread.

    Attributes:
        version: of the library behind it.
    """

    version: str

    def __init__(self, chain: Chain, frame: Floats) -> None:
        """Prepares for `frame`, (rows, columns, channels) float32; nothing here is timed."""

    def run(self) -> object:
        """One frame, from an array to arrays: this is timed."""

    def maps(self, result: object) -> Sequence[Floats]:
        """What `run` gave, in order, each map as (rows, columns, filters); not timed."""


@dataclass(frozen=True)
class Rival:
    """An engine that may be installed.

    Attributes:
        module: holds its class `Engine`.
        imports: the module whose presence tells that it is installed.
        packages: the distributions it may come from, the one to recommend first.
    """

    name: str
    module: str
    imports: str
    packages: tuple[str, ...]

    @property
    def installed(self) -> bool:
        """Whether it can be measured here."""
        return importlib.util.find_spec(self.imports) is not None


ONNX_RUNTIME = Rival("ONNX Runtime", f"{__name__}.onnx_runtime", "onnxruntime", ("onnxruntime",))

RIVALS = (
    ONNX_RUNTIME,
    Rival("LiteRT", f"{__name__}.litert", "ai_edge_litert", ("ai-edge-litert",)),
    Rival("PyTorch", f"{__name__}.pytorch", "torch", ("torch",)),
    Rival("OpenVINO", f"{__name__}.openvino_cpu", "openvino", ("openvino",)),
    Rival(
        "TensorFlow (tf.function)",
        f"{__name__}.tensorflow_function",
        "tensorflow",
        ("tensorflow-cpu", "tensorflow"),
    ),
)
