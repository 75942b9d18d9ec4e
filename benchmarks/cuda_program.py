"""Launches on a GPU with memory of their own: filled, run, read, and timed by the device's own events."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fastact.kernels.cuda.device import Device
from fastact.kernels.cuda.launch import Launch
from fastact.kernels.cuda.packing import Resident, pack

Bytes = npt.NDArray[np.uint8]

Sample = Callable[[int], float]
"""Runs something so many times in a row and gives the milliseconds of all, as the device's events have them."""

_SAMPLE_MS = 3.0
"""What a sample takes at least: the resolution of events is half a microsecond."""
_MOST = 400
"""Runs of a sample at most."""


class Program:
    """Launches over regions of their own, each with room for all frames.

    Attributes:
        frames: of the batch.
        strides: bytes from a frame to the next in each region.
    """

    def __init__(
        self,
        device: Device,
        launches: Sequence[Launch],
        strides: Sequence[int],
        frames: int = 1,
        beside: Program | None = None,
    ) -> None:
        """Takes memory for all regions, or those of a program `beside` it, which must live as long."""
        self.device, self.frames, self.strides = device, frames, tuple(strides)
        self._owns = beside is None
        if beside is None:
            device.require(sum(strides) * frames, f"a batch of {frames} needs")
            self._memory = [device.allocate(stride * frames) for stride in strides]
        else:
            assert (beside.strides, beside.frames) == (self.strides, frames)
            self._memory = beside._memory
        resident = Resident(device)
        slabs = resident.add(launches)
        regions = {number: memory.address for number, memory in enumerate(self._memory)}
        functions = {launch.kernel: device.kernel(launch.kernel) for launch in launches}
        self._packed = [pack(one, functions[one.kernel], frames, regions, strides, resident) for one in launches]
        self._kept = slabs
        self._stream = device.stream()
        self._begin, self._end = device.event(timing=True), device.event(timing=True)
        self._graph: int | None = None

    def write(self, region: int, values: Bytes) -> None:
        """Fills a region from (frames, stride) bytes."""
        given = np.ascontiguousarray(values)
        assert given.nbytes == self.strides[region] * self.frames
        with self.device as device:
            address = self._memory[region].address
            device.driver.copy_in(address, given.ctypes.data, given.nbytes, self._stream.value)
            device.driver.synchronize(self._stream.value)

    def read(self, region: int) -> Bytes:
        """A region's (frames, stride) bytes."""
        found = np.empty((self.frames, self.strides[region]), np.uint8)
        with self.device as device:
            address = self._memory[region].address
            device.driver.copy_out(found.ctypes.data, address, found.nbytes, self._stream.value)
            device.driver.synchronize(self._stream.value)
        return found

    def run(self) -> None:
        """Launches everything once, and waits for it."""
        with self.device as device:
            self._launch()
            device.driver.synchronize(self._stream.value)

    def launches(self, count: int) -> float:
        """Milliseconds of `count` runs, launch by launch."""
        return self._timed(count, self._launch)

    def replays(self, count: int) -> float:
        """Milliseconds of `count` replays of all launches as a graph, which is recorded first."""
        with self.device as device:
            if self._graph is None:
                device.driver.begin_capture(self._stream.value)
                self._launch()
                recorded = device.driver.end_capture(self._stream.value)
                self._graph = device.driver.instantiate(recorded)
                device.driver.destroy_graph(recorded)
            graph = self._graph
        return self._timed(count, lambda: self.device.driver.launch_graph(graph, self._stream.value))

    def close(self) -> None:
        """Frees what it has on the device."""
        if self._graph is not None:
            with self.device as device:
                device.driver.destroy_executable(self._graph)
            self._graph = None
        for memory in self._memory if self._owns else ():
            memory.close()

    def _launch(self) -> None:
        driver, stream = self.device.driver, self._stream.value
        for one in self._packed:
            driver.launch(one.function, one.grid, one.threads, stream, one.pointers)

    def _timed(self, count: int, run: Callable[[], None]) -> float:
        with self.device as device:
            driver, stream = device.driver, self._stream.value
            driver.record(self._begin.value, stream)
            for _ in range(count):
                run()
            driver.record(self._end.value, stream)
            driver.synchronize(stream)
            return driver.elapsed(self._begin.value, self._end.value)


def medians(samples: Mapping[str, Sample], rounds: int) -> dict[str, float]:
    """Milliseconds of one run of each: the median of its samples, which are taken in turns."""
    counts = {}
    for name, sample in samples.items():
        sample(2)  # what happens only once
        took = sample(3) / 3
        counts[name] = min(_MOST, max(1, math.ceil(_SAMPLE_MS / max(took, 1e-6))))
    taken: dict[str, list[float]] = {name: [] for name in samples}
    for _ in range(rounds):
        for name, sample in samples.items():
            taken[name].append(sample(counts[name]) / counts[name])
    return {name: statistics.median(times) for name, times in taken.items()}
