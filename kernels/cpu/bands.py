"""Bands: neighbouring instructions computed together, a strip of rows at a time.

What one instruction of a band writes is still in the cache when the next one reads it. An output that nobody else wants
(a frame turned to floats, a picture in its frame of zeros) is never whole in memory: it lives for one strip in a
scratch buffer. A team meets once a band and not once an instruction: strips are dealt out to its members in lanes.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import numpy as np

from .. import ops
from ..places import Buffer, Place
from ..program import Instruction, Value
from ..records import dataclass
from . import encode, pairing
from .memory import aligned
from .steps import Row

SCRATCH = 24 * 1024, 128 * 1024
"""The least and the most bytes of scratch that all lanes of a band may take together; between them an eighth of the
band's main output, so that scratch stays small beside the maps themselves."""
STRIP = 128 * 1024
"""Bytes of maps a strip may touch, about, so that they stay in the second cache from one instruction to the next."""

SMALL = 16_384
"""Multiply-adds, or values moved, of an instruction that one member does about as soon as a team has met."""
MOST_ALONE = 64
"""Instructions of a band that one member runs alone; all that they read and write is in memory at once."""

_FEEDS = (ops.FromBytes, ops.Pad)
"""Operations that are cheap to do again for rows that two strips share."""
_FOLLOWS = (ops.Affine, ops.Elementwise, ops.RowWise, ops.GatedLinear, ops.Binary, ops.BinaryConstant)
"""Operations whose output rows need the same rows of their inputs and no others."""


@dataclass(frozen=True)
class Band:
    """Instructions that run together: feeds, whose outputs live in scratch; one that may be anything; followers.

    Or several small ones that one member runs alone, from first to last, or one that the team runs whole.

    Attributes:
        feeds: how many of the instructions, the first ones, are feeds.
        strips: in order, dealt out to the lanes in equal parts; empty where there are none.
        lanes: how many strips, or members of a team, can be under way at once.
        scratch: bytes of scratch memory for each lane.
    """

    instructions: tuple[Instruction, ...]
    feeds: int = 0
    strips: tuple[_Strip, ...] = ()
    lanes: int = 1
    scratch: int = 0

    @property
    def scratch_bytes(self) -> int:
        """Scratch memory in all."""
        return self.lanes * self.scratch


def band(
    program: Sequence[Instruction], kept: AbstractSet[int], root: Callable[[Value], int], lanes: int
) -> list[Band]:
    """The program as bands, in order.

    Args:
        program: instructions in an order in which they can run.
        kept: the roots of values wanted in memory.
        root: the number of the buffer that a value lies in.
        lanes: how many members the team has.
    """
    reads: dict[int, int] = {}
    for value in itertools.chain.from_iterable(i.inputs for i in program):
        reads[root(value)] = reads.get(root(value), 0) + 1
    program = [pairing.paired(instruction) for instruction in program]
    made: list[Band] = []
    start = 0
    while start < len(program):
        main = start
        while _feeds_next(program, main, kept, root, reads):
            main += 1
        end = main + 1
        while end < len(program) and _follows(program[end], program[main:end]):
            end += 1
        together = _in_strips(program[start:end], main - start, lanes)
        if together is None:
            together, end = _whole(program[start], lanes), start + 1
        made.append(together)
        start = end
    return made if lanes == 1 else list(_small_together(made))


def _whole(instruction: Instruction, lanes: int) -> Band:
    """One instruction that the whole team runs, each member in room of its own where it needs some."""
    return Band((instruction,), lanes=lanes, scratch=aligned(encode.room(instruction.op)))


def _small_together(banded: Sequence[Band]) -> Iterator[Band]:
    """Neighbouring small instructions as one band: the steps of a recurrent layer, at which a team would only wait."""
    for small, group in itertools.groupby(banded, lambda band: not band.strips and _is_small(band.instructions[0])):
        run = list(group)
        if not small:
            yield from run
            continue
        for start in range(0, len(run), MOST_ALONE):
            yield Band(tuple(b.instructions[0] for b in run[start : start + MOST_ALONE]))


def _is_small(instruction: Instruction) -> bool:
    shapes = [v.shape for v in instruction.inputs]
    moved = sum(map(math.prod, shapes)) + math.prod(instruction.output.shape)
    return max(instruction.op.multiply_adds(*shapes), moved) <= SMALL


def _feeds_next(
    program: Sequence[Instruction],
    number: int,
    kept: AbstractSet[int],
    root: Callable[[Value], int],
    reads: dict[int, int],
) -> bool:
    """Whether an instruction's output is read by the next one alone."""
    if number + 1 >= len(program) or not isinstance(program[number].op, _FEEDS):
        return False
    output = program[number].output
    unwanted = root(output) not in kept and reads.get(root(output)) == 1
    return unwanted and program[number + 1].inputs == (output,)


def _follows(instruction: Instruction, before: Sequence[Instruction]) -> bool:
    """Whether an instruction works row by row on what the ones before it give."""
    made = {i.output.number: i.output.shape for i in before}
    return (
        isinstance(instruction.op, _FOLLOWS)
        and any(made.get(v.number) == v.shape for v in instruction.inputs)
        and instruction.output.shape[:1] == before[0].output.shape[:1]
        and _strip(instruction, 0, 1) is not None
    )


def _in_strips(instructions: Sequence[Instruction], feeds: int, lanes: int) -> Band | None:
    """The instructions as a band of strips; None where that is impossible or serves nothing."""
    main = instructions[feeds]
    if len(main.output.shape) != 3:
        return None
    height = main.output.shape[0]
    if not (_strip(main, 0, 1) and _strip(main, height - 1, height)):
        return None
    if len(instructions) == 1 and len(encode.legalize(main.op)) == 1:
        return None
    whole = Band(tuple(instructions), feeds, lanes=min(lanes, height))
    count = max(whole.lanes, -(-height // _rows_a_strip(whole)))
    count = min(height, -(-count // whole.lanes) * whole.lanes)  # as many for each lane
    ends = itertools.pairwise(height * i // count for i in range(count + 1))
    strips = tuple(_Strip(whole, first, last) for first, last in ends)
    return dataclasses.replace(whole, strips=strips, scratch=max(strip.scratch for strip in strips))


def _rows_a_strip(band: Band) -> int:
    """The most rows, or nearly, with which a strip stays in the caches.

    Each strip reads all weights anew: it may be as large as they are.
    """
    main = band.instructions[band.feeds]
    height = main.output.shape[0]
    weights = sum(value.nbytes for value in vars(main.op).values() if isinstance(value, np.ndarray))
    scratch = min(max(SCRATCH[0], math.prod(main.output.shape) // 2), SCRATCH[1]) // band.lanes
    rows = height
    while rows > 1:
        strip = _Strip(band, (height - rows) // 2, (height + rows) // 2)
        if strip.scratch <= max(scratch, weights) and strip.touched <= max(STRIP, weights):
            break
        rows = max(1, rows * 3 // 4)
    return rows


def _strip(instruction: Instruction, first: int, last: int) -> ops.Strip | None:
    return instruction.op.strip(first, last, *(v.shape for v in instruction.inputs))


@dataclass(frozen=True)
class _Rows:
    """Rows of a value, from `first` on."""

    value: Value
    first: int


_Where: TypeAlias = "_Rows | int"
"""Rows of a value, or an offset into scratch."""


@dataclass(frozen=True)
class _Part:
    """One operation of a strip, with where its inputs and its output lie, and their shapes."""

    op: ops.Op
    inputs: tuple[tuple[_Where, ops.Shape], ...]
    output: tuple[_Where, ops.Shape]


class _Strip:
    """One strip of a band: its parts, the bytes of scratch they need, and the bytes of maps they touch."""

    def __init__(self, band: Band, first: int, last: int) -> None:
        self.parts: list[_Part] = []
        self.scratch = self.touched = 0
        fed: _Where | None = None
        for number, strip in enumerate(_strips(band, first, last)):
            instruction = band.instructions[number]
            starts: list[_Where] = [_Rows(v, strip.first) for v in instruction.inputs] if fed is None else [fed]
            shapes = [(strip.last - strip.first, *v.shape[1:]) for v in instruction.inputs]
            inputs = list(zip(starts, shapes, strict=True))
            if number < band.feeds:
                fed = self._add(strip.op, inputs, None)
            else:
                fed = None
                self._add(strip.op, inputs, _Rows(instruction.output, first))

    def _add(self, op: ops.Op, inputs: list[tuple[_Where, ops.Shape]], result: _Rows | None) -> _Where:
        """Appends an operation's parts (a convolution pads first, into scratch); returns where its output lies."""
        self.touched += sum(4 * math.prod(shape) for where, shape in inputs if isinstance(where, _Rows))
        *before, last = encode.legalize(op)
        for part in before:
            inputs = [self._append(part, inputs, self._scratch(part.shape(*(s for _, s in inputs))))]
        shape = last.shape(*(s for _, s in inputs))
        self.touched += 4 * math.prod(shape) if result else 0
        return self._append(last, inputs, self._scratch(shape) if result is None else result)[0]

    def _append(self, op: ops.Op, inputs: list[tuple[_Where, ops.Shape]], where: _Where) -> tuple[_Where, ops.Shape]:
        output = where, op.shape(*(shape for _, shape in inputs))
        if room := encode.room(op):
            inputs = [*inputs, (self._scratch((room // 4,)), (1, room // 4))]
        self.parts.append(_Part(op, tuple(inputs), output))
        return output

    def _scratch(self, shape: ops.Shape) -> int:
        start = self.scratch
        self.scratch += aligned(4 * math.prod(shape))
        return start


def _strips(band: Band, first: int, last: int) -> Iterator[ops.Strip]:
    """Each instruction's strip for the main one's rows first..last-1: a feed gives the rows that the next one takes."""
    feeds_and_main: list[ops.Strip] = []
    start, stop = first, last
    for instruction in reversed(band.instructions[: band.feeds + 1]):
        strip = _strip(instruction, start, stop)
        assert strip is not None, "a band is made of operations that work in strips"
        feeds_and_main.append(strip)
        start, stop = strip.first, strip.last
    yield from reversed(feeds_and_main)
    for instruction in band.instructions[band.feeds + 1 :]:
        strip = _strip(instruction, first, last)
        assert strip is not None, "a band is made of operations that work in strips"
        yield strip


def rows(band: Band, place: Callable[[Value], Place], scratch: Place, registers: str) -> list[Row]:
    """The rows of the table that run a band; `scratch` is where its scratch memory lies."""
    inside: list[Row] = []
    if not band.strips:
        for instruction in band.instructions:
            (op,) = encode.legalize(instruction.op)
            inputs = [Buffer(place(v), v.shape) for v in instruction.inputs]
            if encode.room(op):
                inputs.append(Buffer(scratch, (band.lanes, band.scratch // 4)))
            inside += encode.encode(op, inputs, Buffer(place(instruction.output), instruction.output.shape), registers)
        return inside if len(band.instructions) == 1 else _lanes(inside, [0, len(inside)])
    ends = [0]
    for lane in range(band.lanes):
        start, stop = (len(band.strips) * n // band.lanes for n in (lane, lane + 1))
        for part in itertools.chain.from_iterable(strip.parts for strip in band.strips[start:stop]):
            size = 1 if isinstance(part.op, ops.FromBytes) else 4
            inputs = [_buffer(w, s, size, place, scratch + lane * band.scratch) for w, s in part.inputs]
            output = _buffer(*part.output, 4, place, scratch + lane * band.scratch)
            inside += encode.encode(part.op, inputs, output, registers)
        ends.append(len(inside))
    return _lanes(inside, ends)


def _lanes(inside: list[Row], ends: list[int]) -> list[Row]:
    """The row that runs other rows in lanes, each of which ends where `ends` says, after a 0."""
    return [["lanes", 0, 0, len(ends) - 1, inside, np.array(ends, np.int64)]]


def _buffer(where: _Where, shape: ops.Shape, size: int, place: Callable[[Value], Place], scratch: Place) -> Buffer:
    """Where a part's input or output lies, its values being `size` bytes each."""
    if isinstance(where, int):
        return Buffer(scratch + where, shape)
    return Buffer(place(where.value) + size * where.first * math.prod(where.value.shape[1:]), shape)
