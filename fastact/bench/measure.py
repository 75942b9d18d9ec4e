"""Measures a model at several sizes: warm-up, rounds in which every size has its turn, and what comes beside them.

Interleaved rounds let whatever disturbs the machine for a second disturb every size alike; each round also times the
machine's own peak.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastact import samples
from fastact.bench import fresh, sensors
from fastact.bench.machine import ROOT, read_conditions, read_machine, warnings
from fastact.bench.peers import contest
from fastact.bench.peers.rivals import Rival
from fastact.bench.peers.task import Task
from fastact.bench.peers.worker import TOLERANCE
from fastact.bench.project import Board, project
from fastact.bench.result import (
    VERSION,
    Contest,
    Copies,
    Energy,
    Peers,
    Picture,
    Point,
    Report,
    Size,
    Subject,
)  # fmt: skip
from fastact.bench.room import check_room
from fastact.bench.rounds import Round, Turn, frames, rounds, warm_up
from fastact.bench.runner import Array, Runner, inputs_of, own_size, sized
from fastact.bench.speed import CpuSpeed, GpuSpeed, Speed
from fastact.bench.steadiness import low_peak, unsteady
from fastact.bench.times import Times
from fastact.cost import PICTURE_RANKS
from fastact.errors import FastactError, InputError
from fastact.frames import takes_pictures
from fastact.graph import Model
from fastact.maps import FeatureMaps
from fastact.selection import Layers

Progress = Callable[[str, float], None]
"""Called with what is being done, and how much of all is done, from 0 to 1."""

_SWEEP = (4, 1, 5, 0, 6, 2, 3)
"""The sweep's sizes by their place, in an order in which a machine that slows down does not look like an exponent."""
_SWEEP_SECONDS, _SWEEP_RUNS = 0.1, 15
_ENERGY_SECONDS = 3.0
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        sizes: (rows, columns) of each; empty for the model's own and 640x360.
        layers: as the extractor takes them.
        seconds: of the rounds, about; the rest takes some seconds more.
        image: a picture to feed; None for the samples that come with fastact.
        rivals: other engines to measure beside fastact, about as long again.
        boards: those whose times are estimated.
        device: what computes, as for the extractor.
        root: where the machine's files lie.
    """

    model: Model
    sizes: Sequence[tuple[int, int]] = ()
    layers: Layers = None
    threads: int = 1
    seconds: float = 10.0
    image: Path | None = None
    rivals: Sequence[Rival] = ()
    boards: Sequence[Board] = ()
    device: str = "cpu"
    root: Path = ROOT


@dataclass
class _Stage:
    """One size, and what is known of it beside its times."""

    runner: Runner
    size: tuple[int, int]
    process_bytes: int | None = None
    picture: Picture | None = None
    energy: Energy | None = None

    def result(self, turns: Sequence[Turn]) -> Size:
        """As a record."""
        rows, columns = self.size
        walls = [seconds for turn in turns for seconds in turn.frames]
        copies = [turn.copies for turn in turns if turn.copies is not None]
        return Size(
            columns, rows, self.runner.multiply_adds, self.runner.map_bytes, Times.of(walls),
            Times.of([turn.cpu for turn in turns]), self.runner.layers([turn.steps for turn in turns]),
            self.process_bytes, self.picture, self.energy,
            Copies(*(Times.of([both[way] for both in copies]) for way in (0, 1))) if copies else None,
        )  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """The report, and for each size the runner with the frame it was fed and the maps it gave."""

    report: Report
    runners: tuple[Runner, ...]


def measure(request: Request, progress: Progress = lambda doing, done: None) -> Measured:
    """Measures; Ctrl-C ends early with what there is, once every size has had its turn.

    Raises:
        InputError: a size the model cannot take, or one that is needed and not given.
        InputError: other engines or boards are asked for beside a GPU.
        KernelError: the kernels cannot be compiled or loaded, or the device cannot be used.
        KeyboardInterrupt: it came before there was anything to report.
    """
    machine, before = read_machine(request.root), read_conditions(request.root)
    request, stages = _stages(request)
    progress("the machine's peak", 0.0)
    speed: Speed = CpuSpeed(request.threads, request.root) if request.device == "cpu" else GpuSpeed()
    runners = tuple(stage.runner for stage in stages)
    for runner in runners:
        warm_up(runner)
    made: list[Round] = []
    sweep: list[Point] = []
    contests: list[Contest] = []
    try:
        rounds(runners, speed, made, request.seconds, lambda done: progress("rounds", 0.05 + 0.55 * done))
        for place, stage in enumerate(stages):
            progress("beside the maps", 0.6 + 0.1 * place / len(stages))
            _beside(stage, request)
        _energies(stages, request.root, progress)
        _sweep(request, stages, sweep, progress)
        _contests(request, stages, contests, progress)
        complete = True
    except KeyboardInterrupt:
        if not made:
            raise
        complete = False
    after, bursts = read_conditions(request.root), [r.burst for r in made if r.burst is not None]
    clock = runners[0].profile.clock
    sizes = tuple(stage.result([r.turns[place] for r in made]) for place, stage in enumerate(stages))
    noted = (
        *warnings(machine, before, after), *low_peak(bursts, request.threads, speed.alone), *unsteady(sizes, clock)
    )  # fmt: skip
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    report = Report(
        VERSION, _version(), now, complete, _subject(request.model), request.threads,
        request.device, speed.gpu, clock, speed.kernels, machine, before, after,
        speed.ability(bursts), sizes, tuple(sorted(sweep, key=lambda point: point.pixels)),
        _peers(request, contests), (), noted,
    )  # fmt: skip
    report = dataclasses.replace(report, projections=project(report, request.boards))
    return Measured(report, runners)


def _sizes(request: Request) -> list[tuple[int, int]]:
    """Those asked for, the smallest first; by default the model's own, and 640x360 where the model can take it."""
    own = own_size(request.model)
    if own is None and not any(len(shape) in PICTURE_RANKS for shape in request.model.input_shapes.values()):
        raise InputError(f"{request.model.source} takes no picture, whose size could be changed: nothing to compare")
    if request.sizes:
        return sorted(set(request.sizes), key=math.prod)
    sizes = {own} if own else set()
    try:
        sized(request.model, (360, 640), request.layers)
    except InputError:
        if not sizes:
            raise
    else:
        sizes.add((360, 640))
    return sorted(sizes, key=math.prod)


def _stages(request: Request) -> tuple[Request, list[_Stage]]:
    """Every size ready to be measured, and the request with the device that all of them are computed on."""
    sizes = _sizes(request)
    if request.device != "cuda":  # which has its own memory, and says itself what it lacks
        check_room([sized(request.model, size, request.layers) for size in sizes], request.layers, request.root)
    stages = [_stage(request, size) for size in sizes]
    device = "cuda" if all(stage.runner.device == "cuda" for stage in stages) else "cpu"
    if device == "cuda" and (request.rivals or request.boards):
        raise InputError("other engines and boards are compared by their CPUs: leave out --peers and --project")
    request = dataclasses.replace(request, device=device)
    if any(stage.runner.device != device for stage in stages):  # "auto", and the GPU has no room for the largest
        stages = [_stage(request, stage.size) for stage in stages]
    return request, stages


def _stage(request: Request, size: tuple[int, int]) -> _Stage:
    model = sized(request.model, size, request.layers)
    return _Stage(
        Runner(model, request.layers, request.threads, inputs_of(model, _image(request, size)), request.device), size
    )


def _image(request: Request, size: tuple[int, int]) -> Path:
    """The picture asked for, or the sample: one scene, as cameras of 160x120 and of 640x360 see it."""
    if request.image is not None:
        return request.image
    return samples.frame("160x120" if size == (120, 160) else "640x360")


def _beside(stage: _Stage, request: Request) -> None:
    """Memory of a fresh process; decoding and drawing, where there is a picture."""
    model, size = stage.runner.model, None if stage.size == own_size(request.model) else stage.size
    names = [n for n in stage.runner.extract.layers if model.layers[n].reason is None]
    image = _image(request, stage.size)
    stage.process_bytes = fresh.peak_bytes(request.model, size, request.threads, request.device, image, names)
    frame = next((a for a in stage.runner.inputs.values() if takes_pictures(a.shape)), None)
    if frame is not None:
        frame = frame if frame.ndim == 3 else frame[-1]  # of a run of pictures the newest is decoded for each frame
        shown = frame[..., 0] if frame.shape[-1] == 1 else frame[..., :3]
        stage.picture = _picture(shown, stage.runner.maps)


def _picture(shown: Array, maps: FeatureMaps) -> Picture:
    """Times of decoding the frame's JPEG, and of drawing the maps."""
    from PIL import Image

    from fastact.frames import decode
    from fastact.views import contact_sheet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.jpg"
        Image.fromarray(shown).convert("RGB").save(path, quality=_JPEG_QUALITY)
        decoding = [_timed(lambda: decode(path)) for _ in range(12)][2:]
        size = path.stat().st_size
    contact_sheet(shown, {name: array[..., :1] for name, array in list(maps.items())[:1]}, title="warm-up")
    drawing = [_timed(lambda: contact_sheet(shown, maps, title="maps")) for _ in range(2)]
    return Picture(size, Times.of(decoding), Times.of(drawing))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _energies(stages: list[_Stage], root: Path, progress: Progress) -> None:
    """Energy of a frame, where the board has a sensor on the line that feeds it."""
    rail = sensors.whole_board(sensors.rails(root))
    if rail is None:
        return
    with sensors.Meter(rail).running() as idle:
        progress("power when idle", 0.7)
        time.sleep(_ENERGY_SECONDS / 3)
    for stage in stages:
        progress("power", 0.75)
        with sensors.Meter(rail).running() as meter:
            start, count = time.monotonic(), 0
            while time.monotonic() < start + _ENERGY_SECONDS:
                stage.runner.frame()
                count += 1
            elapsed = time.monotonic() - start
        if meter.watts is not None and idle.watts is not None:
            stage.energy = Energy(meter.watts, idle.watts, meter.watts * elapsed / count)


def _sweep(
    request: Request,
    stages: list[_Stage],
    found: list[Point],
    progress: Progress,
) -> None:
    """Sizes from the smallest to the largest, or from half of the only one; without those it cannot take."""
    last = stages[-1].size
    first = stages[0].size if len(stages) > 1 else (last[0] // 2, last[1] // 2)
    if min(first) < 1:
        return
    sizes = [_between(first, last, place / (len(_SWEEP) - 1)) for place in _SWEEP]
    for place, size in enumerate(sizes):
        progress(f"sweep, {size[1]}x{size[0]}", 0.8 + 0.1 * place / len(sizes))
        try:
            runner = _stage(request, size).runner
        except FastactError:
            continue
        warm_up(runner)
        wall, cpu = frames(runner, _SWEEP_SECONDS, _SWEEP_RUNS)
        found.append(Point(size[1], size[0], runner.multiply_adds, Times.of(wall).low, cpu))


def _contests(request: Request, stages: list[_Stage], made: list[Contest], progress: Progress) -> None:
    """The engines that are installed, at every size; each contest is added to `made`."""
    if not any(rival.installed for rival in request.rivals):
        return
    entries = []
    for stage in stages:
        runner, size = stage.runner, None if stage.size == own_size(request.model) else stage.size
        task = Task(request.model.source, tuple(runner.maps), size, request.model.config_source)
        entries.append(contest.Entry(runner.model, stage.size, task, next(iter(runner.inputs.values()))))
    names = ", ".join(rival.name for rival in request.rivals if rival.installed)
    contest.hold(
        entries, request.rivals, request.threads, request.seconds / len(stages), made,
        lambda place: progress(f"beside {names}", 0.9 + 0.1 * place / len(entries)),
    )  # fmt: skip


def _peers(request: Request, contests: Sequence[Contest]) -> Peers | None:
    if not request.rivals:
        return None
    absent = {rival.name: rival.install for rival in request.rivals if not rival.installed}
    return Peers(TOLERANCE, absent, tuple(contests))


def _between(first: tuple[int, int], last: tuple[int, int], part: float) -> tuple[int, int]:
    """A size between two, by proportion of the logarithms."""
    rows, columns = (round(a ** (1 - part) * b**part) for a, b in zip(first, last, strict=True))
    return rows, columns


def _subject(model: Model) -> Subject:
    return Subject(os.path.basename(model.source), model.format, model.identity, model.parameters)  # noqa: PTH119


def _version() -> str:
    from fastact import __version__

    return __version__
