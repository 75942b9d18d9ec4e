"""fastact, as its users call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import fastact
from benchmarks.chain import Floats


class Engine:
    """An Extractor of every convolution."""

    def __init__(self, model: fastact.Model, frame: Floats) -> None:
        self.version = fastact.__version__
        self._extract, self._frame = fastact.Extractor(model), frame

    def run(self) -> fastact.FeatureMaps:
        """NumPy in, NumPy out."""
        return self._extract(self._frame)

    def maps(self, result: object) -> Sequence[Floats]:
        """The maps as they are."""
        return list(cast("fastact.FeatureMaps", result).values())
