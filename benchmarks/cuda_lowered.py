"""A network as launches for one GPU: what a projection counts, and what a measurement runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import fastact
from fastact.kernels import ops, reference
from fastact.kernels.cuda.boards import Board
from fastact.kernels.cuda.encode import encode
from fastact.kernels.cuda.encode.base import Target
from fastact.kernels.cuda.launch import Launch
from fastact.kernels.places import Buffer, Place
from fastact.kernels.program import Instruction, Value
from fastact.recording import Recorder, ancestors, record

_UNIT = 256
"""Bytes that a buffer's size is rounded up to."""


@dataclass(frozen=True)
class Step:
    """One operation as it would be launched.

    Attributes:
        name: the layer it is made for.
        flops: floating-point operations, a multiply-add being two.
        moved: bytes read and written, each once.
    """

    name: str
    op: ops.Op
    inputs: tuple[Buffer, ...]
    output: Buffer
    launches: tuple[Launch, ...]
    flops: int
    moved: int


@dataclass(frozen=True)
class Lowered:
    """The maps of all convolutions of a batch of uint8 frames.

    Attributes:
        strides: bytes of each region, of which every buffer has its own; frames come in region 0.
        maps: region and shape of each wanted map.
    """

    frames: int
    steps: tuple[Step, ...]
    strides: tuple[int, ...]
    maps: Mapping[str, Buffer]

    @property
    def launches(self) -> list[Launch]:
        """All of them in order."""
        return [launch for step in self.steps for launch in step.launches]

    @property
    def flops(self) -> int:
        """Floating-point operations of the batch."""
        return sum(step.flops for step in self.steps)

    @property
    def moved(self) -> int:
        """Bytes that must be moved at least: frames in, weights in, wanted maps out, each once."""
        frame = math.prod(self.steps[0].inputs[0].shape)
        out = sum(4 * math.prod(m.shape) for m in self.maps.values())
        return self.frames * (frame + out) + sum(array.nbytes for step in self.steps for array in arrays(step.op))

    def references(self, frame: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float64]]:
        """The wanted maps of one frame, by the references in float64."""
        held: dict[int, npt.NDArray[np.float64]] = {0: frame.astype(np.float64)}
        for step in self.steps:
            given = (held[b.place.region].reshape(b.shape) for b in step.inputs)
            held[step.output.place.region] = reference.run(step.op, *given)
        return {name: held[b.place.region].reshape(b.shape) for name, b in self.maps.items()}


def lowered(model: fastact.Model, board: Board, frames: int = 1) -> Lowered:
    """What computes every convolution's map of a model with one input."""
    recorder, nodes = Recorder(), model.nodes
    names = [node.name for node in nodes if node.is_convolution]
    needed = ancestors(nodes, set(names))
    given, values = record(recorder, nodes, needed, {node.name: True for node in nodes if node.is_input})
    program = recorder.program
    (frame,) = given
    roots = [frame.number, *(i.output.number for i in program)]
    regions = {root: place for place, root in enumerate(roots)}

    def buffer(value: Value) -> Buffer:
        return Buffer(Place(regions[recorder.root(value)]), value.shape)

    steps, sizes = [], [math.prod(program[0].inputs[0].shape)]
    for i in program:
        inputs, output = tuple(map(buffer, i.inputs)), buffer(i.output)
        launches = encode(i.op, inputs, output, Target(board, frames))
        flops = 2 * frames * i.op.multiply_adds(*(v.shape for v in i.inputs))
        name = recorder.makers[i.output.number]
        steps.append(Step(name, i.op, inputs, output, tuple(launches), flops, _moved(i, frames)))
        sizes.append(4 * math.prod(i.output.shape))
    maps = {nodes[i].name: buffer(values[i]) for i in needed if nodes[i].is_convolution}
    return Lowered(frames, tuple(steps), tuple(-(-size // _UNIT) * _UNIT for size in sizes), maps)


def _moved(instruction: Instruction, frames: int) -> int:
    """Bytes of the inputs, of the operation's arrays and of the output."""
    item = 1 if isinstance(instruction.op, ops.FromBytes) else 4
    read = sum(item * math.prod(v.shape) for v in instruction.inputs)
    held = sum(array.nbytes for array in arrays(instruction.op))
    return held + frames * (read + 4 * math.prod(instruction.output.shape))


def arrays(op: ops.Op) -> Iterator[npt.NDArray[np.float32]]:
    """An operation's weights and other arrays."""
    for field in dataclasses.fields(op) if dataclasses.is_dataclass(op) else ():
        value = getattr(op, field.name)
        if isinstance(value, np.ndarray):
            yield value
