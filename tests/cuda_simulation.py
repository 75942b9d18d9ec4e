"""Launches run by Numba's simulator: a region is NumPy's memory, and a pointer into it an array that ends with it."""

from __future__ import annotations

import contextlib
import contextvars
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # read once, when numba.cuda is imported

import greenlet
import numpy as np
from numba import cuda
from numba.cuda.simulator import kernel as simulator
from numba.cuda.simulator.kernelapi import Dim3

from fastact.kernels import ops, reference
from fastact.kernels.cuda import catalog
from fastact.kernels.cuda.boards import NANO, Board
from fastact.kernels.cuda.encode import Target, encode
from fastact.kernels.cuda.launch import Argument, Count, Launch, Stride
from fastact.kernels.places import Buffer, Place

GUARD = 64
"""Bytes between a region's frames, in which nobody may write."""


class Region:
    """The frames of one buffer, each `stride` bytes from the one before, with bytes between them that must stay."""

    def __init__(self, frames: np.ndarray) -> None:
        count, self.item = len(frames), frames.dtype.itemsize
        size = frames[0].nbytes
        self.stride = -(-size // GUARD) * GUARD + GUARD
        self.memory = np.full(count * self.stride, 0xA5, np.uint8)
        self.frames = np.ndarray(frames.shape, frames.dtype, self.memory, 0, (self.stride, *frames[0].strides))
        self.frames[...] = frames
        self._free = np.ones(len(self.memory), bool).reshape(count, self.stride)
        self._free[:, :size] = False

    def check(self) -> None:
        assert np.all(self.memory[self._free.reshape(-1)] == 0xA5), "written beside the buffer"


def batch(*inputs: np.ndarray) -> list[np.ndarray]:
    """Each input as a batch of two frames, the second one's values in the other order."""
    return [np.stack([x, np.flip(x)]) for x in inputs]


def exact(op: ops.Op, *inputs: np.ndarray, dtype: type[np.floating[Any]] = np.float64) -> np.ndarray:
    """What a batch's frames have to give."""
    frames = zip(*(x.astype(dtype) for x in inputs), strict=True)
    return np.stack([reference.run(op, *frame) for frame in frames])


def run(op: ops.Op, *inputs: np.ndarray, board: Board = NANO) -> np.ndarray:
    """What the kernels make of a batch: inputs and result have an axis of frames in front."""
    shape = op.shape(*(x.shape[1:] for x in inputs))
    regions = [Region(x) for x in inputs]
    regions.append(Region(np.full((len(inputs[0]), *shape), np.nan, np.float32)))
    buffers = [Buffer(Place(i), r.frames.shape[1:]) for i, r in enumerate(regions)]
    for launch in encode(op, buffers[:-1], buffers[-1], Target(board, len(inputs[0]))):
        simulate(launch, regions, len(inputs[0]))
    for region, x in zip(regions, inputs, strict=False):
        assert region.frames.tobytes() == x.tobytes(), "an input is written to"
    for region in regions:
        region.check()
    return np.array(regions[-1].frames)


def simulate(launch: Launch, regions: Sequence[Region], frames: int) -> None:
    """Runs one launch."""
    kernel = catalog.KERNELS[launch.kernel]
    given = zip(kernel.parameters, launch.arguments, strict=True)
    arguments = [_argument(letter, argument, regions, frames) for letter, argument in given]
    function = catalog.function(launch.kernel)
    with _as_on_a_gpu():
        cuda.jit(function)[launch.grid(frames), kernel.threads](*arguments)


class Single:
    """What `math` is to a kernel: functions of float32 that give infinities and NaN where Python's raise."""

    def __getattr__(self, name: str) -> Callable[..., np.float32]:
        exact = {"erf": _erf, "erfc": _erfc, "pow": np.float_power}.get(name) or getattr(np, name)
        return lambda *values: np.float32(exact(*(np.float64(value) for value in values)))


def _erf(x: np.float64) -> float:
    return math.erf(x)


def _erfc(x: np.float64) -> float:
    return math.erfc(x)


class Block:
    """Runs the threads of a block in place of the simulator's own class, which starts a thread of Python's for each.

    Greenlets, of which one runs until it ends or comes to a barrier, are a hundred times as fast.
    """

    def __init__(self, function: Callable[..., None], grid: tuple[int, ...], block: tuple[int, ...], _: bool) -> None:
        self._function, self._shape = function, block

    def run(self, place: tuple[int, ...], *arguments: object) -> None:
        me: Any = threading.current_thread()  # where the simulator looks up which thread of which block runs
        me.blockIdx = Dim3(*place)
        me.syncthreads = meet = greenlet.getcurrent().switch
        votes: list[bool] = []

        def syncthreads_or(vote: object) -> bool:
            votes.append(bool(vote))
            meet()
            result = any(votes[-math.prod(self._shape) :])
            meet()  # until all have read it
            return result

        me.syncthreads_or = syncthreads_or
        threads = [(Dim3(*index), greenlet.greenlet(self._function)) for index in np.ndindex(*self._shape)]
        for _, thread in threads:
            thread.gr_context = contextvars.copy_context()
        while threads:
            for me.threadIdx, thread in threads:
                thread.switch(*(() if thread else arguments))
            waiting = [(index, thread) for index, thread in threads if not thread.dead]
            assert len(waiting) in (0, len(threads)), "some threads of a block end, others wait at a barrier"
            threads = waiting


@contextlib.contextmanager
def _as_on_a_gpu() -> Iterator[None]:
    """Numbers overflow silently, and functions give float32."""
    for name, module in list(sys.modules.items()):
        if name.startswith("fastact.kernels.cuda.code.") and hasattr(module, "math"):
            module.math = Single()  # type: ignore[attr-defined]
    simulator.BlockManager = Block
    with np.errstate(all="ignore"):
        yield


POINTED = {"F": np.float32, "B": np.uint8, "I": np.int32}


def _argument(letter: str, argument: Argument, regions: Sequence[Region], frames: int) -> object:
    if isinstance(argument, Place):
        return regions[argument.region].memory[argument.offset :].view(POINTED[letter])
    if isinstance(argument, Stride):
        assert letter == "l"
        return np.uint64(regions[argument.region].stride // argument.item)
    if isinstance(argument, Count):
        assert letter == "u"
        return np.uint32(argument.each * frames)
    if isinstance(argument, np.ndarray):
        assert argument.dtype == POINTED[letter]
        assert argument.flags.c_contiguous
        return argument.reshape(-1)
    if isinstance(argument, np.int32):
        assert letter == "i"
        return argument
    if isinstance(argument, int):
        return {"u": np.uint32, "l": np.uint64}[letter](argument)
    assert letter == "f"
    return np.float32(argument)
