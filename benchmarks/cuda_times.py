"""What `benchmarks.cuda` times: what the GPU can do at most, networks beside PyTorch, and every tile."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import numpy.typing as npt

import fastact
from benchmarks.common import BenchmarkError
from benchmarks.cuda_checks import TOLERANCE, difference
from benchmarks.cuda_lowered import Lowered, Pilot, Step, lowered, pilots
from benchmarks.cuda_program import Program, Sample, medians
from fastact.bench.peers.network import network_of
from fastact.kernels import ops
from fastact.kernels.cuda import ceilings as launches
from fastact.kernels.cuda import tiles as tile_table
from fastact.kernels.cuda.catalog import CHAINS
from fastact.kernels.cuda.device import Device
from fastact.kernels.cuda.encode import Target, encode
from fastact.kernels.cuda.fusion import Conv2DFromBytes
from fastact.kernels.cuda.launch import Launch
from fastact.kernels.places import Buffer, Place

if TYPE_CHECKING:
    from benchmarks.cuda_torch import Rival

_COPIED = 1 << 28
"""Floats that are copied to see the memory's bandwidth: 1 GiB, far more than a cache holds."""
_TURNS = 1000
_CHECKED = 2
"""Frames of a batch that are held against the reference: the first and the last."""


@dataclass(frozen=True)
class Ceilings:
    """What the GPU can do at most: fp32 operations a second, and bytes a second read and written."""

    flops: float
    bandwidth: float

    @property
    def words(self) -> str:
        """For people."""
        return f"at most {self.flops / 1e12:.2f} TFLOP/s on registers and {self.bandwidth / 1e9:.0f} GB/s copied"


def ceilings(device: Device, rounds: int = 9) -> Ceilings:
    """The best of some rounds of both kernels."""
    launch, flops, size = launches.multiply_adds(device.board, _TURNS)
    adding = Program(device, [launch], [size])
    adding.run()
    if not np.allclose(adding.read(0).view(np.float32), CHAINS, rtol=1e-5):
        raise BenchmarkError("the kernel of multiply-adds computes something else")
    count = min(_COPIED, device.free_memory() // 16)
    copying = Program(device, [launches.copy(count)], [4 * count, 4 * count])
    pattern = np.random.default_rng().integers(0, 256, (1, 4 * count), np.uint8)
    copying.write(0, pattern)
    copying.run()
    if not np.array_equal(copying.read(1), pattern):
        raise BenchmarkError("the kernel of copies copies something else")
    best = [min(program.launches(5) / 5 for _ in range(rounds)) / 1e3 for program in (adding, copying)]
    for program in (adding, copying):
        program.close()
    return Ceilings(flops / best[0], 8 * count / best[1])


HEAD = (
    "maps", "frames", "ours, graph", "ours, launches", "torch, eager", "torch, graph", "torch / ours", "FLOP floor",
    "byte floor", "of peak", "error",
)  # fmt: skip


@dataclass(frozen=True)
class Times:
    """A network on a batch: milliseconds by name, what was computed, and what it takes at least.

    Attributes:
        error: the largest of a map's errors in the norm.
        apart: the largest difference to PyTorch's maps, in the same norm.
        rival: PyTorch's version, or why it is not there.
    """

    label: str
    frames: int
    milliseconds: Mapping[str, float]
    flops: int
    moved: int
    flop_floor: float
    byte_floor: float
    error: float
    apart: float | None
    rival: str

    @property
    def of_peak(self) -> float:
        """How much of the multiply-adds that the GPU can do at most is done."""
        return self.flop_floor / self.milliseconds["ours, graph"]

    @property
    def ratio(self) -> float | None:
        """How many times ours PyTorch's better time is."""
        theirs = [ms for name, ms in self.milliseconds.items() if name.startswith("torch")]
        return min(theirs) / self.milliseconds["ours, graph"] if theirs else None

    @property
    def cells(self) -> tuple[str, ...]:
        """A row under `HEAD`."""
        times = (self.milliseconds.get(name) for name in HEAD[2:6])
        shown = ["" if ms is None else f"{ms:.4f}" for ms in times]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        floors = f"{self.flop_floor:.4f}", f"{self.byte_floor:.4f}"
        return (self.label, str(self.frames), *shown, ratio, *floors, f"{self.of_peak:.0%}", f"{self.error:.0e}")


def networks(device: Device, most: Ceilings, rounds: int, seed: int) -> list[Times]:
    """The pilots at both sizes, a frame and a batch.

    Raises:
        BenchmarkError: a map is not the reference's, or not PyTorch's, or not the same twice.
    """
    random = np.random.default_rng(seed)
    return [_network(device, pilot, frames, most, rounds, random) for pilot in pilots() for frames in (1, pilot.batch)]


def _network(
    device: Device, pilot: Pilot, frames: int, most: Ceilings, rounds: int, random: np.random.Generator
) -> Times:
    made = lowered(pilot.model, device.board, frames)
    shape = made.steps[0].inputs[0].shape
    batch = random.integers(0, 256, (frames, *shape), np.uint8)
    program = Program(device, made.launches, made.strides, frames)
    try:
        error = _checked(program, made, batch)
        rival, why = _rival(pilot.model, batch)
        apart = None if rival is None else _compared(program, made, rival)
        samples: dict[str, Sample] = {"ours, graph": program.replays, "ours, launches": program.launches}
        times = medians(samples | (rival.samples if rival else {}), rounds)
    finally:
        program.close()
    floors = made.flops / most.flops * 1e3, made.moved / most.bandwidth * 1e3
    return Times(
        pilot.label, frames, times, made.flops, made.moved, *floors, error, apart, rival.version if rival else why
    )


def _checked(program: Program, made: Lowered, batch: npt.NDArray[np.uint8]) -> float:
    """The largest error of all maps of the first and the last frame, run twice over poisoned memory."""
    for number, stride in enumerate(made.strides):
        program.write(number, np.full((made.frames, stride // 4), np.nan, np.float32).view(np.uint8))
    rows = np.zeros((made.frames, made.strides[0]), np.uint8)
    rows[:, : batch[0].size] = batch.reshape(made.frames, -1)
    program.write(0, rows)
    program.run()
    first = {name: _map(program, buffer) for name, buffer in made.maps.items()}
    program.replays(1)
    worst = 0.0
    for name, buffer in made.maps.items():
        if _map(program, buffer).tobytes() != first[name].tobytes():
            raise BenchmarkError(f"{name} is not the same when it is computed again: nothing is timed")
    for frame in sorted({0, made.frames - 1})[:_CHECKED]:
        for name, right in made.references(batch[frame]).items():
            error = difference(first[name][frame], right)
            if not error <= TOLERANCE:
                raise BenchmarkError(f"{name} of frame {frame} is off by {error:.1e}: nothing is timed")
            worst = max(worst, error)
    return worst


def _map(program: Program, buffer: Buffer) -> npt.NDArray[np.float32]:
    size = 4 * math.prod(buffer.shape)
    found = np.ascontiguousarray(program.read(buffer.place.region)[:, :size])
    return found.view(np.float32).reshape(program.frames, *buffer.shape)


def _rival(model: fastact.Model, batch: npt.NDArray[np.uint8]) -> tuple[Rival | None, str]:
    """PyTorch with the same weights and frames, or why not."""
    if importlib.util.find_spec("torch") is None:
        return None, "PyTorch is not installed"
    from benchmarks.cuda_torch import Rival, device_name

    if device_name() is None:
        return None, "PyTorch finds no GPU"
    wanted = [node.name for node in model.nodes if node.is_convolution]
    return Rival(network_of(model, wanted), batch), ""


def _compared(program: Program, made: Lowered, rival: Rival) -> float:
    """The largest difference of a map to PyTorch's."""
    worst = 0.0
    for name, theirs in rival.maps().items():
        apart = difference(_map(program, made.maps[name]), theirs.astype(np.float64))
        if not apart <= TOLERANCE:
            raise BenchmarkError(f"PyTorch's {name} differs by {apart:.1e}: nothing is timed")
        worst = max(worst, apart)
    return worst


def tile_head() -> tuple[str, ...]:
    """The head of the table of tiles."""
    return ("layer", "frames", *(tile.name.removeprefix("conv_") for tile in tile_table.TILES), "taken / fastest")


@dataclass(frozen=True)
class TileTimes:
    """A convolution of a batch: microseconds with each tile, and which is taken."""

    layer: str
    frames: int
    taken: str
    microseconds: Mapping[str, float]
    flops: int

    @property
    def cells(self) -> tuple[str, ...]:
        """A row under :func:`tile_head`."""
        fastest = min(self.microseconds.values())
        times = [f"{us:.1f}{'*' * (name == self.taken)}" for name, us in self.microseconds.items()]
        return (self.layer, str(self.frames), *times, f"{self.microseconds[self.taken] / fastest:.2f}")


def tiles(device: Device, rounds: int, seed: int) -> list[TileTimes]:
    """Each tile on each convolution of the pilots, a frame and a batch.

    Raises:
        BenchmarkError: a tile computes something else than another.
    """
    random = np.random.default_rng(seed)
    return [
        _tiles_on(device, f"{step.name}, {pilot.label}", step, frames, rounds, random)
        for pilot in pilots()
        for frames in (1, pilot.batch)
        for step in _convolutions(lowered(pilot.model, device.board, frames))
    ]


def _convolutions(made: Lowered) -> Iterator[Step]:
    return (step for step in made.steps if isinstance(step.op, ops.Conv2D | Conv2DFromBytes))


def _tiles_on(
    device: Device, layer: str, step: Step, frames: int, rounds: int, random: np.random.Generator
) -> TileTimes:
    (x,), y = step.inputs, step.output
    in_bytes = isinstance(step.op, Conv2DFromBytes)
    size = math.prod(x.shape) * (1 if in_bytes else 4)
    strides = [-(-n // 256) * 256 for n in (size, 4 * math.prod(y.shape))]
    given = np.zeros((frames, strides[0]), np.uint8)
    values = random.integers(0, 256, (frames, size), np.uint8) if in_bytes else None
    if values is None:
        values = random.standard_normal((frames, size // 4), np.float32).view(np.uint8)
    given[:, :size] = values
    programs: dict[str, Program] = {}
    for tile in tile_table.TILES:
        beside = next(iter(programs.values()), None)
        programs[tile.name] = Program(device, _with_tile(device, step, tile, frames), strides, frames, beside)
    try:
        expected: npt.NDArray[np.float32] | None = None
        for name, program in programs.items():
            program.write(0, given)
            program.write(1, np.full((frames, strides[1] // 4), np.nan, np.float32).view(np.uint8))
            program.run()
            made = _map(program, Buffer(Place(1), y.shape))
            expected = made if expected is None else expected
            if not (apart := difference(made, expected.astype(np.float64))) <= TOLERANCE:
                raise BenchmarkError(f"tile {name} on {layer} differs by {apart:.1e} from others: nothing is timed")
        times = medians({name: program.replays for name, program in programs.items()}, rounds)
    finally:
        for program in reversed(programs.values()):
            program.close()
    taken = next(t.name for t in tile_table.TILES if step.launches[0].kernel.startswith(t.name))
    return TileTimes(layer, frames, taken, {name: 1e3 * ms for name, ms in times.items()}, step.flops)


def _with_tile(device: Device, step: Step, tile: tile_table.Tile, frames: int) -> Sequence[Launch]:
    inputs, output = [Buffer(Place(0), step.inputs[0].shape)], Buffer(Place(1), step.output.shape)
    with mock.patch.object(tile_table, "choose", return_value=tile):
        return encode(step.op, inputs, output, Target(device.board, frames))
