"""The weights of a TensorFlow Lite file: checked and added up, and only then read."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import Source
from .model import LayerPath, Shape
from .text import listed, quoted
from .tflite_graph import Tensor, as_float32
from .tflite_steps import Stored

__all__ = ["TfliteWeights"]

_ALSO: Mapping[str, str] = {"kernel": "depthwise_kernel", "depthwise_kernel": "kernel"}
"""What Keras 2 and 3 call a depthwise convolution's weights."""


class TfliteWeights:
    """The `WeightReader` of a TensorFlow Lite file."""

    def __init__(self, source: Source, stored: Mapping[str, Mapping[str, Stored]], max_bytes: int) -> None:
        """Read from `source` the weights of each layer."""
        self._source, self._stored, self._max_bytes = source, stored, max_bytes

    def read(self, wanted: Mapping[LayerPath, Mapping[str, Shape]]) -> dict[LayerPath, dict[str, NDArray[np.float32]]]:
        """See `WeightReader.read`."""
        located = {
            path: {name: self._located(path, name, tuple(shape)) for name, shape in shapes.items()}
            for path, shapes in wanted.items()
        }
        total = sum(4 * math.prod(one.shape) for weights in located.values() for one in weights.values())
        if total > self._max_bytes:
            raise self._source.problem(f"needs {total} bytes for its weights, more than the limit of {self._max_bytes}")
        return {
            path: {name: self._read("/".join(path), name, one) for name, one in weights.items()}
            for path, weights in located.items()
        }

    def _located(self, path: LayerPath, name: str, shape: Shape) -> Stored:
        layer = "/".join(path)
        weights = self._stored.get(layer, {})
        found = weights.get(name) or weights.get(_ALSO.get(name, ""))
        if found is None:
            raise self._source.problem(
                f"holds no weight {quoted(name)} of layer {quoted(layer)} but {listed(sorted(weights))}"
            )
        if found.shape != shape:
            raise self._source.problem(
                f"does not agree with itself: the weight {quoted(name)} of layer {quoted(layer)} has the shape "
                f"{found.shape}, where its input implies {shape}"
            )
        return found

    def _read(self, layer: str, name: str, stored: Stored) -> NDArray[np.float32]:
        if stored.tensor is None or stored.tensor.data is None:
            return np.full(stored.shape, stored.number, np.float32)
        what = f"the weight {quoted(name)} of layer {quoted(layer)}"
        parts = [self._numbers(tensor, what) for tensor in (stored.tensor, *stored.others)]
        numbers = parts[0] if len(parts) == 1 else np.concatenate(parts)
        with np.errstate(all="ignore"):
            arranged = numbers if stored.arrange is None else stored.arrange(numbers)
        return np.ascontiguousarray(arranged.reshape(stored.shape), np.float32)

    def _numbers(self, tensor: Tensor, what: str) -> NDArray[np.float32]:
        assert tensor.data is not None, "a constant"
        numbers = as_float32(self._source.read_weights(tensor.data, what), tensor.kind)
        if tensor.kind == "FLOAT64" and not np.all(np.isfinite(numbers)):
            raise self._source.problem(f"cannot be computed: {what} holds numbers beyond the range of float32")
        return numbers
