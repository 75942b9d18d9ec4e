"""What the code of a layer's class reads and uses, for the table of layers: arguments, and operations."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers.base import Layer
from fastact.layers.config import Config

_READERS = {name for name, value in vars(Config).items() if inspect.isfunction(value)} - {"fail"}


@dataclass
class Reading:
    """Entries of the configuration that a class reads, in the code's order, and the operations it names."""

    layer: type[Layer]
    entries: dict[str, None] = field(default_factory=dict)
    operations: set[str] = field(default_factory=set)
    _seen: set[Callable[..., Any]] = field(default_factory=set)
    _classes: set[type] = field(default_factory=set)

    def follow(self, function: Callable[..., Any]) -> None:
        """Takes in a function, and what it calls with the configuration or the tape."""
        written = not inspect.unwrap(function).__code__.co_filename.startswith("<")  # and not made by dataclasses
        if function in self._seen or not written:
            return
        self._seen.add(function)
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
            self.entries |= dict.fromkeys(self._entries_at(node))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ops":
                self.operations |= {node.attr} if isinstance(getattr(ops, node.attr, None), type) else set()
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                self._follow_call(node, inspect.unwrap(function).__globals__.get(node.func.id))

    def follow_class(self, followed: type) -> None:
        """Takes in the methods of a class and of its bases, but for what every layer has."""
        for base in followed.__mro__:
            if base in (Layer, Config) or not base.__module__.startswith("fastact.layers"):
                continue
            for name, value in vars(base).items():
                function = value.fget if isinstance(value, property) else value
                overridden = getattr(followed, name, None) not in (value, function)
                if inspect.isfunction(function) and (name == "__init__" or not overridden):
                    self.follow(function)

    def _follow_call(self, call: ast.Call, called: object) -> None:
        if isinstance(called, type) and called not in self._classes:
            self._classes.add(called)
            self.follow_class(called)
        elif inspect.isfunction(called) and called.__module__.startswith("fastact.layers"):
            self.follow(called)
            for place, (name, parameter) in enumerate(inspect.signature(called).parameters.items()):
                if name == "entry":  # a reader of an entry that is named by whoever calls it
                    given = [a.value for a in call.args[place : place + 1] if isinstance(a, ast.Constant)]
                    entry = given[0] if given else parameter.default
                    self.entries |= {entry: None} if isinstance(entry, str) else {}

    def _entries_at(self, node: ast.AST) -> Iterator[str]:
        """The entries named by one piece of code: config.number("a"), config.entries["a"], "a" in config.entries."""
        named: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            reads = node.func.attr in _READERS and _is_named(node.func.value, "config")
            gets = node.func.attr == "get" and _is_named(node.func.value, "entries")
            named = node.args[0] if reads or gets else None
        elif isinstance(node, ast.Subscript) and _is_named(node.value, "entries"):
            named = node.slice
        elif isinstance(node, ast.Compare) and _is_named(node.comparators[0], "entries"):
            named = node.left
        if isinstance(named, ast.Attribute) and _is_named(named.value, "self"):
            value = getattr(self.layer, named.attr, None)
        else:
            value = named.value if isinstance(named, ast.Constant) else None
        if isinstance(value, str):
            yield value


def _is_named(node: ast.expr, name: str) -> bool:
    return (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)


def read(layer: type[Layer]) -> Reading:
    """What the methods of a class and of its bases read and use."""
    reading = Reading(layer)
    reading.follow_class(layer)
    return reading
