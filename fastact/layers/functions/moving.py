"""Functions that move or regroup values: slices, joins, other shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.records import dataclass
from fastact.layers.base import Layer, Shape, Tape, Value, frame_axes, frame_axis, known, show
from fastact.layers.config import Config, is_integer
from fastact.layers.core import PassThrough
from fastact.layers.functions.calls import Function, keras, of, tensorflow, tensors
from fastact.layers.merging import joined
from fastact.layers.shaping import Reshape

_FLOATS = ("float16", "bfloat16", "float32", "float64")


class Cast(PassThrough):
    """The same values: fastact computes in float32 whatever the kind of float."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        dtype = config.entries.get("dtype", "float32")
        if dtype not in _FLOATS:
            raise UnsupportedError(f"it makes {str(dtype)[:60]} of its values, which fastact does not compute")


tensorflow("cast")(keras("Cast")(Function(of(Cast), ("x", "dtype"))))
tensorflow("identity", "stop_gradient")(keras("StopGradient")(Function(of(PassThrough), ("x|input", "variable"))))


class Join(Layer):
    """Tensors one after the other along `axis`."""

    inputs_taken = (1, None)

    def __init__(self, config: Config, *inputs: Shape) -> None:
        super().__init__(config)
        self.axis = frame_axis(config.entries.get("axis", -1), "joining along axis")
        self.order = tensors(config)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return joined(self.axis, *(inputs[n] for n in self.order))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Concat(self.axis), *(inputs[n] for n in self.order))


tensorflow("concat")(Function(Join, ("x|values", "axis|concat_dim")))
keras("Concatenate")(Function(Join, ("x|xs", "axis")))


class Stack(Join):
    """Tensors one after the other along a new axis."""

    def __init__(self, config: Config, *inputs: Shape) -> None:
        super().__init__(config, *inputs)
        self.axis = _new_axis(config.entries.get("axis", 0), len(inputs[0]))

    def _with_axis(self, shape: Shape) -> Shape:
        return (*shape[: self.axis], 1, *shape[self.axis :])

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return super().output_shape(*(self._with_axis(i) for i in inputs))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return super().lower(tape, *(tape.emit(ops.Reshape(known(self._with_axis(i.shape))), i) for i in inputs))


tensorflow("stack")(Function(Stack, ("x|values", "axis")))
keras("Stack")(Function(Stack, ("x", "axis")))


def _new_axis(axis: object, axes: int) -> int:
    """Where in a frame of `axes` axes a new one goes; Keras counts the batch as 0."""
    if (
        not isinstance(axis, int)
        or isinstance(axis, bool)
        or not -axes - 2 <= axis <= axes + 1
        or axis % (axes + 2) == 0
    ):
        raise UnsupportedError(f"a new axis {str(axis)[:60]} is not supported, only one within a frame")
    return axis % (axes + 2) - 1


class Expand(Layer):
    """A new axis of length 1 at `axis`."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        axis = self.config.entries.get("axis")
        at = _new_axis(axis[0] if isinstance(axis, list) and len(axis) == 1 else axis, len(inputs[0]))
        return (*inputs[0][:at], 1, *inputs[0][at:])

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Reshape(known(self.output_shape(inputs[0].shape))), inputs[0])


tensorflow("expand_dims")(keras("ExpandDims")(Function(of(Expand), ("x|input", "axis|dim"))))


class Squeeze(Expand):
    """Less the axes `axis`, which are of length 1."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        axes = frame_axes(self.config.entries.get("axis"), len(inputs[0]), "leaving out axis")
        if any(inputs[0][a] != 1 for a in axes) or len(axes) == len(inputs[0]):
            raise UnsupportedError(f"it leaves out axes {axes} of its input of {show(inputs[0])}")
        return tuple(n for a, n in enumerate(inputs[0]) if a not in axes)


tensorflow("squeeze")(Function(of(Squeeze), ("x|input", "axis|squeeze_dims")))
keras("Squeeze")(Function(of(Squeeze), ("x", "axis")))


def _reshape(config: Config, *inputs: Shape) -> Layer:
    shape = config.entries.get("shape")
    if not isinstance(shape, list) or len(shape) < 2 or shape[0] not in (-1, None):
        raise UnsupportedError(f"its shape {str(shape)[:60]} does not leave the batch axis as it is")
    rest = [-1 if n is None else n for n in shape[1:]]
    if shape[0] == -1 and -1 in rest:
        raise UnsupportedError(f"its shape {str(shape)[:60]} leaves two lengths open")
    made = Reshape(Config(config.class_name, config.name, {"target_shape": rest}, config.keras_version))
    made.output_shape(*inputs)
    return made


tensorflow("reshape")(Function(_reshape, ("x|tensor", "shape")))
keras("Reshape")(Function(_reshape, ("x", "shape|newshape")))


class Transpose(Layer):
    """Axis number a of the output is axis `axes[a]` of the input."""

    def __init__(self, config: Config, axes: tuple[int, ...]) -> None:
        super().__init__(config)
        self.axes = axes

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return tuple(inputs[0][a] for a in self.axes)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        return tape.emit(ops.Transpose(self.axes), inputs[0])


def _transpose(config: Config, *inputs: Shape) -> Layer:
    axes, count = config.entries.get("axes"), len(inputs[0]) + 1
    if not isinstance(axes, list) or not all(is_integer(a, -count) for a in axes) or len(axes) != count:
        raise UnsupportedError(f"its order of axes {str(axes)[:60]} is not one of {count} axes")
    return _ordered(config, [a % count for a in axes])


def _ordered(config: Config, axes: list[int]) -> Layer:
    """The transposition to `axes`, the batch being 0."""
    if axes[0] != 0 or sorted(axes) != list(range(len(axes))) or len(axes) > 6:
        raise UnsupportedError(f"its order of axes {axes} moves the batch axis or is none")
    return Transpose(config, tuple(a - 1 for a in axes[1:]))


tensorflow("transpose")(Function(_transpose, ("x|a", "axes|perm", "conjugate")))
keras("Transpose")(Function(_transpose, ("x", "axes")))


def _move_axis(config: Config, *inputs: Shape) -> Layer:
    count = len(inputs[0]) + 1
    source, destination = (
        frame_axes(config.entries.get(e), count - 1, "moving axis") for e in ("source", "destination")
    )
    if len(source) != len(destination):
        raise UnsupportedError("it moves one number of axes to another")
    rest = [a for a in range(count) if a - 1 not in source]
    for to, origin in sorted(zip(destination, source, strict=True)):
        rest.insert(to + 1, origin + 1)
    return _ordered(config, rest)


def _swap_axes(config: Config, *inputs: Shape) -> Layer:
    a, b = frame_axes([config.entries.get("axis1"), config.entries.get("axis2")], len(inputs[0]), "swapping axes")
    axes = list(range(len(inputs[0]) + 1))
    axes[a + 1], axes[b + 1] = b + 1, a + 1
    return _ordered(config, axes)


keras("Moveaxis")(Function(_move_axis, ("x", "source", "destination")))
keras("Swapaxes")(Function(_swap_axes, ("x", "axis1", "axis2")))


@dataclass(frozen=True)
class Cut:
    """What is kept of one axis; without a length it has still to be known."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None

    @property
    def whole(self) -> bool:
        """Whether all of it is kept."""
        return self.start is None and self.stop is None and self.step in (None, 1)

    def range(self, length: int) -> range:
        """The cells that are kept."""
        return range(*slice(self.start, self.stop, self.step).indices(length))


class Cuts(Layer):
    """Some of the cells along some axes, axes of which one cell is kept left out, and new axes of length 1.

    `kept` has a Cut for each axis of the input and, in their places, None for each new axis; an int keeps one cell.
    """

    def __init__(self, config: Config, kept: list[Cut | int | None]) -> None:
        super().__init__(config)
        self.kept = kept

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        shape: list[int | None] = []
        lengths = iter(inputs[0])
        for cut in self.kept:
            length = 1 if cut is None else next(lengths)
            if isinstance(cut, int):
                if length is not None and not -length <= cut < length:
                    raise UnsupportedError(f"it takes cell {cut} of {length}")
                continue
            if isinstance(cut, Cut) and length is not None:
                length = len(cut.range(length))
            if isinstance(cut, Cut) and length == 0:
                raise UnsupportedError(f"nothing is left of its input of {show(inputs[0])}")
            shape.append(None if isinstance(cut, Cut) and not cut.whole and length is None else length)
        if not shape:
            raise UnsupportedError("it gives one number a frame, which this version does not compute")
        return tuple(shape)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        value = inputs[0]
        for axis, cut in enumerate(c for c in self.kept if c is not None):
            length = value.shape[axis]
            cells = range(cut % length, cut % length + 1) if isinstance(cut, int) else cut.range(length)
            if cells != range(length):
                value = tape.emit(ops.Slice(axis, cells.start, len(cells), cells.step), value)
        shape = known(self.output_shape(inputs[0].shape))
        return value if value.shape == shape else tape.emit(ops.Reshape(shape), value)


def _get_item(config: Config, *inputs: Shape) -> Layer:
    key = config.entries.get("key")
    parts = [_cut(p) for p in (key if isinstance(key, list) else [key])]
    axes = len(inputs[0]) + 1
    missing = axes - sum(isinstance(p, Cut | int) for p in parts)
    if missing < 0 or parts.count("...") > 1:
        raise UnsupportedError(f"it takes cells of more axes than its input of {show(inputs[0])} has")
    at = parts.index("...") if "..." in parts else len(parts)
    parts[at : at + 1] = [Cut()] * missing
    if not isinstance(parts[0], Cut) or not parts[0].whole:
        raise UnsupportedError("it takes something out of the batch axis")
    return Cuts(config, [p for p in parts[1:] if not isinstance(p, str)])


def _cut(part: Any) -> Cut | int | str | None:
    """One part of what stands in the brackets: a number, None for a new axis, "..." or a slice."""
    if part is None or (isinstance(part, int) and not isinstance(part, bool)):
        return part
    if isinstance(part, Mapping) and part.get("class_name") == "__ellipsis__":
        return "..."
    inner = part.get("config") if isinstance(part, Mapping) and part.get("class_name") == "__slice__" else part
    if not isinstance(inner, Mapping):
        raise UnsupportedError(f"it takes cells by {str(part)[:60]}, not by numbers and slices")
    ends = [inner.get(e) for e in ("start", "stop", "step")]
    if not all(e is None or is_integer(e, -(2**24)) for e in ends) or ends[2] == 0:
        raise UnsupportedError(f"it takes cells by {str(part)[:60]}, not by numbers and slices")
    return Cut(*ends)


tensorflow("__operators__.getitem")(Function(_get_item, ("x|tensor", "key|slice_spec", "var")))
keras("GetItem")(Function(_get_item, ("x", "key")))


def _flip(config: Config, *inputs: Shape) -> Layer:
    axes = frame_axes(config.entries.get("axis"), len(inputs[0]), "turning round axis")
    return Cuts(config, [Cut(step=-1) if a in axes else Cut() for a in range(len(inputs[0]))])


tensorflow("reverse")(Function(_flip, ("x|tensor", "axis")))
keras("Flip")(Function(_flip, ("x", "axis")))

MOST_PARTS = 1000


def _split(config: Config, *inputs: Shape) -> tuple[Layer, ...]:
    """Pieces of an axis: `sizes` of them, of `sizes` cells each, or cut at `places`."""
    axis, length = _along(config, *inputs)
    entry = "sizes" if "sizes" in config.entries else "places"
    given = config.entries.get(entry)
    if isinstance(given, int) and is_integer(given, 1) and given <= MOST_PARTS and length % given == 0:
        ends = [length // given * (i + 1) for i in range(given)]
    elif isinstance(given, list) and all(is_integer(n, 0) for n in given) and len(given) < MOST_PARTS:
        ends = [sum(given[: i + 1]) for i in range(len(given))] if entry == "sizes" else [*given, length]
    else:
        raise UnsupportedError(f"it splits {length} cells by {str(given)[:60]}")
    starts = [0, *ends[:-1]]
    if ends[-1] != length or any(a >= b for a, b in zip(starts, ends, strict=True)):
        raise UnsupportedError(f"it splits {length} cells by {str(given)[:60]}")
    before, behind = [Cut()] * axis, [Cut()] * (len(inputs[0]) - axis - 1)
    return tuple(Cuts(config, [*before, Cut(a, b), *behind]) for a, b in zip(starts, ends, strict=True))


def _unstack(config: Config, *inputs: Shape) -> tuple[Layer, ...]:
    axis, length = _along(config, *inputs)
    if length > MOST_PARTS:
        raise UnsupportedError(f"it gives {length} maps")
    before, behind = [Cut()] * axis, [Cut()] * (len(inputs[0]) - axis - 1)
    return tuple(Cuts(config, [*before, i, *behind]) for i in range(length))


def _along(config: Config, *inputs: Shape) -> tuple[int, int]:
    (axis,) = frame_axes([config.entries.get("axis", 0)], len(inputs[0]), "splitting axis")
    (length,) = known((inputs[0][axis],))
    return axis, length


tensorflow("split")(Function(_split, ("x|value", "sizes|num_or_size_splits", "axis", "num")))
keras("Split")(Function(_split, ("x", "places|indices_or_sections", "axis")))
tensorflow("unstack")(Function(_unstack, ("x|value", "num", "axis")))
keras("Unstack")(Function(_unstack, ("x", "num", "axis")))
