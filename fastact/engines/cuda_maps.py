"""Maps in the memory of a GPU, which come to the CPU's when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from fastact.engines import dlpack
from fastact.errors import InputError
from fastact.kernels.cuda.runner import Batch
from fastact.kernels.ops import Floats
from fastact.kernels.records import dataclass
from fastact.layout import Output
from fastact.maps import FeatureMaps


@dataclass(frozen=True)
class CudaArray:
    """Float32 in the memory of a GPU, computed and ready to be read there; it lives as long as this object.

    Taken without a copy by what knows CUDA's array interface (Numba, CuPy, PyTorch's `as_tensor`) or DLPack
    (`from_dlpack` of PyTorch, CuPy, JAX). What a stream gave is overwritten by its later frames, as on the CPU.

    Attributes:
        shape: without the batch axis; with it for a batch.
        strides: bytes.
        address: of the first value.
        device: the GPU's number, counted as CUDA_VISIBLE_DEVICES leaves it.
        owner: keeps the memory.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    address: int
    device: int
    owner: object

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3. No stream is named, since nothing has to be waited for."""
        return {
            "version": 3, "shape": self.shape, "typestr": "<f4", "data": (self.address, False),
            "strides": self.strides, "stream": None,
        }  # fmt: skip

    def __dlpack_device__(self) -> tuple[int, int]:
        """CUDA, and the GPU's number."""
        return dlpack.CUDA, self.device

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: object = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """A capsule of the values as they lie; `stream` needs not wait for anything.

        Raises BufferError where a copy or another device is asked for.
        """
        if copy or dl_device not in (None, self.__dlpack_device__()):
            raise BufferError("maps on a GPU are handed on as they lie: without a copy, and to no other device")
        return dlpack.capsule(self.owner, self.address, self.shape, self.strides, self.__dlpack_device__())


class CudaMaps(FeatureMaps):
    """Maps that lie in a batch's region of outputs on the GPU. What is asked for is copied, once.

    Attributes:
        batch: which computes them.

    The first map is copied alone. Whoever asks for a second will want the rest, which then comes in one copy, and from
    the next frame on comes so at once.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        batch: Batch,
        frames: int | None,
        alone: Callable[[], AbstractContextManager[object]],
        stride: int,
        device: int,
        missing: Mapping[str, str],
    ) -> None:
        """`frames` is None for one frame without an axis of frames, which lie `stride` bytes apart; the batch is
        asked within `alone`.
        """
        super().__init__({}, missing)
        self._outputs = {output.name: output for output in outputs}
        self.batch, self._frames, self._alone = batch, frames, alone
        self._stride, self._device = stride, device
        self._whole = False

    def __getitem__(self, name: str) -> Floats:
        if name in self._outputs and name not in self._arrays:
            self._arrays[name] = self._fetched(self._outputs[name])
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return name in (self._outputs or self._arrays)

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs or self._arrays)

    def __len__(self) -> int:
        return len(self._outputs or self._arrays)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return {name: self._shape(o) for name, o in self._outputs.items()} or super().shapes

    def on_device(self, name: str) -> CudaArray:  # noqa: D102
        if not self._outputs:
            raise InputError(f"the maps of {name!r} lie in the CPU's memory, since the GPU failed and is not used")
        if name not in self._outputs:
            self[name]  # says what is wrong
        output, memory = self._outputs[name], self.batch.outputs
        shape = self._shape(output)
        steps = (4 * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        strides = tuple(steps) if self._frames is None else (self._stride, *list(steps)[1:])
        return CudaArray(shape, strides, memory.address + output.offset, self._device, self.batch)

    def renew(self) -> bool:
        """Forgets what was fetched: other values are about to come. True if all will be asked for, by what was."""
        self._whole = len(self._arrays) > 1
        self._arrays.clear()
        return self._whole

    def adopt(self, maps: FeatureMaps) -> None:
        """Has from now on what `maps` of the CPU have."""
        self._outputs = {}
        self._arrays = dict(maps)

    def _fetched(self, output: Output) -> Floats:
        size = 4 * math.prod(output.shape)
        with self._alone():
            if self._whole or self._arrays:
                rows = self.batch.result()[:, output.offset : output.offset + size]
            else:
                rows = self.batch.read(output.offset, size)
        values = rows.view(np.float32).reshape(-1, *output.shape)
        return values[0] if self._frames is None else values[: self._frames]

    def _shape(self, output: Output) -> tuple[int, ...]:
        return output.shape if self._frames is None else (self._frames, *output.shape)
