"""What operators become: steps, each a Keras layer's class and configuration, its inputs, and where its weights lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.records import dataclass
from .model import Shape
from .tflite_graph import Tensor
from .tflite_names import Part

__all__ = ["Floats", "Step", "Stored", "View"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Stored:
    """A weight: a constant of the file, arranged as Keras has it; or, without a tensor, one number throughout."""

    shape: Shape
    tensor: Tensor | None = None
    arrange: Callable[[Floats], Floats] | None = None
    """From a flat array of the tensor's numbers; by default they are only given their shape."""
    number: float = 0.0
    others: tuple[Tensor, ...] = ()
    """Constants whose numbers follow the tensor's, as if they were one."""


@dataclass(frozen=True)
class View:
    """How a tensor of the file looks to Keras.

    `shape` has no batch axis. Where the file has put a frame's parts into the batch (TimeDistributed), `frames` says
    how many there are and `shape` is that of one, while Keras's tensor has the shape (frames, *shape).
    """

    value: int
    shape: tuple[int | None, ...]
    frames: int | None = None
    frames_first: bool = False
    """Whether the file has the frames in an axis of their own before the batch's."""

    @property
    def whole(self) -> tuple[int | None, ...]:
        """The shape of Keras's tensor."""
        return self.shape if self.frames is None else (self.frames, *self.shape)


@dataclass
class Step:
    """A layer to be. Steps take and give values: a tensor's number, or a number beyond all tensors'."""

    class_name: str
    config: dict[str, Any]
    inputs: tuple[int, ...]
    value: int
    operator: str
    """The operator it comes from, which names it where nothing else does."""
    weights: Mapping[str, Stored] = field(default_factory=dict)
    part: Part | None = None
    more: tuple[int, ...] = ()
    """What else it gives, beyond the first output."""

    @property
    def layer(self) -> str | None:
        """The Keras layer that it belongs to."""
        return None if self.part is None else self.part.layer
