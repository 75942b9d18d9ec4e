"""The buffers of one batch at a time, and what is begun on streams to fill and to read them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .device import Device, Handle
from .errors import CallError, CudaError
from .launch import Launch
from .packing import Packed, Resident, pack
from .symbols import Copy2D

Bytes = npt.NDArray[np.uint8]

_NO_GRAPHS = frozenset({801, 900})
"""Codes of a driver that cannot record launches: not supported, capture not supported."""


@dataclass(frozen=True)
class Lanes:
    """The streams to copy in, to compute and to copy out on; they may be the same."""

    upload: Handle
    compute: Handle
    download: Handle

    @staticmethod
    def one(device: Device) -> Lanes:
        """One stream for all: the least delay for a single batch."""
        stream = device.stream()
        return Lanes(stream, stream, stream)

    @staticmethod
    def overlapping(device: Device) -> Lanes:
        """A stream for each: the most batches a second."""
        return Lanes(device.stream(), device.stream(), device.stream())

    def wait(self, device: Device) -> None:
        """Waits until all is done that was begun on them."""
        with device:
            for stream in {lane.value: lane for lane in (self.upload, self.compute, self.download)}:
                device.driver.synchronize(stream)


@dataclass(frozen=True)
class Program:
    """What all batches of a runner share.

    Attributes:
        functions: the kernels' handles.
        strides: of each region the bytes of one frame.
        inputs: the regions that are copied in.
        output: the region that is copied out.
        dropped: the addresses of the other regions.
    """

    device: Device
    lanes: Lanes
    launches: Sequence[Launch]
    functions: Mapping[str, int]
    strides: Sequence[int]
    frames: int
    inputs: Sequence[int]
    output: int
    dropped: Mapping[int, int]
    resident: Resident


class Slot:
    """Buffers, and the launches over them. `refill` and `settle` apart, methods need the device's context current.

    What is begun waits on the device for what has to be done before: nothing is overwritten that is still read.

    Attributes:
        staging: for each input an array (frames, stride), pinned.
        memory: inputs and outputs on the device, by region.
        host: results on the host, once they were asked for.
        graphed: whether the launches are replayed as a graph; None before they were recorded.
        uploaded, computed, downloaded: events.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        device, strides, frames = program.device, program.strides, program.frames
        regions = [*program.inputs, program.output]
        self.memory = {r: device.allocate(strides[r] * frames) for r in regions}
        self.staging = [device.pinned(strides[r] * frames).array.reshape(frames, strides[r]) for r in program.inputs]
        self.host: Bytes | None = None
        self.uploaded, self.computed, self.downloaded = device.event(), device.event(), device.event()
        addresses = {**program.dropped, **{r: memory.address for r, memory in self.memory.items()}}
        self.packed = [
            pack(launch, program.functions[launch.kernel], frames, addresses, strides, program.resident)
            for launch in program.launches
        ]
        self._graph: Handle | None = None
        self._ran = False
        self.graphed: bool | None = None

    def upload(self) -> None:
        """Begins to copy the inputs to the device."""
        program, driver, lane = self._program, self._program.device.driver, self._program.lanes.upload
        self._follow(lane, self.computed, program.lanes.compute)  # which may still read what was there
        for region, staged in zip(program.inputs, self.staging, strict=True):
            if staged.nbytes:
                driver.copy_in(self.memory[region].address, staged.ctypes.data, staged.nbytes, lane.value)
        driver.record(self.uploaded.value, lane.value)

    def compute(self) -> None:
        """Begins the launches: one by one the first time, which loads them, and as a graph from then on."""
        driver, lanes = self._program.device.driver, self._program.lanes
        if self._ran and self.graphed is None:
            self._graph = self._recorded()
            self.graphed = self._graph is not None
        self._follow(lanes.compute, self.uploaded, lanes.upload)
        self._follow(lanes.compute, self.downloaded, lanes.download)  # which may still copy what was there
        if self._graph is not None:
            driver.launch_graph(self._graph.value, lanes.compute.value)
        else:
            for packed in self.packed:
                self._launch(packed)
        driver.record(self.computed.value, lanes.compute.value)
        self._ran = True

    def download(self) -> None:
        """Begins to copy the outputs to the host."""
        program, driver, lanes = self._program, self._program.device.driver, self._program.lanes
        outputs = self.memory[program.output]
        if self.host is None:
            self.host = program.device.readable(outputs.size)
        self._follow(lanes.download, self.computed, lanes.compute)
        if outputs.size:
            driver.copy_out(self.host.ctypes.data, outputs.address, outputs.size, lanes.download.value)
        driver.record(self.downloaded.value, lanes.download.value)

    def read(self, out: Bytes, offset: int) -> None:
        """Begins to copy part of every frame's outputs to `out`, an array (frames, bytes)."""
        program, lanes = self._program, self._program.lanes
        self._follow(lanes.download, self.computed, lanes.compute)
        copy = Copy2D(
            source_type=Copy2D.DEVICE,
            source_device=self.memory[program.output].address + offset,
            source_pitch=program.strides[program.output],
            target_type=Copy2D.HOST,
            target_host=out.ctypes.data,
            target_pitch=out.shape[1],
            width=out.shape[1],
            height=out.shape[0],
        )
        program.device.driver.copy_rows(copy, lanes.download.value)

    def each(self, marks: Sequence[Handle]) -> None:
        """Begins the launches one by one, with an event before, between and after them."""
        driver, stream = self._program.device.driver, self._program.lanes.compute.value
        driver.record(marks[0].value, stream)
        for packed, mark in zip(self.packed, marks[1:], strict=True):
            self._launch(packed)
            driver.record(mark.value, stream)
        driver.record(self.computed.value, stream)

    def refill(self) -> None:
        """Waits until `staging` can be filled anew; what else is still to be done with the buffers comes first."""
        with self._program.device as device:
            device.driver.synchronize_event(self.uploaded.value)

    def settle(self) -> None:
        """Waits until nothing is done with the buffers any more."""
        with self._program.device as device:
            for event in (self.uploaded, self.computed, self.downloaded):
                device.driver.synchronize_event(event.value)

    def _follow(self, lane: Handle, event: Handle, origin: Handle) -> None:
        """What is begun on `lane` from now on waits for `event`, which happens on `origin`."""
        if lane.value != origin.value:
            self._program.device.driver.wait(lane.value, event.value)

    def _launch(self, packed: Packed) -> None:
        stream = self._program.lanes.compute.value
        self._program.device.driver.launch(packed.function, packed.grid, packed.threads, stream, packed.pointers)

    def _recorded(self) -> Handle | None:
        """The launches as a graph, or None where the driver cannot."""
        device, stream = self._program.device, self._program.lanes.compute.value
        driver = device.driver
        try:
            driver.begin_capture(stream)
            try:
                for packed in self.packed:
                    self._launch(packed)
            except BaseException:
                with contextlib.suppress(CudaError):  # it ends the capture, even where it says that it is void
                    driver.destroy_graph(driver.end_capture(stream))
                raise
            graph = driver.end_capture(stream)
            try:
                return Handle(device, driver.instantiate(graph), driver.destroy_executable)
            finally:
                driver.destroy_graph(graph)
        except CallError as error:
            if error.code in _NO_GRAPHS:
                return None
            raise
