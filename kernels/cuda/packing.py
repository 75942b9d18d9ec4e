"""Arguments as the driver takes them, and the arrays among them on the device."""

from __future__ import annotations

import contextlib
import ctypes
import struct
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


class Resident:
    """Arrays on a device, each copied there once: an array that many launches have is there once.

    An array must not change afterwards. It is known again by being the same object, which is kept for that.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._arrays: dict[int, tuple[npt.NDArray[Any], int]] = {}
        self._memory: list[Memory] = []

    @property
    def size(self) -> int:
        """Bytes on the device."""
        return sum(memory.size for memory in self._memory)

    def missing(self, launches: Iterable[Launch]) -> int:
        """Bytes that :meth:`add` would copy."""
        return sum(aligned(a.nbytes) for a in self._new(launches))

    def add(self, launches: Iterable[Launch]) -> None:
        """Copies the launches' arrays to the device, those that are not there yet; all or none."""
        new = self._new(launches)
        if not new:
            return
        memory = self._device.allocate(sum(aligned(array.nbytes) for array in new))
        stream, address, places = self._device.stream(), memory.address, {}
        for array in new:
            places[id(array)] = array, address
            address += aligned(array.nbytes)
        with self._device as device:
            try:
                for array, place in places.values():
                    if array.nbytes:
                        device.driver.copy_in(place, array.ctypes.data, array.nbytes, stream.value)
                device.driver.synchronize(stream.value)
            except CudaError:
                with contextlib.suppress(CudaError):  # memory is not freed before nothing is copied to it
                    device.driver.synchronize(stream.value)
                raise
        self._memory.append(memory)
        self._arrays |= places

    def address(self, array: npt.NDArray[Any]) -> int:
        """Where an array that was added lies."""
        return self._arrays[id(array)][1]

    def _new(self, launches: Iterable[Launch]) -> list[npt.NDArray[Any]]:
        arrays = {id(a): a for launch in launches for a in launch.arguments if isinstance(a, np.ndarray)}
        return [array for key, array in arrays.items() if key not in self._arrays]


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
