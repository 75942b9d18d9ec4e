"""fastact, as its users call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import fastact
from benchmarks.network import Array, Floats


class Engine:
    """An Extractor of the wanted layers; it takes bytes as they are."""

    def __init__(self, model: fastact.Model, wanted: Sequence[str], frame: Array, threads: int) -> None:
        self.version = fastact.__version__
        self._extract, self._frame = fastact.Extractor(model, wanted, threads=threads), frame

    def run(self) -> fastact.FeatureMaps:
        """NumPy in, NumPy out."""
        return self._extract(self._frame)

    def maps(self, result: object) -> Sequence[Floats]:
        """The maps as they are."""
        return list(cast("fastact.FeatureMaps", result).values())
