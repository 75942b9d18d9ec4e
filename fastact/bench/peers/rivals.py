"""The engines: fastact and its rivals, each in a module of :mod:`fastact.bench.peers.engines`.

A rival is given every advantage that its users could have too: weights in its own layout before the clock starts, its
fused operations, maps taken in its own layout without a copy where it can. A float frame lies in its own memory and
layout before the clock starts; a uint8 frame is one (rows, columns, channels) array, as a camera gives it, and is
converted while the clock runs: by NumPy or inside the rival's model, whichever turns out faster for it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastact.bench.peers.network import Array, Floats, Network


class Engine(Protocol):
    """Computes the wanted maps of a network.

    Attributes:
        version: of the library behind it.
    """

    version: str

    def __init__(self, network: Network, frame: Array, threads: int, inside: bool) -> None:
        """Prepares for `frame`, (rows, columns, channels), float32 or uint8; nothing here is timed.

        `inside`: a uint8 frame is scaled by 1/255 inside the model, else by NumPy.
        """

    def run(self) -> object:
        """One frame, from an array to arrays: this is timed."""

    def maps(self, result: object) -> Sequence[Floats]:
        """What `run` gave, in order, each map as (rows, columns, channels) or (channels,); not timed."""


@dataclass(frozen=True)
class Rival:
    """An engine that may be installed.

    Attributes:
        name: as tables have it.
        module: holds its class `Engine`.
        imports: the modules whose presence tells that it can be measured.
        packages: the distributions it may come from, the one to recommend first.
        key: what `fastact bench --peers` calls it.
        install: what to give pip.
    """

    name: str
    module: str
    imports: tuple[str, ...]
    packages: tuple[str, ...]
    key: str = ""
    install: str = "'fastact[bench]'"

    @property
    def installed(self) -> bool:
        """Whether it can be measured here."""
        return all(importlib.util.find_spec(name) is not None for name in self.imports)


_ENGINES = "fastact.bench.peers.engines"

FASTACT = Rival("fastact", f"{_ENGINES}.ours", ("fastact",), ("fastact",))
ONNX_RUNTIME = Rival(
    "ONNX Runtime", f"{_ENGINES}.onnx_runtime", ("onnx", "onnxruntime"), ("onnxruntime",), "onnxruntime"
)

RIVALS = (
    ONNX_RUNTIME,
    Rival("LiteRT", f"{_ENGINES}.litert", ("ai_edge_litert", "flatbuffers"), ("ai-edge-litert",), "litert"),
    Rival("OpenVINO", f"{_ENGINES}.openvino_cpu", ("onnx", "openvino"), ("openvino",), "openvino"),
    Rival("PyTorch", f"{_ENGINES}.pytorch", ("torch",), ("torch",), "torch", "torch"),
    Rival(
        "TensorFlow", f"{_ENGINES}.tensorflow_function", ("tensorflow",), ("tensorflow-cpu", "tensorflow"), "tensorflow"
    ),
)


def absent(rivals: Sequence[Rival]) -> str:
    """Which rivals could be installed, and how; empty if all are there."""
    return said_absent({r.name: r.install for r in rivals if not r.installed})


def said_absent(missing: Mapping[str, str]) -> str:
    """The same of engines' names with what to give pip for them."""
    by_install: dict[str, list[str]] = {}
    for name, install in missing.items():
        by_install.setdefault(install, []).append(name)
    listed = ", ".join(f"{', '.join(names)} (pip install {install})" for install, names in by_install.items())
    return f"not installed: {listed}" if listed else ""


def version_of(packages: Sequence[str]) -> str | None:
    """The version of the first of `packages` that is installed."""
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
