"""Every operation on the GPU against its reference: what has to be right before anything is timed.

Inputs are random and new at every run. Outputs are full of a value that nothing computes before they are written, and
so is the memory around them. A result is right if its NaN are the reference's, and the rest is within `TOLERANCE` of
it in the norm, ||result - reference|| / ||reference||, the reference being computed in float64.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt

import fastact
from benchmarks import networks as larger
from benchmarks.cuda_lowered import exact, pilots
from benchmarks.cuda_program import Program
from benchmarks.recorder import model_of
from fastact.kernels import ops
from fastact.kernels.cuda import tiles
from fastact.kernels.cuda.boards import Board
from fastact.kernels.cuda.device import Device
from fastact.kernels.cuda.encode import Target, can_encode, encode
from fastact.kernels.places import Buffer, Place

Array = npt.NDArray[np.generic]
Case = tuple[ops.Op, tuple[Array, ...]]

TOLERANCE = 1e-5
"""Float32 sums of a thousand products come to 1e-6 in this norm; TF32 would be at 3e-4."""

DEEP_TOLERANCE = 5e-5
"""Of a map after some fifty layers, each of which adds its own error."""

_TESTS = Path(__file__).parents[1] / "tests"

_POISON = np.uint32(0x7FC0DEAD)
"""A NaN that no computation makes."""
_GUARD = 256
"""Bytes behind every frame's buffer that nobody may write to."""


@dataclass
class Verdict:
    """What came out for one kind of operation.

    Attributes:
        worst: the largest error of the norm.
        wrong: what was wrong, in words.
    """

    kind: str
    cases: int = 0
    worst: float = 0.0
    wrong: list[str] = field(default_factory=list)
    kernels: set[str] = field(default_factory=set)


def cases(seed: int) -> Iterator[Case]:
    """The table that other machines' kernels are checked by."""
    sys.path.insert(0, str(_TESTS / "aarch64"))
    from rows import cases as table  # type: ignore[import-not-found]

    yield from table(np.random.default_rng(seed))


def check(device: Device, seed: int, frames: int = 2) -> list[Verdict]:
    """Runs the table on the device: every row, and every convolution with every tile that it could take."""
    found: dict[str, Verdict] = {}
    random = np.random.default_rng(seed)
    tried = 0
    for op, given in cases(seed):
        batch = [np.stack([x, *(_again(x, random) for _ in range(frames - 1))]) for x in given]
        chosen = found.setdefault(type(op).__name__, Verdict(type(op).__name__))
        _judge(chosen, device, op, batch)
        if isinstance(op, ops.Conv2D | ops.Conv3D):
            tile = tiles.TILES[tried % len(tiles.TILES)]
            tried += 1
            with mock.patch.object(tiles, "choose", return_value=tile):
                _judge(found.setdefault(tile.name, Verdict(tile.name)), device, op, batch)
    return list(found.values())


def _again(x: Array, random: np.random.Generator) -> Array:
    """The same values in another order: as large, as many NaN, and other sums."""
    return random.permutation(x.reshape(-1)).reshape(x.shape)


def _judge(verdict: Verdict, device: Device, op: ops.Op, batch: Sequence[Array]) -> None:
    verdict.cases += 1
    if not can_encode(op):
        verdict.wrong.append(f"there is no kernel for {type(op).__name__}")
        return
    try:
        made, kernels = computed(device, op, batch)
    except WrongError as error:
        verdict.wrong.append(str(error))
        return
    verdict.kernels |= kernels
    for number, result in enumerate(made):
        with np.errstate(all="ignore"):
            off = difference(result, exact(op, *(x[number].astype(np.float64) for x in batch)))
        verdict.worst = max(verdict.worst, off)
        if not off <= TOLERANCE:
            shapes = ", ".join(str(x.shape[1:]) for x in batch)
            verdict.wrong.append(f"{type(op).__name__} of {shapes}: frame {number} is off by {off:.1e}")


def models(seed: int) -> list[Verdict]:
    """Maps of whole networks by an extractor on the GPU, of a frame alone and of a batch: every layer's, and those of
    the convolutions alone, the first of which then reads the frame's bytes."""
    sys.path.insert(0, str(_TESTS))
    from oracles import reference_maps  # type: ignore[import-not-found]

    random, found = np.random.default_rng(seed), []
    for label, model in networks():
        frames = {name: random.random((2, *shape), np.float32) for name, shape in _inputs(model).items()}
        if len(frames) == 1:  # as a camera gives them
            frames = {name: (255 * x).astype(np.uint8) for name, x in frames.items()}
        wide = {name: x / np.float64(255 if x.dtype == np.uint8 else 1) for name, x in frames.items()}
        right = [reference_maps(model, {name: x[i] for name, x in wide.items()}) for i in (0, 1)]
        verdict = Verdict(label)
        convolutions = [node.name for node in model.nodes if node.is_convolution]
        for layers in ("all", convolutions) if convolutions else ("all",):
            extract = fastact.Extractor(model, layers, device="cuda")
            alone, together = extract({name: x[0] for name, x in frames.items()}), extract.batch(frames)
            for name in alone:
                verdict.cases += 1
                _close(verdict, name, alone[name], right[0][name])
                for number in (0, 1):
                    _close(verdict, name, together[name][number], right[number][name])
        found.append(verdict)
    return found


def networks() -> Iterator[tuple[str, fastact.Model]]:
    """The pilots, two larger networks, and the models that tests have with TensorFlow's maps."""
    for pilot in pilots()[::2]:
        yield pilot.label, pilot.model
    yield "MobileNetV2", model_of(larger.mobilenet_v2)[1]
    yield "U-Net", model_of(larger.unet)[1]
    for path in sorted((_TESTS / "golden").glob("*.h5")):
        model = fastact.load(path)
        if all(None not in shape for shape in model.input_shapes.values()):
            yield path.stem, model


def _inputs(model: fastact.Model) -> dict[str, tuple[int, ...]]:
    return {name: tuple(n or 1 for n in shape) for name, shape in model.input_shapes.items()}


def _close(verdict: Verdict, name: str, actual: npt.NDArray[np.float32], right: npt.NDArray[np.float64]) -> None:
    off = difference(actual, right)
    verdict.worst = max(verdict.worst, off)
    if not off <= DEEP_TOLERANCE:
        verdict.wrong.append(f"{name} is off by {off:.1e}")


class WrongError(Exception):
    """What was computed is wrong whatever the values are; the message says why."""


def computed(
    device: Device, op: ops.Op, batch: Sequence[Array], board: Board | None = None
) -> tuple[npt.NDArray[np.float32], set[str]]:
    """What the GPU makes of a batch, and by which kernels: inputs and result have an axis of frames in front.

    Launches are those for `board`, by default the device's own.

    Raises:
        WrongError: something is not written, or something else is.
    """
    frames, shape = len(batch[0]), op.shape(*(x.shape[1:] for x in batch))
    sizes = [x[0].nbytes for x in batch] + [4 * math.prod(shape)]
    strides = [-(-size // _GUARD) * _GUARD + _GUARD for size in sizes]
    buffers = [Buffer(Place(i), x.shape[1:]) for i, x in enumerate(batch)]
    launches = encode(op, buffers, Buffer(Place(len(batch)), shape), Target(board or device.board, frames))
    program = Program(device, launches, strides, frames)
    try:
        given = []
        for number, (stride, size) in enumerate(zip(strides, sizes, strict=True)):
            rows = np.full((frames, stride // 4), _POISON).view(np.uint8)
            if number < len(batch):
                rows[:, :size] = np.ascontiguousarray(batch[number]).reshape(frames, -1).view(np.uint8)
            given.append(rows)
            program.write(number, rows)
        program.run()
        for number, rows in enumerate(given[:-1]):
            if not np.array_equal(program.read(number), rows):
                raise WrongError(f"{type(op).__name__} writes to its input")
        rows = program.read(len(batch))
    finally:
        program.close()
    if not np.array_equal(rows[:, sizes[-1] :], given[-1][:, sizes[-1] :]):
        raise WrongError(f"{type(op).__name__} writes beside its output of {shape}")
    inside = np.ascontiguousarray(rows[:, : sizes[-1]])
    if np.any(inside.view(np.uint32) == _POISON):
        raise WrongError(f"{type(op).__name__} leaves parts of its output of {shape} as they were")
    return inside.view(np.float32).reshape(frames, *shape), {launch.kernel for launch in launches}


def difference(actual: npt.NDArray[np.float32], right: npt.NDArray[np.float64]) -> float:
    """||actual - right|| / ||right||, of finite values alone; infinite where NaN or infinities are not the same."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = right.astype(np.float32)
        finite = np.isfinite(rounded) & np.isfinite(actual)
        if not np.array_equal(np.isnan(actual), np.isnan(rounded)) or np.any(
            (actual != rounded) & ~finite & ~np.isnan(rounded) & ~_near_limit(actual, right)
        ):
            return math.inf
    scale = float(np.max(np.abs(right[finite]), initial=0.0))
    if scale == 0.0:
        return 0.0 if not np.any(actual[finite]) else math.inf
    away, whole = (np.linalg.norm(v / scale) for v in (actual[finite] - right[finite], right[finite]))
    return float(away / whole)


def _near_limit(actual: npt.NDArray[np.float32], right: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where one rounding decides whether a value is the largest float32 or infinite."""
    largest = float(np.finfo(np.float32).max)
    near: npt.NDArray[np.bool_] = (np.abs(right) > largest * (1 - 1e-6)) & (np.sign(actual) == np.sign(right))
    return near
