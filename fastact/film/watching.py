"""From a record to what a film shows of it, and the scales of colours that hold for the whole film."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError, UnsupportedError
from fastact.extractor import Extractor
from fastact.frames import prefetch
from fastact.graph import Model
from fastact.lap import Lap, Shot, command
from fastact.pilots import Command, Decoder, decoder
from fastact.saliency import VisualBackProp
from fastact.selection import Layers, select
from fastact.views.live import Range, is_map, span

Floats = npt.NDArray[np.floating[Any]]

SAMPLE = 48
"""Frames, spread over the film, whose values decide its scales."""


@dataclass(frozen=True)
class Seen:
    """What a frame of a film is drawn from.

    Attributes:
        shot: the record.
        maps: by layer; empty for a style that shows none.
        strength: what is laid over the picture, floats (h, w); None for a style that does not.
        driver, pilot: what the driver steered, and what the network would; None for no command.
    """

    shot: Shot
    maps: Mapping[str, npt.NDArray[np.float32]]
    strength: Floats | None
    driver: Command | None
    pilot: Command | None

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        over = 0 if self.strength is None else self.strength.nbytes
        return self.shot.picture.nbytes + over + sum(maps.nbytes for maps in self.maps.values())


@dataclass(frozen=True)
class Scales:
    """The values at the two ends of the colours, the same for all frames: of each layer, and of what is laid over."""

    layers: Mapping[str, Range]
    strength: Range


class Film:
    """What a film shows of a model: chosen layers, or one over the picture, or VisualBackProp's mask.

    Args:
        model: the network.
        style: "mosaic", "overlay" or "saliency".
        layers: those to show, every convolution without it. An overlay takes the last of them, and saliency's chain of
            convolutions ends with it.
        threads: how many compute a frame together.
        device: "cpu", "cuda" or "auto", as for `Extractor`.

    Raises:
        InputError: an unknown style, or a saliency of something that is no convolution.
        UnsupportedError: no layer has maps to draw; saliency for a model that is no chain of convolutions.
        LayerNotFoundError: `layers` matches nothing.

    Attributes:
        names: the layers that are shown.
        subject: what is laid over the picture, in words; "" for a mosaic.
    """

    def __init__(
        self,
        model: Model,
        *,
        style: str = "mosaic",
        layers: Layers = None,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self.model, self.style = model, style
        self._decode = _decoder(model)
        outputs = self._decode.layers if self._decode else ()
        if style == "saliency":
            last = None if layers is None else select(model, layers)[-1].name
            self._see = VisualBackProp(model, last, threads=threads, outputs=outputs, device=device)
            self.names = self._see.convolutions
            self.subject = f"square root of VisualBackProp up to {self.names[-1]}"
            return
        if style not in ("mosaic", "overlay"):
            raise InputError(f"unknown style {style!r}: choose mosaic, overlay or saliency")
        nodes = [n for n in select(model, layers) if n.shape is not None and is_map(model.picture_shape(n.shape))]
        if not nodes:
            raise UnsupportedError(
                "a film needs a layer with maps, which have a height, a width and channels: choose a convolution"
            )
        self.names = tuple(n.name for n in (nodes[-1:] if style == "overlay" else nodes))
        self.subject = f"{self.names[-1]}, mean of its filters" if style == "overlay" else ""
        self._extract = Extractor(model, [*self.names, *outputs], threads=threads, device=device)

    @property
    def steers(self) -> bool:
        """Whether the model is a pilot."""
        return self._decode is not None

    def watch(self, shots: Iterable[Shot]) -> Iterator[Seen]:
        """What is seen of each shot, in memory of its own."""
        strength: Floats | None
        for shot in shots:
            if self.style == "saliency":
                strength = _root(self._see.strength_of(shot.frame))
                maps, shown = self._see.maps, {}
            else:
                maps = self._extract(shot.frame)
                shown = {name: _pictures(self.model, maps[name]) for name in self.names}
                strength = None if self.style == "mosaic" else shown[self.names[0]].mean(axis=-1)
            pilot = self._decode(maps) if self._decode else None
            yield Seen(shot, shown, strength, command(shot.record), pilot)

    def scales(self, lap: Lap, count: int) -> Scales:
        """The scales for a film of `count` frames, judged by at most `SAMPLE` of them."""
        layers: dict[str, list[Range]] = {name: [] for name in self.names}
        strengths: list[Range] = []
        for seen in self.watch(prefetch(lap.every(-(-count // SAMPLE)))):
            for name, maps in seen.maps.items():
                layers[name].append(span(maps))
            if seen.strength is not None:
                strengths.append(_extremes(seen.strength))
        return Scales({name: _widest(found) for name, found in layers.items()}, _usual(strengths))


def _decoder(model: Model) -> Decoder | None:
    """What makes commands of the model's outputs; None for a model that is no pilot."""
    try:
        return decoder(model)
    except UnsupportedError:
        return None


def _pictures(model: Model, maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A layer's maps (H, W, C); of those with time steps the last."""
    maps = model.as_pictures_have(maps)
    latest: npt.NDArray[np.float32] = maps.reshape(-1, *maps.shape[-3:])[-1]
    return latest


def _root(strength: Floats) -> Floats:
    """The square roots of products of layers, which span so many powers of ten that one would see only their peaks."""
    return np.copysign(np.sqrt(np.abs(strength)), strength)


def _extremes(values: Floats) -> Range:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)


def _widest(ranges: Sequence[Range]) -> Range:
    """From the lowest to the highest of all frames; (0, 0) for nothing finite."""
    known = [r for r in ranges if np.isfinite(r).all()]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else (0.0, 0.0)


def _usual(ranges: Sequence[Range]) -> Range:
    """The median of the frames' least values, and of their largest: half of the frames reach the end of the scale."""
    known = [r for r in ranges if np.isfinite(r).all()]
    if not known:
        return 0.0, 0.0
    low, high = np.median(known, axis=0)
    return float(low), float(high)
