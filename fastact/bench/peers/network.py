"""A model's maps as plain arrays and numbers, for engines that are given the same weights.

Made by Keras's rules of the configuration and the weights that fastact has read, not of fastact's own operations, so
that a rival shares nothing with fastact but the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import FastactError
from fastact.graph import Model
from fastact.node import Node

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Pads = tuple[int, int, int, int]
Pair = tuple[int, int]

INPUT = "frame"
"""What every engine calls the input."""

FUNCTIONS = ("linear", "relu", "relu6", "sigmoid", "softmax", "tanh")
"""Activations that can be given to the engines."""

_PASSING = {"Dropout", "SpatialDropout2D", "GaussianNoise", "ActivityRegularization", "Identity"}


class PeerError(FastactError):
    """An engine cannot be measured; the message says why."""


@dataclass(frozen=True)
class Step:
    """One map: `shape` is (rows, columns, channels) or (channels,), `inputs` are names of steps or `INPUT`."""

    name: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Conv(Step):
    """A convolution: weights (kh, kw, C / groups, filters); pads above, below, left, right."""

    weights: Floats
    bias: Floats
    strides: Pair
    padding: str
    pads: Pads
    dilation: Pair
    groups: int
    function: str


@dataclass(frozen=True)
class ConvTranspose(Step):
    """A transposed convolution: weights (kh, kw, filters, C); `crops` is what is cut off the full result."""

    weights: Floats
    bias: Floats
    strides: Pair
    padding: str
    crops: Pads
    function: str


@dataclass(frozen=True)
class Dense(Step):
    """Weights (inputs, units)."""

    weights: Floats
    bias: Floats
    function: str


@dataclass(frozen=True)
class BatchNorm(Step):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, a value of each a channel."""

    gamma: Floats
    beta: Floats
    mean: Floats
    variance: Floats
    epsilon: float

    @property
    def scale(self) -> Floats:
        """What x is multiplied by, where it is done in two steps."""
        return (self.gamma / np.sqrt(self.variance.astype(np.float64) + self.epsilon)).astype(np.float32)

    @property
    def offset(self) -> Floats:
        """What is then added."""
        return (self.beta - self.mean.astype(np.float64) * self.scale).astype(np.float32)


@dataclass(frozen=True)
class Activation(Step):
    """One of `FUNCTIONS`."""

    function: str


@dataclass(frozen=True)
class Merge(Step):
    """Add or Multiply of inputs of one shape."""

    kind: str


@dataclass(frozen=True)
class Concat(Step):
    """Channels one after the other."""


@dataclass(frozen=True)
class Flatten(Step):
    """All values in one row, channels last: (rows x columns x channels,)."""


@dataclass(frozen=True)
class Pool(Step):
    """The largest or mean value of each window; `kind` is max or average."""

    kind: str
    size: Pair
    strides: Pair
    padding: str
    pads: Pads


@dataclass(frozen=True)
class GlobalAverage(Step):
    """The mean of each channel: (channels,)."""


@dataclass(frozen=True)
class Upsample(Step):
    """Rows and columns `size` times over; `interpolation` is nearest or bilinear."""

    size: Pair
    interpolation: str


@dataclass(frozen=True)
class Pad(Step):
    """Zeros around."""

    pads: Pads


@dataclass(frozen=True)
class Network:
    """The steps that the wanted maps need, in order, from an input of (rows, columns, channels)."""

    input_shape: tuple[int, int, int]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    flops: int

    @property
    def wanted(self) -> tuple[Step, ...]:
        """The steps whose maps are wanted."""
        return tuple(s for s in self.steps if s.name in set(self.outputs))


def network_of(model: Model, wanted: Iterable[str]) -> Network:
    """The network that computes the maps of the layers `wanted`; what only passes a map on is left out.

    Raises:
        PeerError: fastact does not compute one of them, or the engines cannot be given it.
    """
    names, needed = set(wanted), set[int]()
    for i in reversed(range(len(model.nodes))):
        if model.nodes[i].name in names or i in needed:
            needed |= {i, *model.nodes[i].inputs}
    steps: list[Step] = []
    known: dict[int, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for i in sorted(needed):
        node = model.nodes[i]
        if node.reason is not None:
            raise PeerError(f"{node.name!r} cannot be computed by fastact at this size: {node.reason}")
        if node.is_input:
            known[i], shapes[INPUT] = INPUT, _shape(node)
        elif node.layer is None or node.class_name in _PASSING:
            known[i] = known[node.inputs[0]]
        else:
            inputs = tuple(known[k] for k in node.inputs)
            steps.append(_step(node, inputs, [shapes[k] for k in inputs]))
            known[i], shapes[node.name] = node.name, steps[-1].shape
    if list(known.values()).count(INPUT) != 1 or len(shapes[INPUT]) != 3:
        raise PeerError(
            f"engines are compared on models whose one input is a picture, and that of {model.source} is none: leave "
            "out --peers"
        )
    rows, columns, channels = shapes[INPUT]
    flops = sum(2 * model.costs[s.name].multiply_adds for s in steps)
    outputs = tuple(s.name for s in steps if s.name in names)
    return Network((rows, columns, channels), tuple(steps), outputs, flops)


def _shape(node: Node) -> tuple[int, ...]:
    if None in node.known_shape:
        raise PeerError(f"engines are compared at one size, and {node.name!r} has an open length")
    return tuple(n for n in node.known_shape if n is not None)


class _Entries:
    """A layer's configuration and weights, as a step is made of them."""

    def __init__(self, node: Node) -> None:
        assert node.layer is not None
        self.node, self.weights = node, node.layer.weights
        self.entries: Mapping[str, object] = node.layer.config.entries

    def fail(self, what: str) -> PeerError:
        return PeerError(f"engines are not given {what}: {self.node.name!r} ({self.node.class_name}) has it")

    def pair(self, name: str, default: int) -> Pair:
        value: Any = self.entries.get(name, default)
        return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))

    def string(self, name: str, default: str) -> str:
        return str(self.entries.get(name) or default).lower()

    def number(self, name: str, default: float) -> float:
        value: Any = self.entries.get(name)
        return default if value is None else float(value)

    @property
    def function(self) -> str:
        function = self.entries.get("activation") or "linear"
        if function not in FUNCTIONS:
            raise self.fail(f"the activation {str(function)[:40]}")
        return str(function)

    def kernel(self) -> Floats:
        """The one weight that is no vector, whatever this Keras calls it."""
        (found,) = (w for w in self.weights.values() if w.ndim > 1)
        return found

    def vector(self, name: str, length: int, default: float) -> Floats:
        return self.weights.get(name, np.full(length, default, np.float32))


Shapes = list[tuple[int, ...]]
Reader = Callable[[_Entries, Step, Shapes], Step]


def _step(node: Node, inputs: tuple[str, ...], shapes: Shapes) -> Step:
    read = _READERS.get(node.class_name)
    if read is None:
        raise PeerError(f"engines are not given layers of class {node.class_name}: {node.name!r} is one")
    return read(_Entries(node), Step(node.name, inputs, _shape(node)), shapes)


def _same(length: int, size: int, stride: int, dilation: int = 1) -> Pair:
    """Cells that padding "same" adds before and after an axis: half each, the odd one after, as TensorFlow does."""
    total = max((-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def _pads(shape: tuple[int, ...], size: Pair, strides: Pair, dilation: Pair, padding: str) -> Pads:
    if padding != "same":
        return (0, 0, 0, 0)
    rows, columns = (_same(*one) for one in zip(shape, size, strides, dilation, strict=False))
    return (*rows, *columns)


def _conv(e: _Entries, step: Step, shapes: Shapes) -> Step:
    weights, groups = e.kernel(), int(e.number("groups", 1))
    if e.node.class_name == "DepthwiseConv2D":  # (kh, kw, C, multiplier): filter c * multiplier + m sees channel c
        groups = weights.shape[2]
        weights = weights.reshape(*weights.shape[:2], 1, -1)
    size = (weights.shape[0], weights.shape[1])
    strides, dilation, padding = e.pair("strides", 1), e.pair("dilation_rate", 1), e.string("padding", "valid")
    pads = _pads(shapes[0], size, strides, dilation, padding)
    bias = e.vector("bias", weights.shape[3], 0.0)
    return Conv(step.name, step.inputs, step.shape, weights, bias, strides, padding, pads, dilation, groups, e.function)


def _conv_transpose(e: _Entries, step: Step, shapes: Shapes) -> Step:
    weights, strides, padding = e.kernel(), e.pair("strides", 1), e.string("padding", "valid")
    if e.pair("dilation_rate", 1) != (1, 1) or e.entries.get("output_padding") is not None:
        raise e.fail("dilation or output padding of a transposed convolution")
    if any(k < s for k, s in zip(weights.shape, strides, strict=False)):
        raise e.fail("a transposed convolution with strides wider than its window")
    crops: Pads = (0, 0, 0, 0)
    if padding == "same":  # what the convolution that it transposes would pad by
        rows, columns = (_same(step.shape[i], weights.shape[i], strides[i]) for i in (0, 1))
        crops = (*rows, *columns)
    bias = e.vector("bias", weights.shape[2], 0.0)
    return ConvTranspose(step.name, step.inputs, step.shape, weights, bias, strides, padding, crops, e.function)


def _dense(e: _Entries, step: Step, shapes: Shapes) -> Step:
    if len(shapes[0]) != 1:
        raise e.fail("a dense layer on maps")
    weights = e.kernel()
    return Dense(step.name, step.inputs, step.shape, weights, e.vector("bias", weights.shape[1], 0.0), e.function)


def _batch_norm(e: _Entries, step: Step, shapes: Shapes) -> Step:
    axis: Any = e.entries.get("axis", -1)
    if (axis[0] if isinstance(axis, list) else axis) not in (-1, len(step.shape)):
        raise e.fail("normalization along another axis than channels")
    channels = step.shape[-1]
    gamma, beta = e.vector("gamma", channels, 1.0), e.vector("beta", channels, 0.0)
    mean, variance = e.weights["moving_mean"], e.weights["moving_variance"]
    return BatchNorm(step.name, step.inputs, step.shape, gamma, beta, mean, variance, e.number("epsilon", 1e-3))


def _activation(e: _Entries, step: Step, shapes: Shapes) -> Step:
    return Activation(step.name, step.inputs, step.shape, e.function)


def _relu(e: _Entries, step: Step, shapes: Shapes) -> Step:
    high = e.entries.get("max_value")
    if high not in (None, 6) or e.number("negative_slope", 0) or e.number("threshold", 0):
        raise e.fail("a relu with other parameters than Keras's relu and relu6 have")
    return Activation(step.name, step.inputs, step.shape, "relu" if high is None else "relu6")


def _merge(e: _Entries, step: Step, shapes: Shapes) -> Step:
    if len(set(shapes)) != 1 or len(shapes) != 2:
        raise e.fail("a sum or product but of two inputs of one shape")
    return Merge(step.name, step.inputs, step.shape, e.node.class_name.lower())


def _concat(e: _Entries, step: Step, shapes: Shapes) -> Step:
    if e.entries.get("axis", -1) not in (-1, len(step.shape)):
        raise e.fail("concatenation along another axis than channels")
    return Concat(step.name, step.inputs, step.shape)


def _flatten(e: _Entries, step: Step, shapes: Shapes) -> Step:
    return Flatten(step.name, step.inputs, step.shape)


def _pool(e: _Entries, step: Step, shapes: Shapes) -> Step:
    kind = "max" if e.node.class_name.startswith("Max") else "average"
    size, padding = e.pair("pool_size", 2), e.string("padding", "valid")
    strides = size if e.entries.get("strides") is None else e.pair("strides", 1)
    pads = _pads(shapes[0], size, strides, (1, 1), padding)
    return Pool(step.name, step.inputs, step.shape, kind, size, strides, padding, pads)


def _global_average(e: _Entries, step: Step, shapes: Shapes) -> Step:
    if e.entries.get("keepdims"):
        raise e.fail("a global pool that keeps its axes")
    return GlobalAverage(step.name, step.inputs, step.shape)


def _upsample(e: _Entries, step: Step, shapes: Shapes) -> Step:
    interpolation = e.string("interpolation", "nearest")
    if interpolation not in ("nearest", "bilinear"):
        raise e.fail(f"the interpolation {interpolation[:20]}")
    return Upsample(step.name, step.inputs, step.shape, e.pair("size", 2), interpolation)


def _pad(e: _Entries, step: Step, shapes: Shapes) -> Step:
    value: Any = e.entries.get("padding", 1)
    rows, columns = (value, value) if isinstance(value, int) else value
    rows, columns = ((n, n) if isinstance(n, int) else tuple(n) for n in (rows, columns))
    return Pad(step.name, step.inputs, step.shape, (*rows, *columns))


_READERS: dict[str, Reader] = {
    "Activation": _activation,
    "Add": _merge,
    "AveragePooling2D": _pool,
    "BatchNormalization": _batch_norm,
    "Concatenate": _concat,
    "Conv2D": _conv,
    "Conv2DTranspose": _conv_transpose,
    "Dense": _dense,
    "DepthwiseConv2D": _conv,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": _pool,
    "Multiply": _merge,
    "ReLU": _relu,
    "UpSampling2D": _upsample,
    "ZeroPadding2D": _pad,
}
