"""What every reader hands on: a configuration, and weights that can be asked for by layer path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels.records import dataclass

__all__ = ["OPERATOR", "LayerPath", "SavedModel", "Shape", "WeightReader"]

Shape = tuple[int, ...]

OPERATOR = "operator"
"""The module of a layer that is an operator of the file, for which there is no layer of Keras's."""

MODEL_CLASSES = ("Functional", "Model", "Sequential")
"""Keras's names for models whose network is in their configuration."""

LayerPath = tuple[str, ...]
"""Layer names from the outside in: ``("conv2d_1",)``, or ``("tower", "conv2d_2")`` inside a nested model."""


class WeightReader(Protocol):
    """Reads the weights of an open file."""

    def read(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, NDArray[np.float32]]]:
        """Read the weights asked for, and nothing before all of them are known to be what was asked for.

        Args:
            wanted: for each layer path the weights' own names (``"kernel"``, ``"bias"``, ``"gamma"``, …)
                and the shape that the configuration implies for each. Only these shapes are accepted.

                The names come in the order of Keras's own variables of the layer, those present: kernel, bias;
                gamma, beta, moving_mean, moving_variance; for recurrent layers kernel, recurrent_kernel, bias; for
                SeparableConv2D depthwise_kernel, pointwise_kernel, bias. Some formats number them.

                Recurrent layers ask for plain names, though files keep them with the layer's cell. A name may have
                parts, separated by ``/``: Bidirectional asks for ``"forward/kernel"``, …, ``"backward/kernel"``, …,
                and RNN over several cells for ``"0/kernel"``, …, ``"1/kernel"``, …, by the number of the cell.

                TimeDistributed asks for its inner layer's names by its own path. Where it wraps a model, the layers
                inside that ask by the paths ``(time_distributed, inner_layer)``.

        Returns:
            The same keys, each weight a C-contiguous float32 array of its own (float16 and float64 are
            converted).

        Raises:
            FileError: a weight is missing, ambiguous, of another shape or type, not stored whole and plainly,
                or all of them together are larger than the limit given to `open_model`.
        """
        ...


@dataclass(frozen=True)
class SavedModel:
    """A model as its file states it. Valid inside the ``with`` block of `open_model`."""

    path: Path
    format: str
    """For people: ``"Keras 2 .h5"``, ``"Keras 3 .keras"``."""
    keras_version: tuple[int, ...]
    """``(2, 15, 0)``; the meaning of hard_sigmoid and the names of weights follow it."""
    backend: str
    """``"tensorflow"``, ``"jax"``, …; ``"unknown"`` where the file does not say."""
    config: dict[str, Any]
    """``{"class_name": "Functional" | "Model" | "Sequential", "config": …}``, otherwise as written."""
    weights: WeightReader
    identity: str
    """SHA-256 of the file's bytes, in hexadecimal: names the model in saved results."""
    config_path: Path | None = None
    """The file that the configuration comes from, where that is another than `path`."""
    tensors: Mapping[str, int] = field(default_factory=dict)
    """In a TensorFlow Lite file, the numbers of the tensors that inputs and layers give."""
