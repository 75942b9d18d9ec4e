"""A plan for a GPU: one list of launches for all frames of a batch.

What is where is the same for every frame of a batch: a region's next frame lies `strides` bytes further on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from fastact.errors import KernelError
from fastact.kernels.cuda.boards import Board
from fastact.kernels.cuda.encode import Target, can_encode, encode
from fastact.kernels.cuda.fusion import fuse
from fastact.kernels.cuda.launch import Launch
from fastact.kernels.cuda.runner import most_frames
from fastact.kernels.places import Buffer
from fastact.kernels.program import Instruction
from fastact.kernels.records import dataclass
from fastact.layout import FIRST_INPUT, Layout, Stretch
from fastact.recording import Recording

LINE = 256
"""Bytes that buffers and frames are apart in multiples of: what the driver gives, and what a warp loads at once."""


@dataclass(frozen=True)
class _Alone:
    """An instruction as a stage of its own."""

    instructions: tuple[Instruction, ...]
    feeds: int = 0
    scratch_bytes: int = 0


class CudaPlan:
    """The launches for a recording, for any number of frames.

    Attributes:
        outputs: where each wanted map lies in a frame's region of outputs.
        strides: for each region, by number, the bytes from a frame to the next.
        inputs: the names of the inputs that are used, in the order of their regions, which begin with FIRST_INPUT.
    """

    def __init__(self, recording: Recording, in_bytes: Mapping[str, bool]) -> None:
        """`in_bytes` are the inputs that come as uint8, as the recording has them.

        Raises KernelError for an operation that there is no kernel for, naming the layer.
        """
        recorder = recording.recorder
        kept = {recorder.root(value) for value in recording.results.values()}
        self._recording, self._program = recording, fuse(recorder.program, kept, recorder.root)
        for instruction in self._program:
            if not can_encode(instruction.op):
                (layer,) = recording.makers([instruction])
                raise KernelError(
                    f"the CUDA kernels lack {type(instruction.op).__name__}, which layer {layer!r} needs: compute on "
                    "the CPU, with device='cpu' or --device cpu"
                )
        # In place would save memory alone, and every launch would have to read all before it writes.
        stages = [_Alone((instruction,)) for instruction in self._program]
        self._layout = Layout(recording, stages, LINE, lambda op: False)
        self.inputs, self.outputs = recording.inputs, self._layout.outputs
        taken = [
            math.prod(value.shape) * (1 if in_bytes.get(name) else 4)
            for name, value in zip(recording.inputs, recording.given, strict=True)
        ]
        sizes = [self._layout.arena_bytes, self._layout.output_bytes, *taken]
        self.strides = tuple(-(-size // LINE) * LINE for size in sizes)

    @property
    def regions_of_inputs(self) -> tuple[int, ...]:
        """The numbers of the inputs' regions."""
        return tuple(range(FIRST_INPUT, len(self.strides)))

    def launches(self, board: Board, frames: int) -> tuple[list[Launch], tuple[Stretch, ...]]:
        """What runs for a batch of `frames`, in order, and which launches compute which nodes.

        Raises:
            OutOfMemoryError: no GPU's kernels can count the values of one frame.
            KernelError: a layer cannot be computed on a GPU.
        """
        most_frames(self.strides)  # first: what a launch takes along grows with the map, too
        target, place = Target(board, frames), self._layout.place
        launches: list[Launch] = []
        stretches: list[Stretch] = []
        for instruction in self._program:
            first = len(launches)
            inputs = [Buffer(place(value), value.shape) for value in instruction.inputs]
            output = Buffer(place(instruction.output), instruction.output.shape)
            nodes = self._recording.makers([instruction])
            try:
                launches += encode(instruction.op, inputs, output, target)
            except ValueError as error:
                raise KernelError(
                    f"layer {nodes[0]!r} cannot be computed on a GPU: {error}; compute on the CPU, with "
                    "device='cpu' or --device cpu"
                ) from error
            multiplied = instruction.op.multiply_adds(*(value.shape for value in instruction.inputs))
            stretches.append(Stretch(first, len(launches), nodes, multiplied))
        return launches, tuple(stretches)
