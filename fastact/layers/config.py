"""A layer's configuration, read with checks: it comes from a file and is not to be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastact.errors import ModelError
from fastact.kernels import ops
from fastact.kernels.records import dataclass

LARGEST = 2**24
"""No length, count or stride in a configuration may be larger."""

_COUNTS = {1: "a whole number", 2: "one or two whole numbers", 3: "one or three whole numbers"}
_AXES = {1: "the steps", 2: "rows and columns", 3: "planes, rows and columns"}


@dataclass(frozen=True)
class Config:
    """A layer's configuration.

    Every method reads one entry and raises ModelError, naming layer and entry, for a value that cannot be.
    """

    class_name: str
    name: str
    entries: Mapping[str, Any]
    keras_version: tuple[int, ...]
    module: str | None = None
    """Where Keras 3 has the class; legacy .h5 files do not say."""

    @property
    def is_operation(self) -> bool:
        """Whether it is a function of keras.ops called on tensors, some of which share their names with layers.

        Where the file does not say, only layers have the entry "trainable", all but the input.
        """
        if not self.keras3:
            return False
        if self.module is None:
            return "trainable" not in self.entries and self.class_name != "InputLayer"
        return self.module.startswith(("keras.src.ops", "keras.ops", "keras.src.activations"))

    @property
    def keras3(self) -> bool:
        """Whether Keras 3 wrote the file, whose formulas differ in places."""
        return self.keras_version[:1] >= (3,)

    @property
    def precision(self) -> str:
        """What Keras computes the layer in: a type of number, or a policy such as "mixed_float16"."""
        dtype = self.entries.get("dtype")
        for _ in range(3):  # {"class_name": "DTypePolicy", "config": {"name": ...}}
            if isinstance(dtype, Mapping):
                dtype = dtype.get("config", dtype.get("name", dtype.get("default_policy")))
        return dtype if isinstance(dtype, str) else "float32"

    def fail(self, entry: str, wanted: str) -> ModelError:
        """The error for an entry that is not what it must be."""
        found = repr(self.entries.get(entry, "nothing"))
        found = found if len(found) <= 60 else found[:57] + "..."
        return ModelError(f"layer {self.name!r} ({self.class_name}): {entry} must be {wanted}, found {found}")

    def inner(self, entry: str) -> Config:
        """The configuration of the layer in an entry of a wrapper, {"class_name": ..., "config": {...}}."""
        value = self.entries.get(entry)
        if not isinstance(value, Mapping) or not isinstance(value.get("config"), Mapping):
            raise self.fail(entry, "a layer")
        class_name = value.get("class_name")
        if not isinstance(class_name, str) or not class_name.isprintable():
            raise self.fail(entry, "a layer with the name of its class")
        module = value.get("module") if isinstance(value.get("module"), str) else None
        return Config(class_name, self.name, value["config"], self.keras_version, module)

    def flag(self, entry: str, default: bool) -> bool:
        """True or false."""
        value = self.entries.get(entry, default)
        if not isinstance(value, bool):
            raise self.fail(entry, "true or false")
        return value

    def integer(self, entry: str, default: int | None = None, low: int = 1) -> int:
        """A whole number from `low` to LARGEST."""
        value = self.entries.get(entry, default)
        if not is_integer(value, low):
            raise self.fail(entry, f"a whole number from {low} to {LARGEST}")
        return int(value)

    def number(self, entry: str, default: float | None = None) -> float:
        """A finite number; Keras 2 wraps some in {"class_name": "__numpy__", "value": ...}."""
        value = self.entries.get(entry, default)
        if isinstance(value, Mapping):
            value = value.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.fail(entry, "a finite number")
        return float(value)

    def optional_number(self, entry: str) -> float | None:
        """A finite number, or None where the entry is null or missing."""
        return None if self.entries.get(entry) is None else self.number(entry)

    def numbers(self, entry: str, default: float) -> list[float]:
        """A finite number or a list of them, as a list."""
        value = self.entries.get(entry, default)
        values = value if isinstance(value, list) else [value]
        if not values or not all(_is_number(v) for v in values):
            raise self.fail(entry, "a number or a list of numbers")
        return [float(v) for v in values]

    def array(self, entry: str) -> ops.Floats | None:
        """A finite number or (nested) lists of them as float32; None where the entry is null or missing."""
        value = self.entries.get(entry)
        return None if value is None else constant(value, self.fail(entry, "a number or lists of numbers"))

    def lengths(self, entry: str, count: int, default: int | None = None, low: int = 1) -> tuple[int, ...]:
        """`count` whole numbers from `low` to LARGEST, or one that stands for all."""
        value = self.entries.get(entry, default)
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value] * count
        if len(values) != count or not all(is_integer(v, low) for v in values):
            raise self.fail(entry, f"{_COUNTS[count]} from {low} to {LARGEST}")
        return tuple(int(v) for v in values)

    def sides(self, entry: str, count: int = 2) -> tuple[tuple[int, int], ...]:
        """Cells before and after each of `count` axes: ((t, b), (l, r)), (rows, columns) or one number for all."""
        value = self.entries.get(entry, 1)
        if count == 1:
            value = [value]
        axes = value if isinstance(value, list | tuple) else [value] * count
        sides = [tuple(a) if isinstance(a, list | tuple) else (a, a) for a in axes]
        if len(sides) != count or not all(len(s) == 2 and all(is_integer(n, 0) for n in s) for s in sides):
            raise self.fail(entry, f"cells before and after {_AXES[count]}")
        return tuple((int(before), int(after)) for before, after in sides)

    def choice(self, entry: str, default: str, allowed: Sequence[str]) -> str:
        """One of `allowed`, in lower case."""
        value = self.entries.get(entry, default)
        value = default if value is None else value
        if not isinstance(value, str) or value.lower() not in allowed:
            raise self.fail(entry, "one of " + ", ".join(allowed))
        return value.lower()

    def shape(self, entry: str) -> tuple[int | None, ...]:
        """A list of lengths, null where one is open."""
        value = self.entries.get(entry)
        if not isinstance(value, list) or not all(v is None or is_integer(v, 1) for v in value):
            raise self.fail(entry, f"a list of lengths from 1 to {LARGEST}")
        return tuple(value)


def constant(value: object, error: Exception) -> ops.Floats:
    """A number or (nested) lists of numbers as float32, or a dict that holds them; raises `error` for what is none.

    Keras wraps some: {"class_name": "__numpy__", "config": {"value": ...}}, or {"type": "ndarray", "value": ...}.
    """
    for _ in range(3):
        if isinstance(value, Mapping):
            value = value.get("config", value.get("value"))
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        raise error from None
    if array.dtype.kind not in "iuf" or not np.all(np.isfinite(array)):
        raise error
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32).reshape(array.shape)


def is_integer(value: object, low: int) -> bool:
    """Whether `value` is a whole number from `low` to LARGEST."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= LARGEST


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
