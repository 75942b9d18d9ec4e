"""A network as launches for one GPU: what a projection counts, and what a measurement runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import fastact
from benchmarks import networks
from benchmarks.recorder import model_of
from fastact import samples
from fastact.kernels import ops, reference
from fastact.kernels.cuda.boards import Board
from fastact.kernels.cuda.encode import Target, encode
from fastact.kernels.cuda.fusion import Conv2DFromBytes, fuse
from fastact.kernels.cuda.launch import Launch
from fastact.kernels.places import Buffer, Place
from fastact.kernels.program import Instruction, Value
from fastact.recording import Recorder, ancestors, record

_UNIT = 256
"""Bytes that a buffer's size is rounded up to."""


@dataclass(frozen=True)
class Pilot:
    """A network at a size.

    Attributes:
        batch: how many frames are computed together beside a single one.
    """

    label: str
    model: fastact.Model
    batch: int


def pilots() -> list[Pilot]:
    """The article's network and donkeycar's linear pilot, each at 160x120 and 640x360."""
    made = {"article's network": fastact.load(samples.pilot()), "linear pilot": model_of(networks.linear_pilot)[1]}
    return [
        Pilot(f"{name} at {columns}x{rows}", model.at_size((rows, columns)), batch)
        for name, model in made.items()
        for (rows, columns), batch in (((120, 160), 256), ((360, 640), 32))
    ]


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
            held[step.output.place.region] = exact(step.op, *given)
        return {name: held[b.place.region].reshape(b.shape) for name, b in self.maps.items()}


def lowered(model: fastact.Model, board: Board, frames: int = 1) -> Lowered:
    """What computes every convolution's map of a model with one input."""
    recorder, nodes = Recorder(), model.nodes
    names = [node.name for node in nodes if node.is_convolution]
    needed = ancestors(nodes, set(names))
    given, values = record(recorder, nodes, needed, {node.name: True for node in nodes if node.is_input})
    kept = {recorder.root(values[i]) for i in needed if nodes[i].is_convolution}
    program = fuse(recorder.program, kept, recorder.root)
    (frame,) = given
    roots = [frame.number, *(i.output.number for i in program)]
    regions = {root: place for place, root in enumerate(roots)}

    def buffer(value: Value) -> Buffer:
        return Buffer(Place(regions[recorder.root(value)]), value.shape)

    steps, sizes = [], [math.prod(program[0].inputs[0].shape)]
    for i in program:
        inputs, output = tuple(map(buffer, i.inputs)), buffer(i.output)
        launches = encode(i.op, inputs, output, Target(board, frames))
        flops = 2 * frames * _counted(i.op).multiply_adds(*(v.shape for v in i.inputs))
        name = recorder.makers[i.output.number]
        steps.append(Step(name, i.op, inputs, output, tuple(launches), flops, _moved(i, frames)))
        sizes.append(4 * math.prod(i.output.shape))
    maps = {nodes[i].name: buffer(values[i]) for i in needed if nodes[i].is_convolution}
    return Lowered(frames, tuple(steps), tuple(-(-size // _UNIT) * _UNIT for size in sizes), maps)


def exact(op: ops.Op, *inputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What an operation gives by its reference in float64."""
    if isinstance(op, Conv2DFromBytes):
        return reference.run(op.conv, reference.run(ops.FromBytes(op.divisor), *inputs))
    return reference.run(op, *inputs)


def _moved(instruction: Instruction, frames: int) -> int:
    """Bytes of the inputs, of the operation's arrays and of the output."""
    item = 1 if isinstance(instruction.op, ops.FromBytes | Conv2DFromBytes) else 4
    read = sum(item * math.prod(v.shape) for v in instruction.inputs)
    held = sum(array.nbytes for array in arrays(instruction.op))
    return held + frames * (read + 4 * math.prod(instruction.output.shape))


def arrays(op: ops.Op) -> Iterator[npt.NDArray[np.float32]]:
    """An operation's weights and other arrays."""
    return (value for value in vars(_counted(op)).values() if isinstance(value, np.ndarray))


def _counted(op: ops.Op) -> ops.Op:
    """The convolution of one that reads bytes."""
    return op.conv if isinstance(op, Conv2DFromBytes) else op
