"""Recurrent layers, which `tflite_loops` has put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .tflite_graph import Tensor
from .tflite_loops import Recurrence
from .tflite_steps import Floats, Stored, View
from .tflite_use import Made, Piece, Unsayable, Use

__all__ = ["recurrent"]

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def recurrent(use: Use) -> Made:
    """A recurrence over a run of frames, or steps: (steps, features) to (units,), or to (steps, units)."""
    layer = use.operator.folded.get("layer")
    if not isinstance(layer, Recurrence):
        raise Unsayable
    view, cell = use.view_in_any_order(), layer.cell
    steps, width = _sequence(view, layer)
    kernels, again = (_constants(use, numbers) for numbers in (cell.kernels, cell.recurrent_kernels))
    gates, units = _GATES[cell.class_name], again[0].shape[-1]
    if not units:
        raise Unsayable
    rows = gates // len(kernels) * units
    if any(tensor.shape != (rows, width) for tensor in kernels) or any(
        tensor.shape != (rows, units) for tensor in again
    ):
        raise Unsayable
    biases = _constants(use, [number for number in cell.biases if number >= 0])
    config: dict[str, Any] = {
        "units": units,
        "activation": cell.activation,
        "use_bias": bool(biases),
        "return_sequences": layer.return_sequences,
        "go_backwards": layer.go_backwards,
    }
    config |= {"recurrent_activation": cell.recurrent_activation} if cell.recurrent_activation else {}
    config |= {"reset_after": True} if cell.class_name == "GRU" else {}
    weights = {"kernel": _turned(kernels, width), "recurrent_kernel": _turned(again, units)}
    if biases:
        weights["bias"] = _bias(use, cell.biases, gates * units)
    shape, frames = ((units,), steps) if layer.gives_steps_first else ((steps, units), None)
    return Made(
        (Piece(cell.class_name, config, weights),),
        shape if layer.return_sequences else (units,),
        frames,
        frames_first=layer.gives_steps_first,
        weights=cell.kernels[0],
        bias=next((number for number in cell.biases if number >= 0), -1),
    )


def _sequence(view: View, layer: Recurrence) -> tuple[int, int]:
    """Steps and features of what a layer takes."""
    if view.frames_first != layer.takes_steps_first or len(view.whole) != 2 or (view.frames and not view.frames_first):
        raise Unsayable
    steps, width = view.whole
    if steps is None or width is None or steps < 1 or layer.steps not in (None, steps):
        raise Unsayable
    # an LSTM's memory grows by less than 1 a step: in so few it cannot reach where the converter has it clipped
    if layer.memory_limit and not layer.memory_limit >= steps:
        raise Unsayable
    return steps, width


def _constants(use: Use, numbers: Sequence[int]) -> list[Tensor]:
    return [use.constant(use.operator.inputs.index(number)) for number in numbers]


def _turned(tensors: Sequence[Tensor], rows: int) -> Stored:
    """Weights (columns, inputs), one below the other, as Keras's (inputs, columns)."""
    columns = sum(tensor.size for tensor in tensors) // rows

    def arrange(numbers: Floats) -> Floats:
        return np.ascontiguousarray(numbers.reshape(columns, rows).T)

    return Stored((rows, columns), tensors[0], arrange, others=tuple(tensors[1:]))


def _bias(use: Use, numbers: Sequence[int], columns: int) -> Stored:
    """A bias for all gates, one for each gate, or two for all, of which one may be left out."""
    tensors = _constants(use, [number for number in numbers if number >= 0])
    two = len(numbers) == 2
    if sum(tensor.size for tensor in tensors) != columns * (len(tensors) if two else 1):
        raise Unsayable
    if any(len(tensor.shape) != 1 for tensor in tensors) or len({tensor.size for tensor in tensors}) != 1:
        raise Unsayable
    if not two:
        return Stored((columns,), tensors[0], others=tuple(tensors[1:]))
    present = [number >= 0 for number in numbers]

    def arrange(stored: Floats) -> Floats:
        both = np.zeros((2, columns), np.float32)
        both[present] = stored.reshape(-1, columns)
        return both

    return Stored((2, columns), tensors[0], arrange, others=tuple(tensors[1:]))
