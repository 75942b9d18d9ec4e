"""Functions value by value, of two tensors or a tensor and a constant, and over axes."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.ops import Merge, Scaling, Total, Unary
from fastact.layers.activation import ActivationLayer, FunctionLayer, LeakyReLU, ReLU, Softmax
from fastact.layers.base import Given, Layer, Shape, Tape, Value, frame_axes, known, rank, show
from fastact.layers.config import Config, constant
from fastact.layers.functions.calls import Function, keras, of, tensorflow
from fastact.layers.merging import Add, stretched
from fastact.layers.normalization import UnitNormalization


def _named(name: str) -> Function:
    """An activation by Keras's name for it."""
    return Function(of(ActivationLayer), ("x|features|logits|input|tensor",), entries={"activation": name})


for _name in ("relu", "relu6", "silu", "elu", "selu", "softsign"):
    tensorflow(f"nn.{_name}")(_named(_name))
for _name in ("sigmoid", "tanh", "log_sigmoid", "softplus"):
    tensorflow(f"math.{_name}")(_named(_name))
tensorflow("nn.swish")(_named("silu"))
tensorflow("math.exp")(_named("exponential"))
for _class, _name in {
    "Relu": "relu", "Relu6": "relu6", "Silu": "silu", "Sigmoid": "sigmoid", "Tanh": "tanh",
    "Selu": "selu", "Softplus": "softplus", "Softsign": "softsign", "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu", "LogSigmoid": "log_sigmoid", "Exp": "exponential",
    "HardTanh": "hard_tanh", "TanhShrink": "tanh_shrink", "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
}.items():  # fmt: skip
    keras(_class)(_named(_name))


class Apply(FunctionLayer):
    """One of :class:`Unary` on every value."""

    function: ClassVar[Unary]

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = (ops.Elementwise(self.function),)


def _unary(function: Unary) -> Function:
    return Function(of(type(function.name.title(), (Apply,), {"function": function, "__module__": __name__})))


for _function, _tensorflow, _keras in (
    (Unary.ABSOLUTE, ("math.abs",), ("Absolute",)),
    (Unary.SQUARE, ("math.square",), ("Square",)),
    (Unary.SQRT, ("math.sqrt",), ("Sqrt",)),
    (Unary.RSQRT, ("math.rsqrt",), ("Rsqrt",)),
    (Unary.LOG, ("math.log",), ("Log",)),
    (Unary.ERF, ("math.erf",), ("Erf",)),
):
    tensorflow(*_tensorflow)(keras(*_keras)(_unary(_function)))


class Clip(FunctionLayer):
    """Values below `low` become `low`, values above `high` become `high`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        low, high = config.number("low", -math.inf), config.number("high", math.inf)
        self.chain = (ops.Elementwise(Unary.CLIP, low, high),)


tensorflow("clip_by_value")(Function(of(Clip), ("x|t", "low|clip_value_min", "high|clip_value_max")))
keras("Clip")(Function(of(Clip), ("x", "low|x_min", "high|x_max")))


class Gelu(FunctionLayer):
    """x * (1 + erf(x / sqrt 2)) / 2, or its approximation by tanh."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = (ops.Elementwise(Unary.GELU_TANH if config.flag("approximate", False) else Unary.GELU),)


tensorflow("nn.gelu")(Function(of(Gelu), ("x|features", "approximate")))
keras("Gelu")(Function(of(Gelu), ("x", "approximate"), entries={"approximate": True}))


class Elu(FunctionLayer):
    """x above zero, else alpha * (exp(x) - 1)."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = (ops.Elementwise(Unary.ELU, config.number("alpha", 1.0)),)


keras("Elu")(Function(of(Elu), ("x", "alpha")))
tensorflow("nn.leaky_relu")(
    Function(of(LeakyReLU), ("x|features", "negative_slope|alpha"), entries={"negative_slope": 0.2})
)
keras("LeakyRelu")(Function(of(LeakyReLU), ("x", "negative_slope"), entries={"negative_slope": 0.2}))
keras("ReLU")(Function(of(ReLU), ("x", "negative_slope", "max_value", "threshold")))
tensorflow("nn.softmax")(Function(of(Softmax), ("x|logits|input", "axis|dim")))
keras("Softmax")(Function(of(Softmax), ("x", "axis")))


class LogSoftmax(FunctionLayer):
    """x - log(sum of exp(x)) along `axis`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = tuple(
            ops.RowWise(ops.Row.LOG_SOFTMAX, op.axis) for op in Softmax(config).chain if isinstance(op, ops.RowWise)
        )


tensorflow("nn.log_softmax")(Function(of(LogSoftmax), ("x|logits|input", "axis|dim")))
keras("LogSoftmax")(Function(of(LogSoftmax), ("x", "axis")))


class Operand:
    """One side of a function of two: input number `number`, or an array."""

    def __init__(self, config: Config, entry: str) -> None:
        value = config.entries.get(entry)
        self.number = value.number if isinstance(value, Given) else None
        self.array = np.zeros((), np.float32)
        if self.number is None:
            self.array = constant(value, UnsupportedError(f"its argument {entry!r} is no array of numbers"))

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Its shape without the batch axis."""
        return self.array.shape if self.number is None else inputs[self.number]


class Arithmetic(Layer):
    """One of :class:`Merge` on two tensors, or a tensor and a constant, stretched as NumPy does."""

    function: ClassVar[Merge]

    def __init__(self, config: Config, *inputs: Shape) -> None:
        super().__init__(config)
        self.sides = Operand(config, "x"), Operand(config, "y")
        axes = max(len(i) for i in inputs)
        for side in self.sides:
            if side.number is None and side.array.ndim == axes + 1 and len(side.array) == 1:
                side.array = side.array[0]  # the batch axis
            if side.number is None and side.array.ndim > axes:
                raise UnsupportedError(f"its constant of {show(side.array.shape)} goes along the batch axis")
            if side.number is not None and len(inputs[side.number]) != axes:
                raise UnsupportedError("its inputs have different numbers of axes: one goes along the batch axis")

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return stretched(*(side.shape(inputs) for side in self.sides))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        x, y = self.sides
        if x.number is None or y.number is None:
            constant_first = x.number is None
            array, number = (x.array, y.number) if constant_first else (y.array, x.number)
            assert number is not None, "a call holds a tensor"
            return tape.emit(ops.BinaryConstant(self.function, array, constant_first), inputs[number])
        return tape.emit(ops.Binary(self.function), inputs[x.number], inputs[y.number])


def _binary(function: Merge) -> Function:
    made = type(function.name.title(), (Arithmetic,), {"function": function, "__module__": __name__})
    return Function(made, ("x|x1", "y|x2"), ("y",))


for _merge, _spellings, _classes in (
    (Merge.ADD, ("math.add", "__operators__.add"), ("Add",)),
    (Merge.SUBTRACT, ("math.subtract",), ("Subtract",)),
    (Merge.MULTIPLY, ("math.multiply",), ("Multiply",)),
    (Merge.DIVIDE, ("math.divide", "math.truediv"), ("Divide", "TrueDivide")),
    (Merge.MAXIMUM, ("math.maximum",), ("Maximum",)),
    (Merge.MINIMUM, ("math.minimum",), ("Minimum",)),
    (Merge.POWER, ("math.pow",), ("Power",)),
):
    tensorflow(*_spellings)(keras(*_classes)(_binary(_merge)))


class Negative(FunctionLayer):
    """x with its sign turned."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.chain = (ops.BinaryConstant(Merge.MULTIPLY, np.array([-1.0], np.float32)),)


tensorflow("math.negative")(keras("Negative")(Function(of(Negative))))
tensorflow("math.add_n")(Function(of(Add), ("x|inputs",)))


class Reduction(Layer):
    """One of :class:`Total` over `axis`; with `keepdims` the axes stay, of length 1."""

    total: ClassVar[Total]

    def __init__(self, config: Config, *inputs: Shape) -> None:
        super().__init__(config)
        if config.entries.get("axis") is None:
            raise UnsupportedError("it goes over all axes, the batch axis among them")
        self.axes = tuple(sorted(frame_axes(config.entries["axis"], len(inputs[0]), "summing up along axis")))
        self.keepdims = config.flag("keepdims", False)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        lengths = ((1 if self.keepdims else 0) if a in self.axes else n for a, n in enumerate(inputs[0]))
        shape = tuple(n for n in lengths if n != 0)
        if not shape:
            raise UnsupportedError("it gives one number a frame, which this version does not compute")
        return shape

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        value = tape.emit(ops.Reduce(self.total, self.axes), inputs[0])
        return tape.emit(ops.Reshape(known(self.output_shape(inputs[0].shape))), value) if self.keepdims else value


for _total, _functions, _operations in (
    (Total.MEAN, ("math.reduce_mean",), ("Mean",)),
    (Total.SUM, ("math.reduce_sum",), ("Sum",)),
    (Total.MAX, ("math.reduce_max",), ("Max", "Amax")),
    (Total.MIN, ("math.reduce_min",), ("Min", "Amin")),
):
    _made = type(_total.name.title(), (Reduction,), {"total": _total, "__module__": __name__})
    tensorflow(*_functions)(Function(_made, ("x|input_tensor", "axis|reduction_indices", "keepdims|keep_dims")))
    keras(*_operations)(Function(_made, ("x", "axis", "keepdims")))


class Normalize(UnitNormalization):
    """x over its length along `axis`; `epsilon` bounds the length in Keras 3, its square in TensorFlow."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.integer("order", 2) != 2:
            raise UnsupportedError("it normalizes by another norm than the second")
        self.epsilon = config.number("epsilon", 1e-7 if config.keras3 else 1e-12)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        floor = self.epsilon**2 if self.config.keras3 else self.epsilon
        axes = self._axes(inputs[0].shape)
        return tape.emit(ops.Standardize(Scaling.NORM, tuple(a - len(inputs[0].shape) for a in axes), floor), inputs[0])


tensorflow("math.l2_normalize")(Function(of(Normalize), ("x", "axis|dim", "epsilon")))
keras("Normalize")(Function(of(Normalize), ("x", "axis", "order", "epsilon")))


class Matmul(Layer):
    """The product of two matrices."""

    def __init__(self, config: Config, *inputs: Shape) -> None:
        super().__init__(config)
        sides = [config.entries.get(entry) for entry in ("x", "y")]
        if not all(isinstance(side, Given) for side in sides):
            raise UnsupportedError("it multiplies with a constant matrix")
        self.numbers = [side.number for side in sides if isinstance(side, Given)]
        first, second = (config.flag(f"transpose_{s}", False) or config.flag(f"adjoint_{s}", False) for s in "ab")
        self.axes = (0 if first else 1), (1 if second else 0)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        x, y = (inputs[n] for n in self.numbers)
        rank(x, 2, "rows and columns")
        rank(y, 2, "rows and columns")
        if x[self.axes[0]] != y[self.axes[1]]:
            raise UnsupportedError(f"its inputs of {show(x)} and {show(y)} do not go together")
        return x[1 - self.axes[0]], y[1 - self.axes[1]]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Contract(*self.axes), *(inputs[n] for n in self.numbers))


tensorflow("linalg.matmul")(
    Function(Matmul, ("x|a", "y|b", "transpose_a", "transpose_b", "adjoint_a", "adjoint_b"), ("y",))
)
keras("Matmul")(Function(Matmul, ("x|x1", "y|x2"), ("y",)))
