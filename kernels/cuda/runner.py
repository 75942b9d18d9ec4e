"""Launches run on a device, batch after batch.

Everything lies in device memory: the arrays of the launches once, regions that are dropped after a run once, and
inputs and outputs for every batch that is alive. Frames go in through pinned memory, and results come out into memory
of the host when they are asked for. So it is on an integrated GPU, too. Managed memory would spare it the copies, but
below capability 7.2 no thread of the process may touch any of it while the GPU is busy, which nobody who holds an array
knows; and mapped memory is cached on neither side there. A copy at the memory's speed is the price, and what was copied
can be read at any time; see also :meth:`.device.Device.readable`.

A batch's launches are recorded as a CUDA graph when they run for the second time, since its addresses stay the same,
and are replayed with one call. Work is begun and not waited for; on streams that overlap, the next batch is copied in
and the one before it copied out while this one is computed.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .device import Device, Memory, at_end
from .errors import CudaError, OutOfMemoryError
from .launch import Launch
from .packing import Resident, aligned
from .slot import Bytes, Lanes, Program, Slot

__all__ = ["Batch", "Lanes", "Runner", "Times", "most_frames"]

_MOST_BLOCKS = 65535
"""Along the third axis of a grid, which counts frames."""
_MOST_BYTES = 2**32
"""Of a region: kernels count what lies in it in 32 bits."""

_KEPT = 2
"""Sets of buffers that nobody uses and that are kept for the next batch."""


@dataclass(frozen=True)
class Times:
    """What a batch took by the device's own clock, in milliseconds: copied in, computed, copied out."""

    upload: float
    compute: float
    download: float


def most_frames(strides: Sequence[int]) -> int:
    """How many frames a batch may have whose regions are of these bytes a frame.

    Raises:
        OutOfMemoryError: not even one.
    """
    largest = max(strides, default=1)
    if largest > _MOST_BYTES:
        raise OutOfMemoryError(
            f"the maps of one frame need {largest / 2**30:.1f} GiB, and the kernels for GPUs count up to "
            f"{_MOST_BYTES / 2**30:.0f}: choose fewer layers or a smaller input"
        )
    return min(_MOST_BLOCKS, _MOST_BYTES // max(1, largest))


class Runner:
    """Launches with memory of their own.

        batch = runner.batch()
        batch.inputs[0][:] = frames          # a row of bytes for each frame
        batch.start()
        rows = batch.result()                # a row of bytes for each frame: its region of outputs

    One thread at a time may call it and its batches; Python's lock is released while it waits.

    Attributes:
        frames: how many a batch has.
        stride: bytes from a frame's outputs to the next frame's.
        resident: the arrays of its launches.
    """

    def __init__(
        self,
        device: Device,
        launches: Sequence[Launch],
        strides: Sequence[int],
        frames: int,
        *,
        inputs: Sequence[int],
        output: int,
        lanes: Lanes | None = None,
        resident: Resident | None = None,
    ) -> None:
        """Loads kernels, copies arrays to the device and takes the memory for one batch.

        Args:
            device: where to run them.
            launches: what runs, in order.
            strides: of each region, by number, the bytes from one frame to the next.
            frames: how many a batch has, from 1 to :func:`most_frames`.
            inputs: the regions that are copied in.
            output: the region that is kept for a batch. All others are dropped after a run.
            lanes: the streams to use; None for one of its own.
            resident: arrays that are on the device already; what is missing is added. None for none.

        Raises:
            OutOfMemoryError: the device has too little memory; nothing is left of what was taken.
            CudaError: the device fails.
            BuildError: there is no PTX for the device.
        """
        most = most_frames(strides)
        if not 1 <= frames <= most:
            raise ValueError(f"a batch has 1 to {most} frames, not {frames}")
        self.device, self.frames, self.stride = device, frames, strides[output]
        self.resident = resident or Resident(device)
        functions = {name: device.kernel(name) for name in sorted({launch.kernel for launch in launches})}
        dropped = [r for r in range(len(strides)) if r != output and r not in inputs]
        self._slot_bytes = sum(aligned(strides[r] * frames) for r in (*inputs, output))
        fixed = sum(aligned(strides[r] * frames) for r in dropped) + self.resident.missing(launches)
        self._require(fixed)
        self._slabs = self.resident.add(launches)
        self._memory = {r: device.allocate(strides[r] * frames) for r in dropped}
        self._program = Program(
            device=device,
            lanes=lanes or Lanes.one(device),
            launches=launches,
            functions=functions,
            strides=strides,
            frames=frames,
            inputs=tuple(inputs),
            output=output,
            dropped={r: memory.address for r, memory in self._memory.items()},
            resident=self.resident,
        )
        self._free = [Slot(self._program)]
        at_end(self, _settle, device, self._program.lanes)

    def batch(self) -> Batch:
        """Buffers for a batch, which are its own for as long as it or an array of its results lives.

        Raises:
            OutOfMemoryError: the device has too little memory for one more.
        """
        if self._free:
            slot = self._free.pop()
            slot.refill()
        else:
            self._require(0)
            slot = Slot(self._program)
        return Batch(self._program, slot, self._give_back)

    def wait(self) -> None:
        """Waits until all is done that was begun."""
        self._program.lanes.wait(self.device)

    def _require(self, fixed: int) -> None:
        """Sees to it that there is memory for one more batch and for `fixed` bytes on the device."""
        slot = self._slot_bytes
        if self.device.card.integrated:
            slot *= 2  # what the host has lies in the same memory
        self.device.require(fixed + slot, f"a batch of {self.frames} frames" if self.frames > 1 else "a frame")

    def _give_back(self, slot: Slot) -> None:
        if len(self._free) < _KEPT:
            self._free.append(slot)
        elif self.device.usable:
            with contextlib.suppress(CudaError):
                slot.settle()


class Batch:
    """Frames on their way through a runner, which makes it.

    Attributes:
        inputs: for each input region an array (frames, stride) of bytes, to be filled before :meth:`start`, and not
            again before :meth:`wait` or :meth:`result`.
        outputs: the region of outputs on the device, a frame every `stride` bytes.
        stream: the handle of the stream that computes them, for those who read the outputs there.
    """

    def __init__(self, program: Program, slot: Slot, give_back: Callable[[Slot], None]) -> None:
        self._program, self._slot = program, slot
        self._started = self._requested = False
        self.inputs: tuple[Bytes, ...] = tuple(slot.staging)
        self.outputs: Memory = slot.memory[program.output]
        self.stream = program.lanes.compute.value
        at_end(self, give_back, slot)

    @property
    def graphed(self) -> bool | None:
        """Whether its launches are replayed as a graph; None as long as these buffers have not run twice."""
        return self._slot.graphed

    def start(self) -> None:
        """Begins to copy the inputs in and to compute; does not wait."""
        self._started = self._requested = False
        with self._whole():
            self._slot.upload()
            self._slot.compute()
        self._started = True

    def request(self) -> None:
        """Begins to copy the outputs to the host; does not wait."""
        self._must_have_started()
        with self._whole():
            self._slot.download()
        self._requested = True

    def wait(self) -> None:
        """Waits until the outputs are there, on the device; CudaError if a kernel failed."""
        self._must_have_started()
        with self._program.device as device:
            device.driver.synchronize_event(self._slot.computed.value)

    def result(self) -> Bytes:
        """The outputs, (frames, stride) bytes; asked for if they were not, and waited for.

        The array is memory of this batch, and keeps it from being used for another.
        """
        if not self._requested:
            self.request()
        with self._program.device as device:
            device.driver.synchronize_event(self._slot.downloaded.value)
        return np.asarray(_View(self)).reshape(self._program.frames, -1)

    def read(self, offset: int, size: int) -> Bytes:
        """`size` bytes of every frame's outputs from `offset` on, as an array (frames, size) of its own; waits."""
        self._must_have_started()
        stride = self._program.strides[self._program.output]
        if not 0 <= offset <= offset + size <= stride:
            raise ValueError(f"there are no bytes {offset} to {offset + size}: a frame's outputs have {stride}")
        out = np.empty((self._program.frames, size), np.uint8)
        if out.size:
            with self._whole() as device:
                self._slot.read(out, offset)
                device.driver.synchronize(self._program.lanes.download.value)
        return out

    def measure(self) -> Times:
        """Runs the batch once, one stage after another, and says what each took; waits."""
        slot, lanes, device = self._slot, self._program.lanes, self._program.device
        marks = [device.event(timing=True) for _ in range(2)]
        took: list[float] = []
        self._started = self._requested = False
        with self._whole():
            for lane, stage in (
                (lanes.upload, slot.upload),
                (lanes.compute, slot.compute),
                (lanes.download, slot.download),
            ):
                lanes.wait(device)
                device.driver.record(marks[0].value, lane.value)
                stage()
                device.driver.record(marks[1].value, lane.value)
                device.driver.synchronize_event(marks[1].value)
                took.append(device.driver.elapsed(marks[0].value, marks[1].value))
        self._started = self._requested = True
        return Times(*took)

    def measure_launches(self) -> list[float]:
        """Runs the launches one by one on what was copied in last, and says what each took in milliseconds; waits.

        An event lies between each two, which costs each about a microsecond.
        """
        self._must_have_started()
        device = self._program.device
        marks = [device.event(timing=True) for _ in range(len(self._slot.packed) + 1)]
        self._requested = False
        with self._whole():
            self._slot.each(marks)
            device.driver.synchronize_event(marks[-1].value)
            return [device.driver.elapsed(a.value, b.value) for a, b in itertools.pairwise(marks)]

    def _must_have_started(self) -> None:
        if not self._started:
            raise ValueError("the batch was not started")

    @contextlib.contextmanager
    def _whole(self) -> Iterator[Device]:
        """After an error waits for what was begun, and takes the batch as not started."""
        device = self._program.device
        try:
            with device:
                yield device
        except BaseException:
            self._started = self._requested = False
            _settle(device, self._program.lanes)
            raise


class _View:
    """A batch's results on the host, as NumPy takes them: an array keeps this, and so the batch, alive."""

    def __init__(self, batch: Batch) -> None:
        assert batch._slot.host is not None
        self._batch, self.__array_interface__ = batch, batch._slot.host.__array_interface__


def _settle(device: Device, lanes: Lanes) -> None:
    """Waits for all that was begun, if that can still be done."""
    if device.usable:
        with contextlib.suppress(CudaError):
            lanes.wait(device)
