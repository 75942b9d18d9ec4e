"""What a benchmark measured: plain records, written as JSON and read back.

`report.schema.json` beside this file says what the JSON is. Seconds, bytes, FLOP/s (a multiply-add is two) and hertz
throughout; sizes of pictures are width and height.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from fastact.bench.machine import Conditions, Machine
from fastact.bench.times import Times, slope

VERSION = 3
"""Of the JSON's form: it changes when a reader of an older report would be misled."""


@dataclass(frozen=True)
class Layer:
    """Layers that are computed together, a strip of rows at a time, so that only their sum can be timed.

    Attributes:
        names: of the layers; most often one.
        shapes: of their maps, without the batch axis.
        multiply_adds: what the layers need, not what tiles compute twice.
        multiplied: what is done of them: fewer where two pixels are computed together.
        map_bytes: of their maps.
        traffic: bytes of inputs, weights and maps, each counted once.
        times: of every round.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    multiply_adds: int
    multiplied: int
    map_bytes: int
    traffic: int
    times: Times

    @property
    def name(self) -> str:
        """The names as one."""
        return " + ".join(self.names)

    @property
    def is_picture(self) -> bool:
        """Whether the first map has rows and columns."""
        return len(self.shapes[0]) >= 3

    @property
    def speed(self) -> float:
        """FLOP/s that are done, by the median; 0 where nothing is multiplied."""
        return 2 * self.multiplied / self.times.median

    @property
    def intensity(self) -> float:
        """FLOP for each byte of traffic."""
        return 2 * self.multiplied / self.traffic


@dataclass(frozen=True)
class Picture:
    """What comes beside computing maps.

    Attributes:
        jpeg_bytes: of the frame as a JPEG of quality 95.
        decoding: reading that file into an array.
        drawing: one contact sheet of all maps.
    """

    jpeg_bytes: int
    decoding: Times
    drawing: Times


@dataclass(frozen=True)
class Energy:
    """Of the whole board, by its own sensor, while frames were computed one after the other.

    Attributes:
        idle_watts: before that.
        joules: of one frame, idling included.
    """

    watts: float
    idle_watts: float
    joules: float


@dataclass(frozen=True)
class Copies:
    """Between the CPU's memory and a GPU's, by the GPU's own clock: a frame to it, and all its maps from it."""

    upload: Times
    download: Times


@dataclass(frozen=True)
class Size:
    """One size of input.

    Attributes:
        frame: of whole frames, as a program that uses fastact sees them. On a GPU the copy of the frame to it is
            counted in, and the maps stay there.
        cpu: CPU time of a frame, all threads together: the mean of each round's frames.
        layers: in the order they are computed.
        map_bytes: of all maps asked for.
        process_bytes: the most memory a fresh process held that loaded the model and computed one frame.
        copies: None where nothing is copied.
    """

    width: int
    height: int
    multiply_adds: int
    map_bytes: int
    frame: Times
    cpu: Times
    layers: tuple[Layer, ...]
    process_bytes: int | None
    picture: Picture | None
    energy: Energy | None
    copies: Copies | None

    @property
    def label(self) -> str:
        """Width x height."""
        return f"{self.width}x{self.height}"

    @property
    def multiplied(self) -> int:
        """What is done of the multiply-adds."""
        return sum(layer.multiplied for layer in self.layers)

    @property
    def pixels(self) -> int:
        """Of the input."""
        return self.width * self.height

    @property
    def cores(self) -> float:
        """How many cores a typical frame had."""
        return self.cpu.median / self.frame.median


@dataclass(frozen=True)
class Point:
    """A size of the sweep, measured with a few runs.

    Attributes:
        seconds: the lower quartile, into which the work of other programs enters least.
        cpu_seconds: CPU time of all threads together, into which it does not enter, the mean of the runs.
    """

    width: int
    height: int
    multiply_adds: int
    seconds: float
    cpu_seconds: float

    @property
    def pixels(self) -> int:
        """Of the input."""
        return self.width * self.height


@dataclass(frozen=True)
class Ability:
    """The machine's own speed, measured in the same run with as many threads.

    Attributes:
        peak: FLOP/s of multiply-adds on registers, the best burst; `bursts` are all of them.
        memory: bytes a second copied from and to memory.
        cache: bytes a second copied from and to the second cache.
    """

    peak: float
    memory: float
    cache: float
    bursts: tuple[float, ...]


@dataclass(frozen=True)
class Gpu:
    """The GPU that computed, as its driver says.

    Attributes:
        capability: its compute capability, such as "9.0".
        driver: the CUDA version its driver is for.
        memory: bytes; of an integrated GPU the machine's.
        clock: cycles a second at most.
        bandwidth: bytes a second from and to its memory at most; None where the driver does not say.
        lanes: multiply-adds that a multiprocessor begins in a cycle, as NVIDIA publishes.
    """

    name: str
    capability: str
    driver: str
    memory: int
    multiprocessors: int
    clock: float
    bandwidth: float | None
    lanes: int

    @property
    def peak(self) -> float | None:
        """FLOP/s in float32 at that clock; None where the driver does not say it."""
        return 2 * self.multiprocessors * self.lanes * self.clock or None


@dataclass(frozen=True)
class Peer:
    """One engine's frames at one size, beside fastact's in the same rounds.

    Attributes:
        way: who made floats of a frame of bytes: "by NumPy", "in the model", or "" where the engine takes bytes.
        difference: the largest between its maps and fastact's, as a part of the map's largest value.
        times: of its frames.
        ratio: its time over fastact's, the median of the rounds; `ratio_low` and `ratio_high` are their quartiles.
    """

    name: str
    version: str
    way: str
    difference: float
    times: Times
    ratio: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True)
class Contest:
    """fastact and other engines at one size: fastact is the first.

    Attributes:
        failed: why others were not timed, by their names.
    """

    width: int
    height: int
    rounds: int
    engines: tuple[Peer, ...]
    failed: dict[str, str]

    @property
    def label(self) -> str:
        """Width x height."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Peers:
    """The engines that were asked for.

    Attributes:
        tolerance: the largest difference of maps with which an engine is timed, as a part of a map's largest value.
        absent: those not installed, by their names, with what to give pip.
    """

    tolerance: float
    absent: dict[str, str]
    contests: tuple[Contest, ...]


@dataclass(frozen=True)
class Estimate:
    """What layers may take, from `low` to `high` seconds; `limit` is what holds them: "arithmetic" or "memory"."""

    names: tuple[str, ...]
    low: float
    high: float
    limit: str


@dataclass(frozen=True)
class Projection:
    """What a board may need for a frame of one size: an estimate, not measured.

    Attributes:
        board: its name; empty for this machine, which tells how far the estimate can be trusted.
        threads: of as many cores.
        peak: FLOP/s of as many cores at the highest clock.
        memory: bytes a second, of the memory.
        low, high: seconds of a frame.
    """

    board: str
    width: int
    height: int
    threads: int
    peak: float
    memory: float
    low: float
    high: float
    layers: tuple[Estimate, ...]

    @property
    def label(self) -> str:
        """Width x height."""
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Subject:
    """The model measured."""

    name: str
    format: str
    sha256: str
    parameters: int


@dataclass(frozen=True)
class Report:
    """All that one run of `fastact bench` found.

    Attributes:
        version: of this form.
        made: when, UTC, ISO 8601.
        complete: False where it was interrupted; what is there was measured as usual.
        device: what computed, "cpu" or "cuda".
        gpu: which one; None for the CPU.
        layers_clock: "cpu" where layers are timed by CPU time, "wall" where by the time that passed, "device" where by
            a GPU's events.
        ability: of the CPU; None where a GPU computed.
        sweep: the sizes between, smallest first; empty where there was no time for it.
        peers: other engines; None where none were asked for.
        projections: what boards may need: estimates. Every size on this machine, then on the boards asked for.
        warnings: what may have disturbed the measuring.
    """

    version: int
    fastact: str
    made: str
    complete: bool
    subject: Subject
    threads: int
    device: str
    gpu: Gpu | None
    layers_clock: str
    kernels: str
    machine: Machine
    before: Conditions
    after: Conditions
    ability: Ability | None
    sizes: tuple[Size, ...]
    sweep: tuple[Point, ...]
    peers: Peers | None
    projections: tuple[Projection, ...]
    warnings: tuple[str, ...]

    @property
    def peak(self) -> float | None:
        """FLOP/s of what computed at most: of the CPU as measured, of a GPU as published; None where not known."""
        return self.ability.peak if self.ability else self.gpu.peak if self.gpu else None

    def exponent(self) -> float | None:
        """k of CPU seconds = c pixels^k, fitted to the sweep; None where it has fewer than three sizes, or on a GPU."""
        return None if self.gpu else slope([(p.pixels, p.cpu_seconds) for p in self.sweep])


def to_json(report: Report) -> str:
    """The report as JSON."""
    return json.dumps(dataclasses.asdict(report), indent=1, allow_nan=False) + "\n"
