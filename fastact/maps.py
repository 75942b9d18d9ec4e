"""Feature maps: what comes out for a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fastact.errors import InputError
from fastact.kernels.ops import Floats

if TYPE_CHECKING:
    from PIL import Image

    from fastact.views import Style


class DeviceArray(Protocol):
    """An array in the memory of a GPU, as CUDA's array interface and DLPack describe it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch axis; with it for a batch."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes."""

    @property
    def address(self) -> int:
        """Of the first value."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: object = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


class FeatureMaps(Mapping[str, Floats]):
    """The maps of one frame by layer name, each (H, W, C) float32, channels last, as Keras gives it without batch axis.

    Attributes:
        missing: layers that were asked for and cannot be computed, each with the reason.
        home: for the extractor that gave them: what computes into them, and where.
    """

    def __init__(
        self, arrays: Mapping[str, Floats], missing: Mapping[str, str], home: tuple[object, Any] | None = None
    ) -> None:
        self._arrays = dict(arrays)
        self.missing = dict(missing)
        self.home = home

    def __getitem__(self, name: str) -> Floats:
        try:
            return self._arrays[name]
        except KeyError:
            if name in self.missing:
                raise KeyError(f"{name!r} is not computed: {self.missing[name]}") from None
            raise KeyError(f"there is no map {name!r}; there are {', '.join(self)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        lines = [f"    {name!r}: {'x'.join(map(str, shape))}" for name, shape in self.shapes.items()]
        lines += [f"    {name!r}: not computed: {why}" for name, why in self.missing.items()]
        return "\n".join([f"FeatureMaps of {len(self)} layers:", *lines])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The maps' shapes by name, for which nothing is copied from a GPU."""
        return {name: array.shape for name, array in self._arrays.items()}

    def on_device(self, name: str) -> DeviceArray:
        """A layer's maps where they lie in the memory of a GPU, for other libraries to take without a copy.

        Raises:
            KeyError: there is no map of that name.
            InputError: the maps are the CPU's.
        """
        if name not in self:
            self[name]  # says what is wrong
        raise InputError(
            f"the maps of {name!r} lie in the CPU's memory: give the Extractor device='cuda', and fewer frames at once "
            "where the GPU cannot hold the maps of all"
        )

    def mosaic(self, name: str, style: Style | None = None) -> Image.Image:
        """One picture of all filters of a layer; see :func:`fastact.views.mosaic`.

        Raises:
            KeyError: there is no map of that name.
            InputError: an unknown colour map, or a map without values.
        """
        from fastact.views import mosaic  # Pillow is loaded only where something is drawn

        return mosaic(self[name], name=name, style=style)

    def _repr_html_(self) -> str:
        """What a notebook shows: a line a layer, with its first filters."""
        from fastact.views.notebook import table

        return table(self, self.missing)

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle and the copy module take: the maps, and nothing of what computed them."""
        return FeatureMaps, (dict(self), self.missing)

    def copy(self) -> FeatureMaps:
        """The same maps in memory of their own: what `stream` gives is overwritten by its next frame."""
        return FeatureMaps({name: np.array(a) for name, a in self.items()}, self.missing)
