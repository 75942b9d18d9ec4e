"""A model in a car: a camera's picture in, maps and a command out."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastact.donkey.settings import Settings
from fastact.donkey.transformations import Pixels, Transformations
from fastact.errors import InputError, UnsupportedError
from fastact.extractor import Extractor
from fastact.frames import fit
from fastact.graph import Model, load
from fastact.maps import FeatureMaps
from fastact.pilots import THROTTLE_RANGE, Command, Decoder, Feeding, decoder
from fastact.saliency import VisualBackProp
from fastact.selection import select


@dataclass(frozen=True)
class Seen:
    """What came of one frame.

    Attributes:
        picture: the frame as the network got it, uint8 (H, W, 3 or 1).
        saliency: where VisualBackProp finds the picture to matter, float32 (H, W), 0 to 1; None for another style.
        maps: of the shown layers and of the outputs that steer.
        command: what the network wants the car to do; None where it is no pilot, NaN where its outputs are not finite.
        seconds: that computing took, the preparation of the frame included.
    """

    picture: Pixels
    maps: FeatureMaps
    command: Command | None
    seconds: float
    saliency: npt.NDArray[np.float32] | None = None


class Engine:
    """A model that is read, planned and ready.

    Args:
        settings: model, layers, threads and the like.
        values: the car's configuration, which has its transformations.
        shows: whether maps are wanted.
        steers: whether a command is wanted, so that a model that gives none is an error.

    Attributes:
        layers: the names of the layers to show.
        name: of the model, for captions.

    Raises:
        FastactError: the model cannot be read or computed, or does not take pictures, or is no pilot where it
            has to be one; a setting does not fit it.
    """

    def __init__(self, settings: Settings, values: Mapping[str, object], *, shows: bool, steers: bool) -> None:
        if not settings.model:
            raise InputError("there is no model to show: set FASTACT_MODEL to the path of its file in myconfig.py")
        model = load(settings.model)
        self.name = settings.model.replace("\\", "/").rstrip("/").rpartition("/")[2]
        self._compute: Extractor | _Saliency
        self._transform = Transformations(values) if settings.transform else None
        self._feed = Feeding(model)
        self._decode = _decoder_for(settings, model, steers)
        wanted = list(settings.layers) if isinstance(settings.layers, tuple) else settings.layers
        outputs = self._decode.layers if self._decode else ()
        if shows and settings.style == "saliency":
            self._compute = _Saliency(model, settings, outputs)
            self.layers = self._compute.layers
            return
        self.layers = tuple(node.name for node in select(model, wanted)) if shows else ()
        if shows and settings.overlay is not None and settings.style == "overlay":
            self.layers = tuple(node.name for node in select(model, settings.overlay))[-1:]
        self._compute = Extractor(model, [*self.layers, *outputs], threads=settings.threads, device=settings.device)

    def __call__(self, frame: Pixels, *others: object) -> Seen:
        """Computes one frame; `others` are numbers from other parts for inputs that take them, in the model's order.

        Raises:
            InputError: the frame is no picture, or numbers are missing.
        """
        start = time.perf_counter()
        picture = fit(frame, (None, None, None)).frame  # whatever it is, it is a picture from here on
        if self._transform is not None:
            picture = self._transform(picture)
        inputs = self._feed(picture, *others)
        maps = self._compute(inputs)
        command = None
        if self._decode is not None:
            command = _command(self._decode, maps)
            if command.is_finite:
                self._feed.remember(command)
        mask = self._compute.mask if isinstance(self._compute, _Saliency) else None
        return Seen(self._feed.latest, maps, command, time.perf_counter() - start, mask)


class _Saliency:
    """The maps of a chain of convolutions, and the mask that VisualBackProp makes of them in the same call."""

    def __init__(self, model: Model, settings: Settings, outputs: Sequence[str]) -> None:
        self._see = VisualBackProp(
            model, settings.overlay, threads=settings.threads, device=settings.device, outputs=outputs
        )
        self.layers = self._see.convolutions
        self.mask = np.zeros((0, 0), np.float32)

    def __call__(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> FeatureMaps:
        self.mask = self._see(inputs)
        return self._see.maps


def _command(decode: Decoder, maps: FeatureMaps) -> Command:
    """What the outputs stand for: NaN where a value of theirs is not finite, which the likeliest of places hides."""
    if not all(np.isfinite(maps[name]).all() for name in decode.layers):
        return Command(math.nan, math.nan)
    return decode(maps)


def _decoder_for(settings: Settings, model: Model, steers: bool) -> Decoder | None:
    """What makes commands of the model's outputs; None where it is no pilot and need not be one."""
    try:
        return decoder(model, settings.throttle_range or THROTTLE_RANGE)
    except UnsupportedError:
        if steers:
            raise
        return None
