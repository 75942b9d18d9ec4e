"""Activations: Keras's functions by name, and the layers that apply one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.ops import Row, Unary
from fastact.layers.base import Layer, Shape, Tape, Value, create, frame_axes, frame_axis, known, register
from fastact.layers.config import Config

_FUNCTIONS: dict[str, tuple[ops.Op, ...]] = {
    "linear": (),
    "relu": (ops.Elementwise(Unary.CLIP, 0.0, math.inf),),
    "relu6": (ops.Elementwise(Unary.CLIP, 0.0, 6.0),),
    "hard_tanh": (ops.Elementwise(Unary.CLIP, -1.0, 1.0),),
    "leaky_relu": (ops.Elementwise(Unary.LEAKY_RELU, 0.2),),
    "elu": (ops.Elementwise(Unary.ELU, 1.0),),
    "selu": (ops.Elementwise(Unary.SELU),),
    "celu": (ops.Elementwise(Unary.CELU, 1.0),),
    "softplus": (ops.Elementwise(Unary.SOFTPLUS),),
    "softsign": (ops.Elementwise(Unary.SOFTSIGN),),
    "squareplus": (ops.Elementwise(Unary.SQUAREPLUS, 4.0),),
    "soft_shrink": (ops.Elementwise(Unary.SOFT_SHRINK, 0.5),),
    "hard_shrink": (ops.Elementwise(Unary.HARD_SHRINK, 0.5),),
    "tanh_shrink": (ops.Elementwise(Unary.TANH_SHRINK),),
    "sparse_plus": (ops.Elementwise(Unary.SPARSE_PLUS),),
    "sparse_sigmoid": (ops.Elementwise(Unary.SPARSE_SIGMOID),),
    "sigmoid": (ops.Elementwise(Unary.SIGMOID),),
    "log_sigmoid": (ops.Elementwise(Unary.LOG_SIGMOID),),
    "silu": (ops.Elementwise(Unary.SILU),),
    "swish": (ops.Elementwise(Unary.SILU),),
    "gelu": (ops.Elementwise(Unary.GELU),),
    "tanh": (ops.Elementwise(Unary.TANH),),
    "hard_silu": (ops.Elementwise(Unary.HARD_SILU),),
    "hard_swish": (ops.Elementwise(Unary.HARD_SILU),),
    "exponential": (ops.Elementwise(Unary.EXPONENTIAL),),
    "mish": (ops.Elementwise(Unary.MISH),),
    "softmax": (ops.RowWise(Row.SOFTMAX),),
    "log_softmax": (ops.RowWise(Row.LOG_SOFTMAX),),
    "sparsemax": (ops.RowWise(Row.SPARSEMAX),),
    "glu": (ops.GatedLinear(),),
}
"""Keras's activation names with Keras's default parameters; hard_sigmoid depends on who wrote the file."""

FUNCTION_NAMES = tuple(sorted([*_FUNCTIONS, "hard_sigmoid"]))


class Activation:
    """A function as a chain of operations, the part of it a convolution does for free apart."""

    def __init__(self, chain: tuple[ops.Op, ...]) -> None:
        self.low, self.high, self.rest = -math.inf, math.inf, chain
        if chain and isinstance(chain[0], ops.Elementwise) and chain[0].function is Unary.CLIP:
            self.low, self.high, self.rest = chain[0].a, chain[0].b, chain[1:]
        self.chain = chain

    def output_shape(self, shape: Shape) -> Shape:
        """The shape after the function: glu halves the last axis."""
        for op in self.chain:
            if isinstance(op, ops.GatedLinear):
                (channels,) = known(shape[-1:])
                if channels % 2:
                    raise UnsupportedError(f"its activation glu needs an even number of channels, and gets {channels}")
                shape = (*shape[:-1], channels // 2)
        return shape


def apply(tape: Tape, chain: tuple[ops.Op, ...], x: Value) -> Value:
    """`x` after every operation of `chain`."""
    for op in chain:
        x = tape.emit(op, x)
    return x


def activation(config: Config, entry: str = "activation") -> Activation:
    """The function an entry names: a string, a dict around one, or a layer's own configuration."""
    return Activation(_chain(config.entries.get(entry), config))


def _chain(value: object, config: Config) -> tuple[ops.Op, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return _serialized(value, config)
    if value == "hard_sigmoid":
        return (hard_sigmoid(config),)
    if not isinstance(value, str) or value not in _FUNCTIONS:
        raise UnsupportedError(f"fastact does not know the activation {str(value)[:60]!r}")
    return _FUNCTIONS[value]


def _serialized(value: Mapping[str, object], config: Config) -> tuple[ops.Op, ...]:
    """Keras 3 wraps a function as {"class_name": "function", "config": NAME}, and takes a layer as one."""
    inner, class_name = value.get("config"), value.get("class_name")
    if class_name == "function" or isinstance(inner, str):
        return _chain(inner, config)
    if isinstance(class_name, str) and isinstance(inner, Mapping):
        layer = create(class_name, Config(class_name, config.name, inner, config.keras_version))
        if isinstance(layer, FunctionLayer):
            return layer.chain
    raise UnsupportedError(f"fastact does not know the activation {str(class_name)[:60]!r}")


def hard_sigmoid(config: Config) -> ops.Op:
    """Keras 2: 0.2 x + 0.5, Keras 3: x / 6 + 0.5, both clipped to 0..1."""
    return ops.Elementwise(Unary.HARD_SIGMOID, 1 / 6 if config.keras3 else 0.2, 0.5)


class FunctionLayer(Layer):
    """A layer that is a chain of operations on one input."""

    chain: tuple[ops.Op, ...]

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return Activation(self.chain).output_shape(inputs[0])

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return apply(tape, self.chain, inputs[0])


@register("Activation")
class ActivationLayer(FunctionLayer):
    """Any activation by name."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = activation(config).chain


@register("ReLU")
class ReLU(FunctionLayer):
    """max_value above it; x above threshold; else negative_slope * (x - threshold)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        slope, threshold = config.number("negative_slope", 0.0), _rounded(config.number("threshold", 0.0))
        high = config.optional_number("max_value")
        if slope == 0 and threshold == 0:
            self.chain = (ops.Elementwise(Unary.CLIP, 0.0, math.inf if high is None else high),)
            return
        self.chain = (ops.Elementwise(Unary.RELU, slope, threshold),)
        if high is not None:
            self.chain += (ops.Elementwise(Unary.CLIP, -math.inf, high),)


def _rounded(threshold: float) -> float:
    """A threshold as Keras compares values with it: 0.6 as a float32 is larger than 0.6, and not above itself."""
    largest = float(np.finfo(np.float32).max)
    return float(np.float32(min(max(threshold, -largest), largest)))


@register("LeakyReLU")
class LeakyReLU(FunctionLayer):
    """x, or its slope times x below zero: `alpha` in Keras 2, `negative_slope` in Keras 3, 0.3 by default."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        entry = "negative_slope" if "negative_slope" in config.entries else "alpha"
        self.chain = (ops.Elementwise(Unary.LEAKY_RELU, config.number(entry, 0.3)),)


@register("ELU")
class ELU(FunctionLayer):
    """x above zero, else alpha * (exp(x) - 1)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = (ops.Elementwise(Unary.ELU, config.number("alpha", 1.0)),)


@register("ThresholdedReLU")
class ThresholdedReLU(FunctionLayer):
    """x above `theta`, else 0."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = (ops.Elementwise(Unary.THRESHOLD, _rounded(config.number("theta", 1.0))),)


@register("PReLU")
class PReLU(Layer):
    """x above zero, else a weight of its own times x; one weight along each of `shared_axes`."""

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        shape = inputs[0]
        listed = self.config.entries.get("shared_axes")
        if listed is not None and listed != []:
            shared = frame_axes(listed, len(shape), "sharing weights along axis")
            shape = tuple(1 if a in shared else n for a, n in enumerate(shape))
        return {"alpha": known(shape)}

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.BinaryConstant(ops.Merge.PRELU, self.weights["alpha"]), inputs[0])


@register("Softmax")
class Softmax(FunctionLayer):
    """exp(x) over its sum along `axis`, which counts the batch axis as 0."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.axis = frame_axis(config.entries.get("axis", -1), "softmax along axis")
        self.chain = (ops.RowWise(Row.SOFTMAX, self.axis),)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        if not -len(inputs[0]) <= self.axis < len(inputs[0]):
            raise self.config.fail("axis", f"one of the {len(inputs[0])} axes of its input")
        return inputs[0]
