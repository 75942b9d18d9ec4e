"""Dataclasses that are quick to define.

The standard library's decorator writes the source of each method and compiles it: 0.4 ms a class on a PC and several on
a board, which for the classes that a process needs to compute one frame took longer than reading the model and planning
it. Here a class gets methods that were compiled once for all and look its fields up; making an instance takes about
twice as long. All else is the standard library's own: fields, `field`, `replace`, `fields`, `asdict`, `__post_init__`.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass  # what type checkers know by this name
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, eq: bool = True) -> Any:
        """As `dataclasses.dataclass`, with the two of its options that fastact uses."""
        if cls is None:
            return functools.partial(dataclass, frozen=frozen, eq=eq)
        methods = {"__init__": _init_and_check if hasattr(cls, "__post_init__") else _init, "__repr__": _repr}
        if eq:
            methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
        if frozen:
            methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        for name, method in methods.items():
            if name not in vars(cls):
                setattr(cls, name, method)
        return dataclasses.dataclass(init=False, repr=False, eq=False)(cls)


def _init(self: Any, /, *given: object, **named: object) -> None:
    names = self.__match_args__
    values = dict(zip(names, given, strict=False), **named)
    if tuple(values) != names or len(given) + len(named) > len(names):
        values = _in_order(type(self), given, named)
    self.__dict__.update(values)


def _init_and_check(self: Any, /, *given: object, **named: object) -> None:
    _init(self, *given, **named)
    self.__post_init__()


def _in_order(kind: Any, given: tuple[object, ...], named: dict[str, object]) -> dict[str, object]:
    """Every field's value, where not all are given or not in order; raises TypeError for what cannot be."""
    names = kind.__match_args__
    values = dict(zip(names, given, strict=False), **named)
    if len(values) < len(given) + len(named) or not values.keys() <= set(names):
        raise TypeError(f"{kind.__name__}() takes {', '.join(names)}, each once")
    return {name: values[name] if name in values else _default(kind, name) for name in names}


def _default(kind: Any, name: str) -> object:
    field = kind.__dataclass_fields__[name]
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is not dataclasses.MISSING:
        return field.default
    raise TypeError(f"{kind.__name__}() needs {name!r}")


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _values(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, f.name) for f in dataclasses.fields(self) if f.compare)


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, *value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"{name!r} of {type(self).__name__} cannot be changed")
