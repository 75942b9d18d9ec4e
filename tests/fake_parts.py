"""What the driver that is none is made of: GPUs to be found, streams and events, and arguments of kernels."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastact.kernels.cuda import catalog


class Failed(Exception):  # noqa: N818  # it is a code on its way out
    """A function returns this code."""


@dataclass
class Gpu:
    """A device to be found; the defaults are a data-centre GPU's."""

    name: str = "H200"
    capability: tuple[int, int] = (9, 0)
    multiprocessors: int = 132
    memory: int = 16 << 20
    integrated: bool = False

    def attribute(self, number: int) -> int:
        return {
            8: 49152,
            12: 65536,
            13: 1_980_000,
            16: self.multiprocessors,
            18: int(self.integrated),
            36: 3_201_000,
            37: 6144,
            39: 2048,
            75: self.capability[0],
            76: self.capability[1],
            81: 233472,
            82: 65536,
        }[number]


@dataclass
class Work:
    """Something to do on a device, with the memory it uses."""

    do: Callable[[], None]
    uses: tuple[int, ...] = ()


@dataclass
class Stream:
    """What was begun, of which the first `done` ran; or what is recorded, while it captures."""

    work: list[Work] = field(default_factory=list)
    done: int = 0
    captured: list[Work] | None = None
    void: bool = False

    def run(self, upto: int) -> None:
        while self.done < upto:
            work = self.work[self.done]
            self.done += 1
            work.do()


@dataclass
class Mark:
    """An event's place in a stream, and when it happened."""

    stream: Stream
    position: int
    time: float | None = None


@dataclass
class Event:
    timing: bool
    mark: Mark | None = None


POINTED = {"F": np.float32, "B": np.uint8, "I": np.int32}
TYPES = {"F": "<u8", "B": "<u8", "I": "<u8", "l": "<u8", "u": "<u4", "i": "<i4", "f": "<f4"}
SIZES = {letter: np.dtype(kind).itemsize for letter, kind in TYPES.items()}


def simulated(name: str) -> Callable[..., None]:
    """A kernel of the catalog in Numba's simulator; importing cuda_simulation first has turned it on."""
    from numba import cuda

    def run(grid: tuple[int, ...], threads: int, *arguments: Any) -> None:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            cuda.jit(catalog.function(name))[grid, threads](*arguments)

    return run


def arguments(letters: str, parameters: int) -> list[tuple[str, Any]]:
    """What the parameters of a launch point to, read now, as the driver does."""
    pointers = (ctypes.c_void_p * len(letters)).from_address(parameters)
    return [
        (letter, np.dtype(TYPES[letter]).type(np.frombuffer(ctypes.string_at(p, SIZES[letter]), TYPES[letter])[0]))
        for letter, p in zip(letters, pointers, strict=True)
    ]
