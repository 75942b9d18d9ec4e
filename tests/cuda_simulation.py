"""Launches run by Numba's simulator: a region is NumPy's memory, and a pointer into it an array that ends with it."""

from __future__ import annotations

import os
from collections.abc import Sequence

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # read once, when numba.cuda is imported

import numpy as np
from numba import cuda

from fastact.kernels import ops
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
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        cuda.jit(catalog.function(launch.kernel))[launch.grid(frames), kernel.threads](*arguments)


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
        assert letter == "u"
        return np.uint32(argument)
    assert letter == "f"
    return np.float32(argument)
