"""fastact, as its users call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from fastact import __version__
from fastact.bench.peers.network import Array, Floats
from fastact.extractor import Extractor
from fastact.graph import Model
from fastact.maps import FeatureMaps


class Engine:
    """An Extractor of the wanted layers; it takes bytes as they are."""

    def __init__(self, model: Model, wanted: Sequence[str], frame: Array, threads: int) -> None:
        self.version = __version__
        self._extract, self._frame = Extractor(model, wanted, threads=threads), frame

    def run(self) -> FeatureMaps:
        """NumPy in, NumPy out."""
        return self._extract(self._frame)

    def maps(self, result: object) -> Sequence[Floats]:
        """The maps as they are."""
        return list(cast("FeatureMaps", result).values())
