"""What the methods share: one native call for the network and the mask, and the scale of 0 to 1."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from math import isfinite

import numpy as np

from fastact.errors import InputError
from fastact.extractor import Extractor, Frame
from fastact.graph import Model, load
from fastact.kernels.ops import Floats
from fastact.maps import FeatureMaps
from fastact.recording import Further
from fastact.selection import select

RESULT = "saliency()"
"""The name of the result among the maps; the brackets keep it from being a layer's."""


class Saliency:
    """A mask over a picture: called with a frame, it gives float32 (rows, columns), 0 to 1.

    0 is the least strength of this frame, 1 its largest.

    Attributes:
        model: the network.
        maps: the feature maps of the latest frame that came with the mask.
        strength: what the mask of the latest frame was before it was brought to 0..1, float32 of the mask's shape.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        outputs: Iterable[str],
        further: Further,
        threads: int | None,
        device: str = "cpu",
    ) -> None:
        others = [outputs] if isinstance(outputs, str) else list(outputs)
        wanted = [*layers, *(n.name for n in select(model, others))] if others else list(layers)
        self.model = model
        self._extract = Extractor(
            model, wanted, threads=1 if threads is None else threads, further=further, device=device
        )
        self.maps = FeatureMaps({}, {})
        self.strength: Floats = np.zeros((0, 0), np.float32)

    @property
    def device(self) -> str:
        """What computes just now, "cpu" or "cuda"."""
        return self._extract.device

    def __call__(self, frame: Frame) -> Floats:
        """The mask of a frame, which is given as to `Extractor`; all 0 where the strength is the same everywhere.

        Raises:
            InputError: as from `Extractor`; or the result has NaN or infinity.
        """
        self.strength = self._strength(self._result(frame))
        return normalized(self.strength)

    def strength_of(self, frame: Frame) -> Floats:
        """`strength` of a frame, without a mask: for scales that hold for more than one.

        Raises:
            InputError: as from a call.
        """
        self.strength = self._strength(self._result(frame))
        _ends(self.strength)
        return self.strength

    def _result(self, frame: Frame) -> Floats:
        """What the plan gives for a frame; keeps the maps that come with it."""
        maps = self._extract(frame)
        self.maps = FeatureMaps({name: array for name, array in maps.items() if name != RESULT}, maps.missing)
        return maps[RESULT]

    def _strength(self, result: Floats) -> Floats:
        """The strength at each pixel, from what the plan gives."""
        return result


def opened(model: Model | str | os.PathLike[str]) -> Model:
    """A model as it is, or read from the file at a path."""
    return model if isinstance(model, Model) else load(model)


def normalized(strength: Floats) -> Floats:
    """Strengths, float32 of any shape, from their least (0) to their largest (1); zeros where all are the same.

    Raises InputError for strengths with NaN or infinity.
    """
    low, high = _ends(strength)
    if low == high:
        return np.zeros_like(strength)
    if 1e-30 < high - low < 1e38:
        mask = (strength - np.float32(low)) * np.float32(1 / (high - low))
    else:  # the factor, or a difference, would be infinite in float32
        mask = ((strength.astype(np.float64) - low) / (high - low)).astype(np.float32)
    return np.asarray(np.clip(mask, 0, 1, out=mask), np.float32)


def _ends(strength: Floats) -> tuple[float, float]:
    """The least and the largest; raises InputError where something is NaN or infinite."""
    low, high = float(strength.min()), float(strength.max())
    if not (isfinite(low) and isfinite(high)):
        raise InputError(
            "the network gives NaN or infinity for this frame, so that no mask comes of it: leave the frame out, or "
            "see with `fastact view --layers all` in which layer it begins"
        )
    return low, high
