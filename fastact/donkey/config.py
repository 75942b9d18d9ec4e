"""donkeycar's configuration files, read without executing them.

`config.py` and `myconfig.py` are Python, and donkeycar executes them. fastact reads what they plainly say: assignments
of numbers, texts, lists and the like, arithmetic on these and on names assigned before. A name whose value hangs on
anything else (a condition, a call, an import) is refused when it is asked for, with the line; the many others that no
one asks for do no harm.
"""

from __future__ import annotations

import ast
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastact.errors import FileError, InputError

CONFIG, MYCONFIG = "config.py", "myconfig.py"
LARGEST_FILE = 2**20
"""Bytes of a file; donkeycar's own has 40,000."""
_LARGEST_NUMBER, _LONGEST = 2.0**63, 10_000

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_BY_NAME = {"eval", "exec", "globals", "locals", "setattr", "vars"}
"""Functions that set a name without its standing there."""


class _NotPlainError(Exception):
    """An expression whose value only running the file would tell."""


@dataclass(frozen=True)
class _Unknown:
    """What a name has whose value the file does not plainly say."""

    where: str


class ConfigFile(Mapping[str, object]):
    """The upper-case names of a car's configuration with their values.

    Asking for a name that is not assigned is a KeyError; for one whose value is not plain an InputError with its place.
    """

    def __init__(self, source: str, values: Mapping[str, object], beyond: str | None = None) -> None:
        self.source = source
        self._values = {name: value for name, value in values.items() if name.isupper()}
        self._beyond = beyond

    def __getitem__(self, name: str) -> object:
        if name not in self._values and self._beyond is not None:
            raise InputError(
                f"{name} may be set by {self._beyond}, and fastact does not execute configuration files: assign it a "
                "plain value in a file of its own for --config"
            )
        value = self._values[name]
        if isinstance(value, _Unknown):
            raise InputError(
                f"{value.where}: what {name} is only running the file would tell, and fastact does not execute "
                f"configuration files: assign it a plain value there, or in a file of its own for --config"
            )
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_config(path: str | os.PathLike[str]) -> ConfigFile:
    """A car's configuration: of `config.py` and `myconfig.py` in one folder the first is read and then the other, as
    donkeycar does, whichever is given; of any other name the one file alone.

    Raises:
        FileError: it cannot be read, or is no Python.
    """
    path = Path(path)
    files = [path]
    if path.name in (CONFIG, MYCONFIG):
        files = [f for f in (path.with_name(CONFIG), path.with_name(MYCONFIG)) if f == path or os.path.isfile(f)]  # noqa: PTH113
    values: dict[str, object] = {}
    beyond = None
    for file in files:
        found = _Reader(os.fspath(file))
        found.read(_parsed(file))
        if found.beyond is not None:
            beyond, values = found.beyond, {name: _Unknown(found.beyond) for name in values}
        values |= {name: value for name, value in found.values.items() if name.isupper()}
    return ConfigFile(" and ".join(map(os.fspath, files)), values, beyond)


def _parsed(path: Path) -> ast.Module:
    name = os.fspath(path)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise FileError(f"there is no configuration file {name!r}") from None
    except (OSError, ValueError) as error:
        raise FileError(f"{name!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > LARGEST_FILE:
        raise FileError(f"{name!r} is longer than any car's configuration, {LARGEST_FILE:,} bytes")
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise FileError(f"{name!r} is no Python: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError, MemoryError):
        raise FileError(f"{name!r} is no Python that a car's configuration would be") from None


class _Reader:
    """Follows a file statement by statement; `values` are the names as they stand, `beyond` the place of the last
    statement that may set any name at all."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.values: dict[str, object] = {}
        self.beyond: str | None = None

    def read(self, module: ast.Module) -> None:
        """Takes in a whole file."""
        for statement in module.body:
            try:
                self._statement(statement)
            except RecursionError:
                raise FileError(f"{self._where(statement)} is nested deeper than any configuration") from None

    def _where(self, statement: ast.stmt) -> str:
        return f"{self._file}, line {statement.lineno}"

    def _statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name) for t in statement.targets):
            self._assign([t.id for t in statement.targets if isinstance(t, ast.Name)], statement.value, statement)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                self._assign([statement.target.id], statement.value, statement)
        elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            self._augment(statement.target.id, statement)
        else:
            self._lose(statement, statement)

    def _assign(self, names: list[str], expression: ast.expr, statement: ast.stmt) -> None:
        self._lose(expression, statement)
        try:
            value = self._value(expression)
        except _NotPlainError:
            value = _Unknown(self._where(statement))
        self.values |= dict.fromkeys(names, value)

    def _augment(self, name: str, statement: ast.AugAssign) -> None:
        self._lose(statement.value, statement)
        before = self.values.get(name)
        try:
            if isinstance(before, list) and isinstance(statement.op, ast.Add):
                more = self._value(statement.value)
                if not isinstance(more, list | tuple) or len(before) + len(more) > _LONGEST:
                    raise _NotPlainError
                before.extend(more)  # of all names that share the list, as Python does
                return
            place = ast.copy_location(ast.Name(name, ast.Load()), statement)
            self.values[name] = self._value(ast.BinOp(place, statement.op, statement.value))
        except _NotPlainError:
            self.values[name] = _Unknown(self._where(statement))

    def _lose(self, tree: ast.AST, statement: ast.stmt) -> None:
        """Forgets what running a part of the file may change: names that it sets, and lists that it hands over or
        calls methods of."""
        lost = _Unknown(self._where(statement))
        harmless = isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant)
        calls = not harmless and any(isinstance(node, ast.Call) for node in ast.walk(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                self._lose_all(lost)
            elif isinstance(node, ast.Name):
                if node.id in _BY_NAME:
                    self._lose_all(lost)
                if not isinstance(node.ctx, ast.Load):
                    self.values[node.id] = lost
                elif (calls or isinstance(tree, ast.stmt)) and isinstance(self.values.get(node.id), list | dict):
                    shared = self.values[node.id]
                    self.values |= {name: lost for name, value in self.values.items() if value is shared}
            elif isinstance(node, ast.alias):
                self.values[node.asname or node.name.partition(".")[0]] = lost
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.values[node.name] = lost
            elif isinstance(node, ast.Global):
                self.values |= dict.fromkeys(node.names, lost)

    def _lose_all(self, lost: _Unknown) -> None:
        self.values = dict.fromkeys(self.values, lost)
        self.beyond = lost.where

    def _value(self, expression: ast.expr) -> object:
        """The value of a plain expression; raises _NotPlainError for others."""
        if isinstance(expression, ast.Constant):
            return expression.value
        if isinstance(expression, ast.Name) and not isinstance(self.values.get(expression.id, _Unknown("")), _Unknown):
            return self.values[expression.id]
        if isinstance(expression, ast.List):
            return [self._value(item) for item in expression.elts]
        if isinstance(expression, ast.Tuple):
            return tuple(self._value(item) for item in expression.elts)
        if isinstance(expression, ast.Dict) and None not in expression.keys:
            pairs = zip(expression.keys, expression.values, strict=True)
            return {_key(self._value(key)): self._value(value) for key, value in pairs if key is not None}
        if isinstance(expression, ast.UnaryOp) and type(expression.op) in _SIGNS:
            return _SIGNS[type(expression.op)](_number(self._value(expression.operand)))
        if isinstance(expression, ast.BinOp) and type(expression.op) in _OPERATORS:
            left, right = self._value(expression.left), self._value(expression.right)
            if (
                isinstance(expression.op, ast.Add)
                and type(left) is type(right)
                and isinstance(left, str | list | tuple)
            ):
                return _not_too_long(left + right)  # type: ignore[operator]  # of one type, which knows it
            try:
                return _number(_OPERATORS[type(expression.op)](_number(left), _number(right)))
            except ArithmeticError:
                raise _NotPlainError from None
        raise _NotPlainError


def _number(value: object) -> Any:
    """A number of a size that a configuration has."""
    if not isinstance(value, int | float) or not abs(value) < _LARGEST_NUMBER:
        raise _NotPlainError
    return value


def _key(value: object) -> object:
    """What a dictionary takes as a key."""
    if not isinstance(value, str | int | float | None):
        raise _NotPlainError
    return value


def _not_too_long(value: Any) -> Any:
    if len(value) > _LONGEST:
        raise _NotPlainError
    return value
