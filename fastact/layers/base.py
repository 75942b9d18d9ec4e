"""What a layer is to fastact, and the registry that finds its class by Keras's name for it.

To add a layer: write a class in the file of its family, decorate it with ``@register("KerasName")``, and add a row to
the table of cases in ``tests/cases/``. To add a family: write a module here, and name it in `_FAMILIES`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.files.model import OPERATOR
from fastact.kernels import ops
from fastact.kernels.program import Value as Value
from fastact.kernels.records import dataclass
from fastact.layers.config import Config

Shape: TypeAlias = "tuple[int | None, ...]"
"""A shape without the batch axis; None where the file leaves the length open."""
Weights: TypeAlias = "dict[str, ops.Floats]"


class Tape(ABC):
    """What layers lower themselves onto: it takes operations in order and gives back their outputs."""

    @abstractmethod
    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        """Appends `op` and returns its output."""


@dataclass(frozen=True)
class Given:
    """Stands for input number `number` of a call wherever that is among the arguments."""

    number: int


@dataclass(frozen=True)
class Arguments:
    """What a layer is called with, as Keras wrote it, tensors in their places as :class:`Given`.

    Positional arguments and keywords; keywords that are None are left out. Lists may hold tensors, too.
    """

    positional: tuple[object, ...] = ()
    keywords: Mapping[str, object] = field(default_factory=dict)


def only_tensors(argument: object) -> bool:
    """Whether an argument is a tensor, or a list of nothing else."""
    if isinstance(argument, list):
        return bool(argument) and all(only_tensors(a) for a in argument)
    return isinstance(argument, Given)


class Layer(ABC):
    """One layer of a model, made from its configuration.

    A layer's constructor reads the configuration and raises :class:`UnsupportedError` or :class:`ModelError` for
    what it cannot mean. Shapes come without the batch axis.
    """

    is_convolution: bool = False
    channels_first: bool = False
    """Whether it takes maps with channels before rows and columns."""
    since: ClassVar[str] = "0.1.0"
    """The first version of fastact that computes it."""
    inputs_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the largest number of inputs (None: any)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        if "_from_" in config.precision:
            raise UnsupportedError(
                f"its weights are quantized ({config.precision[:60]}), which fastact does not compute: "
                "save the model before it is quantized"
            )
        self.name = config.name
        self.weights: Weights = {}

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:
        """The weights the file must hold, each with its shape, for inputs of these shapes."""
        return {}

    def steps(self, *inputs: Shape) -> int:
        """How many times over it emits its operations: 1, or the time steps it is unrolled over."""
        return 1

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """The output's shape; raises UnsupportedError where the layer cannot take these inputs."""

    @abstractmethod
    def lower(self, tape: Tape, *inputs: Value) -> Value:
        """Appends this layer's operations to `tape`; `weights` holds what :meth:`weight_shapes` names."""

    def check_call(self, count: int, arguments: Arguments) -> None:
        """Raises UnsupportedError for a number of inputs or arguments this layer cannot be called with."""
        least, most = self.inputs_taken
        if count < least or (most is not None and count > most):
            raise UnsupportedError(f"it is called with {count} inputs")
        for name, value in arguments.keywords.items():
            if name not in ("training", "mask", "name") and not only_tensors(value):
                raise UnsupportedError(f"it is called with the argument {name!r}")
        if not all(a is None or only_tensors(a) for a in arguments.positional):
            raise UnsupportedError("it is called with a constant, which a layer of its class does not take")

    def parts(self, arguments: Arguments, *inputs: Shape) -> tuple[Layer, ...]:
        """What computes one call, a layer for each output: itself, for a layer that the arguments do not change.

        Raises UnsupportedError for a call that cannot be.
        """
        self.check_call(len(inputs), arguments)
        return (self,)


_FAMILIES = (
    "core",
    "convolution",
    "shaping",
    "activation",
    "pooling",
    "merging",
    "normalization",
    "resizing",
    "transposed",
    "recurrent",
    "wrappers",
    "convolutional_lstm",
    "applications",
    "functions",
)
"""The modules that register layers, those that most models need first."""

L = TypeVar("L", bound=type[Layer])
T = TypeVar("T")
_REGISTRY: dict[str, type[Layer]] = {}
_OPERATIONS: dict[str, type[Layer]] = {}
_REFUSED: dict[str, str] = {}


def register(*class_names: str) -> Callable[[L], L]:
    """Makes a class the one for layers that Keras calls `class_names`."""
    return adder(_REGISTRY, class_names)


def register_operation(*class_names: str) -> Callable[[L], L]:
    """Makes a class the one for operations of Keras 3, which are no layers, that it calls `class_names`."""
    return adder(_OPERATIONS, class_names)


def adder(registry: dict[str, Any], names: Sequence[str]) -> Callable[[T], T]:
    """A decorator that puts what it is given into `registry` under each of `names`, once."""

    def add(registered: T) -> T:
        for name in names:
            if name in registry:
                raise ValueError(f"{name} is registered twice")
            registry[name] = registered
        return registered

    return add


def refuse(reason: str, *class_names: str) -> None:
    """Makes `reason` what is said of layers that Keras calls `class_names`, which fastact does not compute."""
    _REFUSED.update(dict.fromkeys(class_names, reason))


def registry() -> Mapping[str, type[Layer]]:
    """Every layer class by Keras's name for it."""
    for family in _FAMILIES:
        _load(family)
    return dict(_REGISTRY)


def _load(family: str) -> None:
    importlib.import_module(f"{__package__}.{family}")


def _found(registry: Mapping[str, type[Layer]], class_name: str) -> type[Layer] | None:
    """The class in `registry`, once the families up to the one that puts it there are loaded."""
    for family in _FAMILIES:
        if class_name in registry:
            break
        _load(family)
    return registry.get(class_name)


def create(class_name: str, config: Config) -> Layer:
    """The layer for a configuration; raises UnsupportedError for a class fastact does not know."""
    layer = _found(_OPERATIONS, class_name) if config.is_operation else None
    layer = layer or _found(_REGISTRY, class_name)
    if layer is None:
        raise UnsupportedError(_REFUSED.get(class_name) or _unknown(class_name, config.module))
    return layer(config)


def _unknown(class_name: str, module: str | None) -> str:
    """What is said of a class that is neither known nor refused."""
    if module == OPERATOR:
        return (
            f"it is TensorFlow Lite's operator {class_name[:60]!r}, and no layer that fastact knows does what it does "
            "here: give the Keras file that the model was converted from"
        )
    return f"fastact does not know layers of class {class_name[:60]!r}"


def frame_axis(value: object, what: str) -> int:
    """An axis as Keras writes it, the batch being 0, as an axis of one frame; some writers put it in a list.

    Raises UnsupportedError, `what` being what is done along it, for the batch axis and for several axes.
    """
    axis = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(axis, int) or isinstance(axis, bool) or axis == 0:
        raise UnsupportedError(f"{what} {str(axis)[:60]} is not supported, only along one axis of a frame")
    return axis if axis < 0 else axis - 1


def frame_axes(value: object, rank: int, what: str) -> tuple[int, ...]:
    """One axis or a list of them as Keras writes them, the batch being 0, as axes of a frame of `rank`, counted up.

    Raises UnsupportedError, `what` being what is done along them, for the batch axis and for axes a frame has not.
    """
    listed = value if isinstance(value, list) else [value]
    axes = [frame_axis(axis, what) for axis in listed]
    if not axes or any(not -rank <= axis < rank for axis in axes) or len({a % rank for a in axes}) < len(axes):
        raise UnsupportedError(f"{what} {str(value)[:60]} is not possible: its input has {rank} axes beside the batch")
    return tuple(a % rank for a in axes)


def known(shape: Shape) -> ops.Shape:
    """A shape of which every length is known; raises UnsupportedError otherwise."""
    if any(n is None for n in shape):
        raise UnsupportedError("the size of its input is open")
    return tuple(n for n in shape if n is not None)


def rank(shape: Shape, wanted: int, words: str) -> None:
    """Raises UnsupportedError unless `shape` has `wanted` axes, `words` being what they are."""
    if len(shape) != wanted:
        raise UnsupportedError(f"it needs {words}, and gets an input of shape {show(shape)}")


def show(shape: Shape) -> str:
    """A shape in words: 58x78x24, ? for an open length."""
    return "x".join("?" if n is None else str(n) for n in shape) or "one value"


def floats(value: object, count: int) -> ops.Floats:
    """A number or list of numbers as (count,) float32."""
    array = np.asarray(value, np.float32).reshape(-1)
    if array.size not in (1, count):
        raise UnsupportedError(f"it has {array.size} values for {count} channels")
    return np.ascontiguousarray(np.broadcast_to(array, (count,)))
