"""A GPU in this process: what it has, its context, and memory on it.

A context takes hundreds of megabytes and a fraction of a second: it is opened when it is first needed, and is CUDA's
primary one, which other libraries in the process share. What belongs to it frees itself. At the interpreter's exit
nothing is freed, since the driver does that by itself. A context does not survive a fork: in a forked child the
parent's device gives an error, and what it owned is left alone. Nor does it survive a fault of a kernel: what comes
later gives that same error.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from . import search
from .boards import Board
from .driver import Driver, open_driver, show
from .errors import OUT_OF_MEMORY, CallError, CudaError, OutOfMemoryError, UnavailableError
from .modules import Modules, Resources

_ATTRIBUTES = {
    "shared_per_block": 8,
    "registers_per_block": 12,
    "clock_khz": 13,
    "multiprocessors": 16,
    "integrated": 18,
    "memory_clock_khz": 36,
    "bus_bits": 37,
    "threads_per_multiprocessor": 39,
    "capability_major": 75,
    "capability_minor": 76,
    "shared_per_multiprocessor": 81,
    "registers_per_multiprocessor": 82,
}
"""Numbers of CU_DEVICE_ATTRIBUTE's."""

COHERENT = (7, 2)
"""From this capability on, the CPU caches pinned memory on an integrated GPU, too."""


@dataclass(frozen=True)
class Card:
    """What the driver says of a GPU, which needs no context.

    Attributes:
        ordinal: its number, counted as CUDA_VISIBLE_DEVICES leaves it.
        capability: its compute capability.
        driver: the CUDA version its driver is for.
        memory: all its memory in bytes; of an integrated GPU, which has none of its own, the machine's.
        integrated: it shares its memory with the CPU, as on a Jetson.
        shared_per_block, shared_per_multiprocessor: bytes of shared memory.
        registers_per_block, registers_per_multiprocessor: 32-bit registers.
        clock: cycles a second at most.
        bandwidth: bytes a second from and to its memory at most; 0 where the driver does not say.
    """

    ordinal: int
    name: str
    capability: tuple[int, int]
    driver: tuple[int, int]
    memory: int
    multiprocessors: int
    integrated: bool
    shared_per_block: int
    shared_per_multiprocessor: int
    registers_per_block: int
    registers_per_multiprocessor: int
    threads_per_multiprocessor: int
    clock: float
    bandwidth: float

    @property
    def board(self) -> Board:
        """What encoders need to know of it."""
        return Board(self.name, self.capability, self.multiprocessors)

    @property
    def refusal(self) -> str | None:
        """Why fastact cannot use it, or None."""
        if search.target(self.capability) is not None:
            return None
        return (
            f"GPU {self.ordinal} ({self.name}) has compute capability {show(self.capability)}, and fastact needs "
            f"{show(search.LEAST)} or later: compute on the CPU"
        )


def cards(driver: Driver) -> list[Card]:
    """All GPUs that the driver finds, those that fastact cannot use among them."""
    return [_card(driver, ordinal) for ordinal in range(driver.devices())]


def _card(driver: Driver, ordinal: int) -> Card:
    handle = driver.device(ordinal)
    has = {name: driver.device_attribute(number, handle) for name, number in _ATTRIBUTES.items()}
    return Card(
        ordinal=ordinal,
        name=driver.device_name(handle),
        capability=(has["capability_major"], has["capability_minor"]),
        driver=driver.version,
        memory=driver.device_memory(handle),
        multiprocessors=has["multiprocessors"],
        integrated=bool(has["integrated"]),
        shared_per_block=has["shared_per_block"],
        shared_per_multiprocessor=has["shared_per_multiprocessor"],
        registers_per_block=has["registers_per_block"],
        registers_per_multiprocessor=has["registers_per_multiprocessor"],
        threads_per_multiprocessor=has["threads_per_multiprocessor"],
        clock=has["clock_khz"] * 1e3,
        bandwidth=2 * has["memory_clock_khz"] * 1e3 * has["bus_bits"] / 8,  # at both edges of the memory's clock
    )


@functools.cache
def open_device(ordinal: int | None = None) -> Device:
    """GPU number `ordinal`, or the first that fastact can use: always the same object. Its context is not opened yet.

    Raises:
        UnavailableError: there is no driver, it is too old, there is no such GPU, or it is too old.
    """
    return choose(open_driver(), ordinal)


def choose(driver: Driver, ordinal: int | None = None) -> Device:
    """The GPU that :func:`open_device` gives, of this driver's."""
    found = cards(driver)
    if not found:
        raise UnavailableError("the NVIDIA driver finds no GPU (CUDA_VISIBLE_DEVICES may hide it): compute on the CPU")
    if ordinal is not None and not 0 <= ordinal < len(found):
        raise UnavailableError(f"there is no GPU {ordinal}: the driver finds {len(found)}, counted from 0")
    refusal = None
    for card in found if ordinal is None else [found[ordinal]]:
        if card.refusal is None:
            return Device(driver, card)
        refusal = refusal or card.refusal
    raise UnavailableError(refusal or "")


class Device:
    """A GPU that kernels run on.

        with device: ...        # its context is this thread's current one

    Safe to use from several threads.

    Attributes:
        driver: the functions to call with its context current.
        card: what it has.
    """

    def __init__(self, driver: Driver, card: Card, archive: Path | None = None) -> None:
        """`archive` holds the kernels as PTX; None: the one that :mod:`.search` finds or makes."""
        self.driver, self.card = driver, card
        self._archive = archive
        self._process, self._lock = os.getpid(), threading.RLock()
        self._context = 0
        self._lost: CallError | None = None
        self._modules: Modules | None = None

    @property
    def name(self) -> str:
        """What it is sold as."""
        return self.card.name

    @property
    def board(self) -> Board:
        """What encoders need to know of it."""
        return self.card.board

    @property
    def usable(self) -> bool:
        """Whether it can still be used: no kernel has failed, and this process is no fork of the one that opened it."""
        return self._lost is None and self._process == os.getpid()

    def __enter__(self) -> Device:
        if self._process != os.getpid():
            raise CudaError(
                f"{self.name} was opened before this process was forked, and cannot be used here: start processes with "
                "the method 'spawn' of multiprocessing, or use the GPU first in the child"
            )
        if self._lost is not None:
            raise self._lost.again()
        if not self._context:
            self._open()
        self.driver.push(self._context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, CallError) and error.sticky:
            self._lost = self._lost or error.again()
        with contextlib.suppress(CudaError):  # what went wrong before is what counts
            self.driver.pop()

    def _open(self) -> None:
        with self._lock:
            if self._context:
                return
            handle = self.driver.device(self.card.ordinal)
            try:
                self._context = self.driver.retain(handle)
            except CallError as error:
                if error.code != OUT_OF_MEMORY:
                    raise
                raise OutOfMemoryError(
                    f"{self.name} has too little free memory to be used at all: end other programs that use it"
                ) from error
            at_end(self, _release, self.driver, handle, self._process)

    def free_memory(self) -> int:
        """Bytes that can still be had.

        Of an integrated GPU the driver counts what is free, and not what Linux would give up of its caches.
        """
        with self:
            free, _ = self.driver.memory()
        return max(free, _available()) if self.card.integrated else free

    def require(self, size: int, what: str) -> None:
        """Raises OutOfMemoryError if `size` bytes, which `what` needs, cannot be had."""
        free = self.free_memory()
        if size > free:
            raise OutOfMemoryError(
                f"{what} needs {_amount(size)} on {self.name}, and {_amount(free)} of its "
                f"{_amount(self.card.memory)} are free: choose fewer layers, a smaller input or fewer frames at once"
            )

    def allocate(self, size: int) -> Memory:
        """Memory on the device, at a multiple of 256 bytes; what is in it is undefined."""
        with self, self._in_words(size, "the GPU"):
            return Memory(self, self.driver.allocate(max(size, 1)), size, self.driver.free)

    def pinned(self, size: int) -> HostMemory:
        """Memory of the host that is never paged out: it is copied from and to without waiting."""
        with self, self._in_words(size, "the machine"):
            return HostMemory(self, self.driver.allocate_pinned(max(size, 1)), size, self.driver.free_pinned)

    def readable(self, size: int) -> npt.NDArray[np.uint8]:
        """Bytes of the host for results: pinned, except where the CPU would not cache them.

        That is on an integrated GPU before 7.2, such as a Jetson Nano's: reading uncached memory value by value would
        cost far more than the detour that the driver takes to fill memory that is not pinned.
        """
        if self.card.integrated and self.card.capability < COHERENT:
            return np.empty(size, np.uint8)
        return self.pinned(size).array

    def stream(self) -> Handle:
        """A new stream."""
        with self:
            return Handle(self, self.driver.create_stream(), self.driver.destroy_stream)

    def event(self, *, timing: bool = False) -> Handle:
        """A new event."""
        with self:
            return Handle(self, self.driver.create_event(timing=timing), self.driver.destroy_event)

    def kernel(self, name: str) -> int:
        """The handle of a kernel, which is loaded if it was not yet: the driver compiles it, and keeps what it made.

        Raises:
            BuildError: there is no PTX for this GPU, and it cannot be made.
            CudaError: the driver does not take it.
        """
        with self, self._lock:
            return self._kernels().function(name)

    def resources(self, name: str) -> Resources:
        """What the driver's compiler gave a kernel, which is loaded as by :meth:`kernel`."""
        with self, self._lock:
            return self._kernels().resources(name)

    def _kernels(self) -> Modules:
        if self._modules is None:
            self._modules = Modules(self.driver, self._archive or search.find(self.card.capability))
        return self._modules

    @contextlib.contextmanager
    def _in_words(self, size: int, where: str) -> Any:
        try:
            yield
        except CallError as error:
            if error.code != OUT_OF_MEMORY:
                raise
            raise OutOfMemoryError(
                f"{where} has no {_amount(size)} of memory left for {self.name}: choose fewer layers, a smaller input "
                "or fewer frames at once"
            ) from error


class Handle:
    """Something of a device's that is freed with this object, or by :meth:`close`.

    Attributes:
        value: the driver's handle or address.
    """

    def __init__(self, device: Device, value: int, free: Callable[[int], None]) -> None:
        self.value = value
        self._free = at_end(self, _dispose, device, free, value)

    def close(self) -> None:
        """Frees it, if it was not."""
        self._free()


class Memory(Handle):
    """Memory on a device: `size` bytes at `address`."""

    def __init__(self, device: Device, address: int, size: int, free: Callable[[int], None]) -> None:
        super().__init__(device, address, free)
        self.address, self.size = address, size


class HostMemory(Memory):
    """Pinned memory of the host."""

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "typestr": "|u1", "shape": (self.size,), "data": (self.address, False)}

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """All bytes; the memory lives as long as an array that shares it."""
        return np.asarray(self)


def at_end(owner: object, function: Callable[..., None], *arguments: Any) -> Callable[[], object]:
    """Calls a function when `owner` dies, but not at the interpreter's exit."""
    end = weakref.finalize(owner, function, *arguments)
    end.atexit = False
    return end


def _dispose(device: Device, free: Callable[[int], None], value: int) -> None:
    if device.usable:
        with contextlib.suppress(CudaError), device:
            free(value)


def _release(driver: Driver, handle: int, process: int) -> None:
    if process == os.getpid():
        with contextlib.suppress(CudaError):
            driver.release(handle)


def _available() -> int:
    """Bytes that Linux could give to a process, its caches included; 0 where it does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _amount(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
