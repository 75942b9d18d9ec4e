"""The references by operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy.typing as npt

from .. import ops

Array: TypeAlias = npt.NDArray[Any]


O = TypeVar("O", bound=ops.Op)  # noqa: E741


_REFERENCES: dict[type[ops.Op], Callable[..., Array]] = {}


def run(op: ops.Op, *inputs: Array) -> Array:
    """The output of `op` for `inputs`, computed in their dtype (bytes: in float64)."""
    return _REFERENCES[type(op)](op, *inputs)


def reference(kind: type[O]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Makes a function the meaning of `kind`: called as function(op, *inputs), it gives the output."""

    def register(function: Callable[..., Array]) -> Callable[..., Array]:
        _REFERENCES[kind] = function
        return function

    return register
