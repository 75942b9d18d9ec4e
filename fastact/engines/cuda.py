"""An NVIDIA GPU: a plan's launches run for one frame, for a stream of them, or for a batch together."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fastact.engines.base import Array, Engine, Prepared, Profile, Task
from fastact.engines.cuda_maps import CudaMaps
from fastact.engines.cuda_plan import CudaPlan
from fastact.errors import KernelError
from fastact.kernels.cuda.device import Device, open_device
from fastact.kernels.cuda.errors import CudaError
from fastact.kernels.cuda.packing import Resident
from fastact.kernels.cuda.runner import Batch, Lanes, Runner, most_frames
from fastact.kernels.cuda.search import BuildError
from fastact.kernels.ops import Floats
from fastact.layout import OUTPUTS
from fastact.maps import FeatureMaps

_PART_OF_FREE = 0.8
"""How much of the GPU's free memory a batch may take; the rest is for what others in the process need."""


class CudaEngine(Engine):
    """The first GPU that can be used, as CUDA_VISIBLE_DEVICES leaves them.

    Raises:
        KernelError: there is no GPU or no driver, or they are too old.
    """

    device = "cuda"
    ahead = 1

    def __init__(self) -> None:
        with said():
            self.gpu = open_device()

    def prepare(self, task: Task) -> Prepared:  # noqa: D102
        return _OnGpu(task, CudaPlan(task.recorded(), task.in_bytes), self.gpu)

    def profile(self, task: Task, inputs: Mapping[str, Array]) -> Profile:  # noqa: D102
        plan = CudaPlan(task.recorded(), task.in_bytes)
        return _CudaProfile(plan, self.gpu, [inputs[name] for name in plan.inputs])


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Errors of the GPU as users get them."""
    try:
        yield
    except (CudaError, BuildError) as error:
        raise KernelError(str(error)) from error


class _OnGpu(Prepared):
    """A plan with its runners: of one frame at a time, of a stream, of batches."""

    def __init__(self, task: Task, plan: CudaPlan, gpu: Device) -> None:
        super().__init__(task, plan.inputs)
        self._plan, self._gpu, self._missing = plan, gpu, task.missing
        self._lock = threading.RLock()
        with self._alone():
            self._resident = Resident(gpu)
            self._single = self._runner(1, Lanes.one(gpu))
        self._stream: Runner | None = None
        self._several: Runner | None = None

    def maps(self) -> FeatureMaps:
        with self._alone():
            return self._maps(self._single.batch(), None)

    def stream_maps(self) -> FeatureMaps:
        with self._alone():
            if self._stream is None:
                self._stream = self._runner(1, Lanes.overlapping(self._gpu))
            return self._maps(self._stream.batch(), None)

    def run(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        assert isinstance(maps, CudaMaps)
        with self._alone():
            maps.renew()
            _start(maps.batch, [[array] for array in inputs])
            maps.batch.wait()

    def start(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        assert isinstance(maps, CudaMaps)
        with self._alone():
            whole = maps.renew()
            _start(maps.batch, [[array] for array in inputs])
            if whole:
                maps.batch.request()

    def finish(self, maps: FeatureMaps) -> FeatureMaps:
        assert isinstance(maps, CudaMaps)
        with self._alone():
            maps.batch.wait()
        return maps

    def batch(self, inputs: Sequence[Sequence[Array]]) -> FeatureMaps:
        frames = len(inputs[0])
        with self._alone():
            part = self._part(frames)
            if self._several is None or self._several.frames != part:
                self._several = None  # its memory goes before more is taken
                self._several = self._runner(part, Lanes.overlapping(self._gpu))
            if part == frames:
                batch = self._several.batch()
                _start(batch, inputs)
                batch.wait()
                return self._maps(batch, frames)
            return self._in_parts(self._several, inputs)

    def _in_parts(self, runner: Runner, inputs: Sequence[Sequence[Array]]) -> FeatureMaps:
        """A batch that the GPU cannot hold, part by part: one is computed while the one before it is copied out."""
        frames = len(inputs[0])
        arrays = {o.name: np.empty((frames, *o.shape), np.float32) for o in self._plan.outputs}
        batches, begun = [runner.batch(), runner.batch()], list[tuple[int, Batch]]()
        for number, first in enumerate(range(0, frames, runner.frames)):
            batch = batches[number % 2]
            _start(batch, [several[first : first + runner.frames] for several in inputs])
            batch.request()
            begun.append((first, batch))
            if len(begun) > 1:
                self._copy(*begun.pop(0), arrays)
        self._copy(*begun.pop(), arrays)
        return FeatureMaps(arrays, self._missing)

    def _copy(self, first: int, batch: Batch, arrays: Mapping[str, Floats]) -> None:
        rows = batch.result()
        for output in self._plan.outputs:
            target = arrays[output.name][first : first + len(rows)]
            found = rows[: len(target), output.offset : output.offset + target[0].nbytes]
            target[:] = found.view(np.float32).reshape(target.shape)

    def _part(self, frames: int) -> int:
        """How many of `frames` frames go together: all, or parts of one size, of which two are under way at once."""
        most = most_frames(self._plan.strides)
        room = int(self._gpu.free_memory() * _PART_OF_FREE)
        room //= 2 if self._gpu.card.integrated else 1  # where the pinned memory beside it is of the same
        if self._several is not None:
            if self._several.frames == frames:
                return frames
            room += self._several.frames * sum(self._plan.strides)
        if frames <= min(most, room // max(1, sum(self._plan.strides))):
            return frames
        twice = 2 * sum(self._plan.strides[1:]) + self._plan.strides[0]
        parts = -(-frames // max(1, min(most, room // max(1, twice))))
        return -(-frames // parts)

    def _runner(self, frames: int, lanes: Lanes) -> Runner:
        launches, _ = self._plan.launches(self._gpu.board, frames)
        return Runner(
            self._gpu, launches, self._plan.strides, frames,
            inputs=self._plan.regions_of_inputs, output=OUTPUTS, lanes=lanes, resident=self._resident,
        )  # fmt: skip

    def _maps(self, batch: Batch, frames: int | None) -> CudaMaps:
        stride, number = self._plan.strides[OUTPUTS], self._gpu.card.ordinal
        maps = CudaMaps(self._plan.outputs, batch, frames, self._alone, stride, number, self._missing)
        maps.home = (self, batch) if frames is None else None
        return maps

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread at a time uses the runners; in a forked child, where another's lock may stay locked, none does."""
        with said():
            if not self._gpu.usable:
                with self._gpu:  # says why
                    pass
            with self._lock:
                yield


def _start(batch: Batch, inputs: Sequence[Sequence[Array]]) -> None:
    """Begins a batch; for each input the arrays of its frames, of which there may be fewer than the batch has."""
    for staging, arrays in zip(batch.inputs, inputs, strict=True):
        if isinstance(arrays, np.ndarray):
            rows = arrays.reshape(len(arrays), -1).view(np.uint8)
            staging[: len(rows), : rows.shape[1]] = rows
        else:
            for row, array in zip(staging, arrays, strict=False):
                row[: array.nbytes] = array.reshape(-1).view(np.uint8)
    batch.start()


class _CudaProfile(Profile):
    """Launches timed by the GPU's own events, one between each two."""

    clock = "device"

    def __init__(self, plan: CudaPlan, gpu: Device, inputs: Sequence[Array]) -> None:
        with said():
            launches, self.stretches = plan.launches(gpu.board, 1)
            self._runner = Runner(
                gpu, launches, plan.strides, 1, inputs=plan.regions_of_inputs, output=OUTPUTS
            )  # fmt: skip
            self._batch = self._runner.batch()
            _start(self._batch, [[array] for array in inputs])
            self._batch.wait()

    def seconds(self, runs: Sequence[tuple[int, int]]) -> list[float]:
        with said():
            took = self._batch.measure_launches()
        return [sum(took[first:last]) / 1e3 for first, last in runs]

    def copies(self) -> tuple[float, float]:
        with said():
            times = self._batch.measure()
        return times.upload / 1e3, times.download / 1e3
