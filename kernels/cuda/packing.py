"""Arguments as the driver takes them, and the arrays among them on the device."""

from __future__ import annotations

import contextlib
import ctypes
import struct
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..places import Place
from .catalog import KERNELS
from .device import Device, Memory
from .errors import CudaError
from .launch import Argument, Count, Launch, Stride

_ALIGNED = 256
_SLOT = 8
_DTYPES = {"F": np.dtype(np.float32), "B": np.dtype(np.uint8), "I": np.dtype(np.int32)}


def aligned(size: int) -> int:
    """`size` rounded up to where the next thing may begin in device memory."""
    return -(-size // _ALIGNED) * _ALIGNED


class Slab:
    """Arrays that were copied to a device together: they are there as long as this object lives."""

    def __init__(self, memory: Memory, arrays: Sequence[npt.NDArray[Any]]) -> None:
        self.memory = memory
        self.places: dict[tuple[int, int], tuple[npt.NDArray[Any], int]] = {}
        address = memory.address
        for array in arrays:
            self.places[_place(array)] = array, address
            address += aligned(array.nbytes)


class Resident:
    """Arrays on a device, each copied there once: an array that many launches have is there once.

    An array must not change afterwards. It is known again, and so are views of it, by its place in this process's
    memory, which is kept for that. Those that have the arrays used keep their slabs.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._slabs: weakref.WeakSet[Slab] = weakref.WeakSet()

    @property
    def size(self) -> int:
        """Bytes on the device."""
        return sum(slab.memory.size for slab in self._slabs)

    def missing(self, launches: Iterable[Launch]) -> int:
        """Bytes that :meth:`add` would copy."""
        return sum(aligned(array.nbytes) for array in self._split(launches)[0])

    def add(self, launches: Iterable[Launch]) -> tuple[Slab, ...]:
        """Copies the launches' arrays to the device, those that are not there yet; all or none.

        Gives what has to be kept for as long as the launches may run.
        """
        new, slabs = self._split(launches)
        if not new:
            return slabs
        slab = Slab(self._device.allocate(sum(aligned(array.nbytes) for array in new)), new)
        stream = self._device.stream()
        with self._device as device:
            try:
                for array, address in slab.places.values():
                    if array.nbytes:
                        device.driver.copy_in(address, array.ctypes.data, array.nbytes, stream.value)
                device.driver.synchronize(stream.value)
            except CudaError:
                with contextlib.suppress(CudaError):  # memory is not freed before nothing is copied to it
                    device.driver.synchronize(stream.value)
                raise
        self._slabs.add(slab)
        return (*slabs, slab)

    def address(self, array: npt.NDArray[Any]) -> int:
        """Where an array that was added, and whose slab is kept, lies."""
        slab = self._slab(array)
        assert slab is not None
        return slab.places[_place(array)][1]

    def _slab(self, array: npt.NDArray[Any]) -> Slab | None:
        return next((slab for slab in self._slabs if _place(array) in slab.places), None)

    def _split(self, launches: Iterable[Launch]) -> tuple[list[npt.NDArray[Any]], tuple[Slab, ...]]:
        """The launches' arrays that are not there, and the slabs of those that are."""
        arrays = {_place(a): a for launch in launches for a in launch.arguments if isinstance(a, np.ndarray)}
        found = {key: self._slab(array) for key, array in arrays.items()}
        new = [array for key, array in arrays.items() if found[key] is None]
        return new, tuple({id(slab): slab for slab in found.values() if slab is not None}.values())


def _place(array: npt.NDArray[Any]) -> tuple[int, int]:
    return array.ctypes.data, array.nbytes


@dataclass(frozen=True)
class Packed:
    """A launch as the driver takes it: `pointers` to its arguments, which lie in `values`."""

    function: int
    grid: tuple[int, int, int]
    threads: int
    pointers: Any
    values: Any


def pack(
    launch: Launch, function: int, frames: int, regions: Mapping[int, int], strides: Sequence[int], resident: Resident
) -> Packed:
    """A launch over `frames` frames, whose regions begin at the addresses `regions`."""
    kernel = KERNELS[launch.kernel]
    taken = list(zip(kernel.parameters, launch.arguments, strict=True))
    values = (ctypes.c_ubyte * (_SLOT * max(len(taken), 1)))()
    for i, (letter, argument) in enumerate(taken):
        _put(values, i * _SLOT, letter, given(argument, frames), regions, strides, resident)
    first = ctypes.addressof(values)
    pointers = (ctypes.c_void_p * max(len(taken), 1))(*(first + i * _SLOT for i in range(len(taken))))
    return Packed(function, launch.grid(frames), kernel.threads, pointers, values)


def given(argument: Argument, frames: int) -> Argument:
    """An argument for a batch of `frames`."""
    return argument.each * frames if isinstance(argument, Count) else argument


def _put(
    values: Any,
    offset: int,
    letter: str,
    argument: Argument,
    regions: Mapping[int, int],
    strides: Sequence[int],
    resident: Resident,
) -> None:
    """Writes one argument, in the form that its letter asks for; TypeError where it cannot have it."""
    if letter in _DTYPES and isinstance(argument, Place):
        struct.pack_into("<Q", values, offset, regions[argument.region] + argument.offset)
    elif letter in _DTYPES and isinstance(argument, np.ndarray):
        if argument.dtype != _DTYPES[letter] or not argument.flags.c_contiguous:
            raise TypeError(f"an array of {argument.dtype} where {_DTYPES[letter]} in order is taken")
        struct.pack_into("<Q", values, offset, resident.address(argument))
    elif letter == "l" and isinstance(argument, Stride):
        items, rest = divmod(strides[argument.region], argument.item)
        if rest:
            raise TypeError(f"region {argument.region}'s stride is no multiple of {argument.item} bytes")
        struct.pack_into("<Q", values, offset, items)
    elif letter == "i" and isinstance(argument, np.int32):
        struct.pack_into("<i", values, offset, int(argument))
    elif letter in ("u", "l") and type(argument) is int:
        struct.pack_into("<I" if letter == "u" else "<Q", values, offset, argument)
    elif letter == "f" and isinstance(argument, (float, np.floating)):
        struct.pack_into("<f", values, offset, float(argument))
    else:
        raise TypeError(f"{argument!r} cannot be passed as {letter!r}")
