"""Reverse-mode differentiation of a plan's operations: what comes back through each, from the last to the first.

The gradient of a number by a value is emitted as operations of the same plan, after the model's own (Griewank and
Walther, "Evaluating Derivatives", 2008, chapter 3). Since layers are lowered to operations before, a gradient belongs
to an operation, and a recurrent layer's is that through time, its steps being unrolled.
"""

from __future__ import annotations

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.ops import Unary
from fastact.kernels.program import Instruction
from fastact.layers import Value
from fastact.recording import Recorder
from fastact.saliency.gradients import through


def gradient_of(recorder: Recorder, scalar: Value, towards: Value, name: str) -> Value:
    """Emits the gradient of `scalar` by `towards`, in its shape.

    Raises UnsupportedError, naming the layer, where an operation on the way has no gradient, and where no way leads
    from `towards`, which is called `name`, to the scalar.
    """
    program = list(recorder.program)
    reached = _reached(recorder, program, towards)
    if recorder.root(scalar) not in reached:
        raise UnsupportedError(f"the output does not depend on {name!r}, so that it has no gradient by it")
    shapes = {recorder.root(i.output): i.output.shape for i in program} | {recorder.root(towards): towards.shape}
    # A number between 1 and 1 is 1: what the scalar changes by when it changes.
    one = recorder.emit(ops.Elementwise(Unary.CLIP, 1.0, 1.0), scalar)
    found = {recorder.root(scalar): _as(recorder, one, shapes[recorder.root(scalar)])}
    for instruction in reversed(program):
        root = recorder.root(instruction.output)
        if root not in found or root not in reached or root == recorder.root(towards):
            continue
        back = _as(recorder, found.pop(root), instruction.output.shape)
        for value, part in zip(instruction.inputs, _through(recorder, instruction, back), strict=True):
            key = recorder.root(value)
            assert part.shape == value.shape, f"{type(instruction.op).__name__}'s gradient has another shape"
            if key in reached:
                part = _as(recorder, part, shapes[key])
                found[key] = recorder.emit(ops.Binary(ops.Merge.ADD), found[key], part) if key in found else part
    return _as(recorder, found[recorder.root(towards)], towards.shape)


def _reached(recorder: Recorder, program: list[Instruction], towards: Value) -> set[int]:
    """The buffers whose values depend on `towards`."""
    reached = {recorder.root(towards)}
    for instruction in program:
        if any(recorder.root(value) in reached for value in instruction.inputs):
            reached.add(recorder.root(instruction.output))
    return reached


def _through(recorder: Recorder, instruction: Instruction, back: Value) -> tuple[Value, ...]:
    try:
        return through(recorder, instruction, back)
    except UnsupportedError as error:
        layer = recorder.makers[instruction.output.number]
        raise UnsupportedError(f"no gradient goes through layer {layer!r}: {error}") from None


def _as(recorder: Recorder, value: Value, shape: ops.Shape) -> Value:
    return value if value.shape == shape else recorder.emit(ops.Reshape(shape), value)
