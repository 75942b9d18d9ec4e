"""What an encoder is, and what encoders share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ... import ops
from ...places import Buffer, Place
from ..boards import Board
from ..catalog import KERNELS, THREADS
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
    return each_of(kernel, math.prod(y.shape), *arguments)


def each_of(kernel: str, count: int, *arguments: Argument) -> Launch:
    """A launch with a thread for each of `count` values."""
    return Launch(kernel, (-(-count // KERNELS[kernel].threads), 1), arguments)


def team(length: int, inner: int, threads: int = THREADS) -> tuple[int, int]:
    """How many threads of a block sum up one of its rows of `length` values, which lie `inner` floats apart; and how
    far apart these threads are.

    Where rows lie side by side, eight or more of them go to a block: their values at one place are what memory gives
    in one access.
    """
    beside = min(8, _power_of_two(inner))
    lanes = min(threads // beside, _power_of_two(length))
    return lanes, 1 if inner == 1 else threads // lanes


def each_row(kernel: str, rows: int, lanes: int, *arguments: Argument) -> Launch:
    """A launch with a team of `lanes` threads for each row."""
    return Launch(kernel, (-(-rows * lanes // KERNELS[kernel].threads), 1), arguments)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def stride(buffer: Buffer, item: int = 4) -> Stride:
    """From a frame's buffer to the next frame's."""
    return Stride(buffer.place.region, item)


@dataclass(frozen=True)
class Source:
    """What a kernel reads: a buffer, or an array that all frames share; with the frame stride of it."""

    pointer: Place | ops.Floats
    shape: ops.Shape
    stride: Stride | int


def source(x: Buffer | ops.Floats) -> Source:
    """A buffer or an array as something that a kernel reads."""
    if isinstance(x, Buffer):
        return Source(x.place, x.shape, stride(x))
    return Source(np.ascontiguousarray(x), x.shape, 0)
