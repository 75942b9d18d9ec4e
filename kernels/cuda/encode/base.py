"""What an encoder is, and what encoders share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ... import ops
from ...places import Buffer
from ..boards import Board
from ..catalog import KERNELS
from ..launch import Argument, Launch, Stride

Encoder = Callable[..., list[Launch]]


@dataclass(frozen=True)
class Target:
    """What launches are for: a GPU, and the frames of a batch."""

    board: Board
    frames: int = 1


O = TypeVar("O", bound=ops.Op)  # noqa: E741
_ENCODERS: dict[type[ops.Op], Encoder] = {}


def encoder(kind: type[O]) -> Callable[[Encoder], Encoder]:
    """Makes a function the encoder of `kind`: called as function(op, inputs, output, target), it gives launches."""

    def register(function: Encoder) -> Encoder:
        _ENCODERS[kind] = function
        return function

    return register


def can_encode(op: ops.Op) -> bool:
    """Whether there is an encoder for operations such as `op`."""
    return type(op) in _ENCODERS


def encode(op: ops.Op, inputs: Sequence[Buffer], output: Buffer, target: Target) -> list[Launch]:
    """The launches that run `op`, in order; every one sees what those before it wrote."""
    return _ENCODERS[type(op)](op, inputs, output, target)


def each_value(kernel: str, y: Buffer, *arguments: Argument) -> Launch:
    """A launch with a thread for each value of `y`."""
    threads = KERNELS[kernel].threads
    return Launch(kernel, (-(-math.prod(y.shape) // threads), 1), arguments)


def stride(buffer: Buffer, item: int = 4) -> Stride:
    """From a frame's buffer to the next frame's."""
    return Stride(buffer.place.region, item)
