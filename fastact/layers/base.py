"""What a layer is to fastact, and the registry that finds its class by Keras's name for it.

To add a layer: write a class here or in a file of its family, decorate it with ``@register("KerasName")``, and add a
row to the table of cases in ``tests/cases/``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias, TypeVar

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.config import Config

Shape: TypeAlias = "tuple[int | None, ...]"
"""A shape without the batch axis; None where the file leaves the length open."""
Weights: TypeAlias = "dict[str, ops.Floats]"


@dataclass(frozen=True)
class Value:
    """An array that flows through a plan: `number` tells it from the others."""

    number: int
    shape: ops.Shape


class Tape(ABC):
    """What layers lower themselves onto: it takes operations in order and gives back their outputs."""

    @abstractmethod
    def emit(self, op: ops.Op, *inputs: Value) -> Value:
        """Appends `op` and returns its output."""


@dataclass(frozen=True)
class Arguments:
    """What a layer is called with beside tensors: Keras's positional and keyword arguments that are not None."""

    positional: tuple[object, ...] = ()
    keywords: Mapping[str, object] = field(default_factory=dict)


class Layer(ABC):
    """One layer of a model, made from its configuration.

    A layer's constructor reads the configuration and raises :class:`UnsupportedError` or :class:`ModelError` for
    what it cannot mean. Shapes come without the batch axis.
    """

    is_convolution: ClassVar[bool] = False
    inputs_taken: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the largest number of inputs (None: any)."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.name = config.name
        self.weights: Weights = {}

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:
        """The weights the file must hold, each with its shape, for inputs of these shapes."""
        return {}

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
        for name in arguments.keywords:
            if name not in ("training", "mask", "name"):
                raise UnsupportedError(f"it is called with the argument {name!r}")
        if arguments.positional:
            raise UnsupportedError("it is called with a constant, which fastact does not compute yet")


L = TypeVar("L", bound=type[Layer])
_REGISTRY: dict[str, type[Layer]] = {}


def register(*class_names: str) -> Callable[[L], L]:
    """Makes a class the one for layers that Keras calls `class_names`."""

    def add(layer: L) -> L:
        for name in class_names:
            if name in _REGISTRY:
                raise ValueError(f"{name} is registered twice")
            _REGISTRY[name] = layer
        return layer

    return add


def registry() -> Mapping[str, type[Layer]]:
    """Every layer class by Keras's name for it."""
    return dict(_REGISTRY)


def create(class_name: str, config: Config) -> Layer:
    """The layer for a configuration; raises UnsupportedError for a class fastact does not know."""
    layer = _REGISTRY.get(class_name)
    if layer is None:
        raise UnsupportedError(f"fastact does not know layers of class {class_name[:60]!r}")
    return layer(config)


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
