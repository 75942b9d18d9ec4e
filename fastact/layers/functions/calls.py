"""How a call of a function becomes a layer: its arguments get names, and stand in the layer's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, TypeAlias

from fastact.errors import UnsupportedError
from fastact.kernels.records import dataclass
from fastact.layers.base import (
    Arguments,
    Given,
    Layer,
    Shape,
    Tape,
    Value,
    adder,
    only_tensors,
    refuse,
    register,
    register_operation,
)
from fastact.layers.config import Config

Maker: TypeAlias = "Callable[..., Layer | tuple[Layer, ...]]"
"""Makes the layer of a call from its configuration and the inputs' shapes, or one layer for each output."""


@dataclass(frozen=True)
class Function:
    """A function as TensorFlow or Keras 3 knows it.

    Attributes:
        make: makes the layer from the configuration: the arguments by the first name each has in `takes`.
        takes: the arguments in order, each with all its names: "x|input". The first is the tensor.
        also_tensors: which others may be tensors.
        entries: what stands in the configuration beside the arguments, or where one is missing.
    """

    make: Maker
    takes: tuple[str, ...] = ("x",)
    also_tensors: tuple[str, ...] = ()
    entries: Mapping[str, Any] = field(default_factory=dict)


def of(layer: type[Layer]) -> Maker:
    """Makes a layer of a class that needs its configuration alone."""
    return lambda config, *inputs: layer(config)


_TENSORFLOW: dict[str, Function] = {}
_KERAS: dict[str, Function] = {}


def tensorflow(*names: str) -> Callable[[Function], Function]:
    """Makes a function the one that Keras 2 calls `names`."""
    return adder(_TENSORFLOW, names)


def keras(*names: str) -> Callable[[Function], Function]:
    """Makes a function the one of Keras 3's operations of classes `names`."""
    for name in names:
        register_operation(name)(Operation)
    return adder(_KERAS, names)


def tensorflow_functions() -> Mapping[str, Function]:
    """Every function of TensorFlow that fastact computes, by the name Keras 2 writes."""
    return dict(_TENSORFLOW)


def keras_operations() -> Mapping[str, Function]:
    """Every operation of Keras 3 that fastact computes, by the name of its class."""
    return dict(_KERAS)


class FunctionCall(Layer):
    """A function whose arguments stand in its calls: each call makes a layer of its own."""

    inputs_taken = (1, None)
    function: Function

    def own_entries(self) -> Mapping[str, Any]:
        """Arguments that stand in the configuration itself."""
        return {}

    def parts(self, arguments: Arguments, *inputs: Shape) -> tuple[Layer, ...]:  # noqa: D102
        keywords = {**self.own_entries(), **arguments.keywords}
        entries = dict(self.function.entries) | _bound(self.function, Arguments(arguments.positional, keywords))
        for name, value in entries.items():
            allowed = name in (self.function.takes[0].split("|")[0], *self.function.also_tensors)
            if not allowed and _holds_tensors(value):
                raise UnsupportedError(f"its argument {name!r} is computed by a layer, which fastact does not follow")
        made = self.function.make(replace(self.config, entries=entries), *inputs)
        return made if isinstance(made, tuple) else (made,)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        raise TypeError("each call has a layer of its own")

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        raise TypeError("each call has a layer of its own")


@register("TFOpLambda", "SlicingOpLambda")
class TensorFlowFunction(FunctionCall):
    """A TensorFlow function Keras 2 wrapped as a layer: `function` names it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        name = config.entries.get("function")
        name = name.removeprefix("compat.v1.") if isinstance(name, str) else name
        if not isinstance(name, str) or name not in _TENSORFLOW:
            raise UnsupportedError(f"fastact does not know the TensorFlow function {str(name)[:60]!r}")
        self.function = _TENSORFLOW[name]


refuse(
    "it is a piece of a TensorFlow graph, as TensorFlow 2.0 to 2.3 saved arithmetic between layers, which fastact does "
    "not read: save the model anew with TensorFlow 2.4 or later",
    "TensorFlowOpLayer",
)


class Operation(FunctionCall):
    """An operation of keras.ops; what is no tensor stands in its configuration."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.function = _KERAS[config.class_name]

    def own_entries(self) -> Mapping[str, Any]:  # noqa: D102
        taken = {name for names in self.function.takes for name in names.split("|")}
        unread = {"name"} | {"dtype"} - taken
        return {k: v for k, v in self.config.entries.items() if k not in unread and v is not None}


def _bound(function: Function, arguments: Arguments) -> dict[str, Any]:
    """The arguments by the first of their names; raises UnsupportedError for one the function does not take."""
    names = [names.split("|") for names in function.takes]
    if len(arguments.positional) > len(names):
        raise UnsupportedError(f"it is called with {len(arguments.positional)} arguments")
    bound: dict[str, Any] = {n[0]: v for n, v in zip(names, arguments.positional, strict=False) if v is not None}
    for name, value in arguments.keywords.items():
        first = next((n[0] for n in names if name in n), None)
        if first is not None:
            bound[first] = value
        elif name != "name" and value is not None:
            raise UnsupportedError(f"it is called with the argument {name!r}")
    if not any(_holds_tensors(bound.get(n)) for n in (names[0][0], *function.also_tensors)):
        raise UnsupportedError("it is called without a tensor")
    return bound


def _holds_tensors(value: object) -> bool:
    if isinstance(value, list):
        return any(_holds_tensors(v) for v in value)
    return isinstance(value, Given)


def tensors(config: Config, entry: str = "x") -> list[int]:
    """The numbers of the inputs in a list of tensors; raises UnsupportedError for a list that holds others."""
    value = config.entries.get(entry)
    listed = value if isinstance(value, list) else [value]
    if not only_tensors(listed):
        raise UnsupportedError("it joins constants, which fastact does not compute")
    return [v.number for v in listed if isinstance(v, Given)]
