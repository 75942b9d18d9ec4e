"""Launches run by Numba's simulator: a region is NumPy's memory, and a pointer into it an array that ends with it.

conftest.py turns the simulator on, before anything imports Numba.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import greenlet
import numpy as np
from numba import cuda, types
from numba.cuda.np.numpy_support import as_dtype
from numba.cuda.simulator import kernel as simulator
from numba.cuda.simulator import kernelapi

from fastact.kernels import ops, reference
from fastact.kernels.cuda import catalog
from fastact.kernels.cuda.boards import NANO, Board
from fastact.kernels.cuda.encode import Target, encode
from fastact.kernels.cuda.launch import Argument, Count, Launch, Stride
from fastact.kernels.places import Buffer, Place

GUARD = 64
"""Bytes between a region's frames, in which nobody may write."""

CANARY = 0xFF
"""A byte of which four are a NaN that no computation makes: reading it spoils a result, writing over it shows."""


class Region:
    """The frames of one buffer, each `stride` bytes from the one before, with bytes between them that must stay."""

    def __init__(self, frames: np.ndarray) -> None:
        count, self.item = len(frames), frames.dtype.itemsize
        size = frames[0].nbytes
        self.stride = -(-size // GUARD) * GUARD + GUARD
        self.memory = np.full(count * self.stride, CANARY, np.uint8)
        self.frames = np.ndarray(frames.shape, frames.dtype, self.memory, 0, (self.stride, *frames[0].strides))
        self.frames[...] = frames
        self._free = np.ones(len(self.memory), bool).reshape(count, self.stride)
        self._free[:, :size] = False

    def check(self) -> None:
        assert np.all(self.memory[self._free.reshape(-1)] == CANARY), "written beside the buffer"


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


def run_in_place(op: ops.Op, *inputs: np.ndarray, board: Board = NANO) -> np.ndarray:
    """The same where the output lies where the first input does."""
    regions = [Region(x) for x in inputs]
    buffers = [Buffer(Place(i), r.frames.shape[1:]) for i, r in enumerate(regions)]
    for launch in encode(op, buffers, buffers[0], Target(board, len(inputs[0]))):
        simulate(launch, regions, len(inputs[0]))
    for region in regions:
        region.check()
    return np.array(regions[0].frames)


def simulate(launch: Launch, regions: Sequence[Region], frames: int) -> None:
    """Runs one launch."""
    kernel = catalog.KERNELS[launch.kernel]
    given = zip(kernel.parameters, launch.arguments, strict=True)
    arguments = [_argument(letter, argument, regions, frames) for letter, argument in given]
    function = catalog.function(launch.kernel)
    with np.errstate(all="ignore"):  # numbers overflow silently
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

    Greenlets, of which one runs until it ends or comes to a barrier, are a hundred times as fast. Their order turns at
    every barrier, so that what lacks one shows.
    """

    def __init__(self, function: Callable[..., None], grid: tuple[int, ...], block: tuple[int, ...], _: bool) -> None:
        self._function, self._shape = function, block

    def run(self, place: tuple[int, ...], *arguments: object) -> None:
        me: Any = threading.current_thread()  # where the simulator looks up which thread of which block runs
        me.blockIdx = kernelapi.Dim3(*place)
        me.syncthreads = meet = greenlet.getcurrent().switch
        votes: list[bool] = []

        def syncthreads_or(vote: object) -> bool:
            votes.append(bool(vote))
            meet()
            result = any(votes[-math.prod(self._shape) :])
            meet()  # until all have read it
            return result

        me.syncthreads_or = syncthreads_or
        threads = [(kernelapi.Dim3(*index), greenlet.greenlet(self._function)) for index in np.ndindex(*self._shape)]
        for _, thread in threads:
            thread.gr_context = contextvars.copy_context()
        while threads:
            for me.threadIdx, thread in threads:
                thread.switch(*(() if thread else arguments))
            waiting = [(index, thread) for index, thread in threads if not thread.dead]
            assert len(waiting) in (0, len(threads)), "some threads of a block end, others wait at a barrier"
            threads = waiting[::-1]


class Shared(kernelapi.FakeCUDAShared):
    """Shared memory, told apart by the line that asks for it, as in the simulator but without a list of all callers."""

    def array(self, shape: int | tuple[int, ...], dtype: Any, alignment: None = None) -> np.ndarray:
        caller = sys._getframe(1)
        place = (caller.f_code, caller.f_lineno)
        if place not in self._allocations:
            memory = np.empty(shape, as_dtype(dtype) if isinstance(dtype, types.Type) else dtype)
            memory.view(np.uint8).fill(CANARY)
            self._allocations[place] = memory
        return self._allocations[place]


def _call(self: simulator.FakeCUDAKernel, *arguments: object) -> object:
    """Calls what kernels call just so: `cuda` is what it has to be for all modules as long as a kernel runs."""
    return self.fn(*arguments) if self._device else _launch(self, *arguments)


_launch = simulator.FakeCUDAKernel.__call__


@contextlib.contextmanager
def _swapped(_: object, fake: kernelapi.FakeCUDAModule) -> Iterator[None]:
    """Makes `cuda` in the kernels' modules that of a launch, and `math` one of float32."""
    modules = [m for name, m in list(sys.modules.items()) if name.startswith("fastact.kernels.cuda.code.")]
    kept = [(m, name, getattr(m, name)) for m in modules for name in ("cuda", "math") if hasattr(m, name)]
    for module, name, _ in kept:
        setattr(module, name, fake if name == "cuda" else Single())
    try:
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


simulator.BlockManager = Block
simulator.FakeCUDAKernel.__call__ = _call
simulator.swapped_cuda_module = _swapped
kernelapi.FakeCUDAShared = Shared


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
