"""Which number of a network's a gradient is taken of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fastact.errors import InputError
from fastact.frames import takes_pictures
from fastact.graph import Model
from fastact.kernels import ops
from fastact.kernels.ops import Floats, Row, Total
from fastact.layers import Value, show
from fastact.recording import Recorder
from fastact.saliency.chain import recorded


@dataclass(frozen=True)
class Scalar:
    """One number that a network gives.

    Attributes:
        output: the layer's name.
        index: which of its values, counted in the order in which they lie; None for the largest.
        count: how many it has.
    """

    output: str
    index: int | None
    count: int

    @property
    def words(self) -> str:
        """The number in words, such as "n_outputs0" or "the largest value of angle_out (15 classes)"."""
        if self.index is None:
            return f"the largest value of {self.output} (of {self.count}: the class it chooses)"
        return self.output if self.count == 1 else f"value {self.index} of {self.output} (of {self.count})"

    def of(self, maps: Mapping[str, Floats]) -> float:
        """The number in a frame's maps."""
        values = maps[self.output].reshape(-1)
        return float(values.max() if self.index is None else values[self.index])

    def emit(self, recorder: Recorder, output: Value) -> Value:
        """The number as a value of shape (1,)."""
        if self.index is None:
            row = recorder.emit(ops.Reshape((1, self.count)), output)
            return recorder.emit(ops.Reduce(Total.MAX, (1,)), row)
        flat = recorder.emit(ops.Reshape((self.count,)), output)
        return flat if self.count == 1 else recorder.emit(ops.Slice(0, self.index, 1), flat)


def scalar_of(model: Model, output: str | None, index: int | None) -> Scalar:
    """The number that `output` and `index` mean.

    Without `output`: the model's first output that is a row of values. Without `index`: the largest value of an output
    that is a softmax, whose class a pilot chooses, as donkeycar's own saliency takes it; else the first value, which
    is the steering in every pilot with several numbers in one output.

    Raises:
        InputError: no such layer or value, or a layer that is not computed.
    """
    rows = [n for n in model.outputs if n in model.layers and len(model.layers[n].shape or ()) == 1]
    name = output if output is not None else (rows or list(model.outputs))[0]
    node = model.layers.get(name)
    if node is None or node.is_input:
        raise InputError(f"{model.source} has no output {name!r}: its outputs are {', '.join(model.outputs)}")
    if node.reason is not None:
        raise InputError(f"output {name!r} is not computed: {node.reason}")
    recorder, values = recorded(model, {name})
    shape = values[name].shape
    count = math.prod(shape)
    if index is not None and (type(index) is not int or not 0 <= index < count):
        numbers = (
            f"is {show(shape)}: its values have the numbers 0 to {count - 1}"
            if count > 1
            else "has one value, number 0"
        )
        raise InputError(f"output {name!r} {numbers}, not {index}")
    if index is None and not _is_softmax(recorder, values[name]):
        index = 0
    return Scalar(name, index, count)


def _is_softmax(recorder: Recorder, value: Value) -> bool:
    made = [i.op for i in recorder.program if recorder.root(i.output) == recorder.root(value)]
    return bool(made) and isinstance(made[0], ops.RowWise) and made[0].function is not Row.LOG_SOFTMAX


def picture_input(model: Model) -> str:
    """The one input that takes pictures, or a run of them; raises InputError where there is not exactly one."""
    able = [name for name, shape in model.input_shapes.items() if takes_pictures(model.picture_shape(shape))]
    if not able:
        raise InputError(f"{model.source} takes no pictures: a mask shows which pixels of one matter")
    if len(able) > 1:
        raise InputError(
            f"{model.source} takes pictures as {', '.join(map(repr, able))}: name the one that is meant, which is "
            "possible from Python only (by=)"
        )
    return able[0]
