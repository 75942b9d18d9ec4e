"""Reports read back from their files."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastact.bench.result import VERSION, Ability, Report, Size
from fastact.bench.times import Times
from fastact.errors import FileError

_MOST_BYTES = 64 << 20

_SECONDS = 1e-12, 1e9
_A_SECOND = 1.0, 1e30
"""What times, and FLOP or bytes a second, lie between: within, no ratio is beyond what floats hold."""


def read_report(path: str | os.PathLike[str]) -> Report:
    """A report from its file.

    Raises:
        FileError: it cannot be read, or is no report of this form.
    """
    name = repr(os.fspath(path))
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise FileError(f"{name} is larger than any report: give a report.json that fastact bench wrote")
        value = json.loads(content, parse_constant=_no_number)
    except OSError as error:
        raise FileError(f"the report {name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name} is not JSON: give a report.json that fastact bench wrote") from error
    if isinstance(value, dict) and value.get("version") == 1:
        value = _second_form(value)
    if isinstance(value, dict) and value.get("version") == 2:
        value = _third_form(value)
    if isinstance(value, dict) and value.get("version") != VERSION:
        raise FileError(
            f"{name} is a report of form {value.get('version')!r}, and this fastact reads form {VERSION}: measure again"
        )
    try:
        report: Report = _decode(Report, value, "report")
    except _MisfitError as error:
        raise FileError(f"{name} is no report of fastact bench: {error}") from error
    return report


def _second_form(value: dict[str, Any]) -> dict[str, Any]:
    """A report of form 1, which knew of no GPU, in form 2."""
    sizes = value.get("sizes")
    if isinstance(sizes, list):
        sizes = [size | {"copies": None} if isinstance(size, dict) else size for size in sizes]
    return value | {"version": 2, "device": "cpu", "gpu": None} | ({} if sizes is None else {"sizes": sizes})


def _third_form(value: dict[str, Any]) -> dict[str, Any]:
    """A report of form 2, when all multiply-adds were done, in form 3."""
    made = copy.deepcopy(value) | {"version": 3}
    sizes = made.get("sizes")
    for size in sizes if isinstance(sizes, list) else ():
        layers = size.get("layers") if isinstance(size, dict) else None
        for layer in layers if isinstance(layers, list) else ():
            if isinstance(layer, dict) and "multiply_adds" in layer:
                layer["multiplied"] = layer["multiply_adds"]
    return made


class _MisfitError(ValueError):
    """A value is not what the record has in its place."""


def _no_number(text: str) -> float:
    raise ValueError(text)


def _check(record: object, where: str) -> None:
    """Raises _MisfitError for times and speeds that nothing can have, which comparing would stumble over."""
    if isinstance(record, Times):
        seconds = (*record.runs, record.median, record.low, record.high, record.slowest_tenth, *record.outliers)
        # Some systems count CPU time so coarsely that a frame takes none.
        if not record.runs or any(t != 0 and not _SECONDS[0] <= t <= _SECONDS[1] for t in seconds):
            raise _MisfitError(f"{where} has times that nothing takes")
    elif isinstance(record, Size) and min(record.frame.median, *record.frame.runs) == 0:
        raise _MisfitError(f"{where}.frame has times that nothing takes")
    elif isinstance(record, Ability):
        speeds = (*record.bursts, record.peak, record.memory, record.cache)
        if not record.bursts or not all(_A_SECOND[0] <= speed <= _A_SECOND[1] for speed in speeds):
            raise _MisfitError(f"{where} has speeds that no machine has")


def _decode(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`: a record, a tuple or mapping of one kind, None or another kind, or a plain type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            raise _MisfitError(f"{where} has not the entries {', '.join(hints)}")
        made = kind(**{name: _decode(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})  # type: ignore[operator]
        _check(made, where)
        return made
    if origin is types.UnionType:
        if value is None:
            return None
        return _decode(next(a for a in arguments if a is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _MisfitError(f"{where} is no list")
        return tuple(_decode(arguments[0], v, where) for v in value)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _MisfitError(f"{where} is no object")
        return {k: _decode(arguments[1], v, where) for k, v in value.items()}
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 1 << 1000 else None
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise _MisfitError(f"{where} is no {kind.__name__}")
    return value
