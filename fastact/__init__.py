"""See what a convolutional network sees.

    import fastact

    model = fastact.load("pilot.h5")                # inputs, layers, outputs, shapes, costs; nothing computed
    extract = fastact.Extractor(model)              # every convolution
    maps = extract(frame)                           # uint8 (H, W, 3)
    maps["conv2d_1"]                                # float32 (58, 78, 24)

Keras models are read from their files; neither Keras nor TensorFlow is needed. Errors are listed in
:mod:`fastact.errors`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fastact.errors import FastactError

if TYPE_CHECKING:
    from fastact.extractor import Extractor
    from fastact.graph import Model, load
    from fastact.maps import FeatureMaps

__all__ = ["Extractor", "FastactError", "FeatureMaps", "Model", "__version__", "load"]

__version__ = "0.1.0"

_HOMES = {
    "Extractor": "fastact.extractor",
    "FeatureMaps": "fastact.maps",
    "Model": "fastact.graph",
    "load": "fastact.graph",
}


def __getattr__(name: str) -> object:
    """Loads what is asked for, and NumPy with it, when it is asked for: `fastact --help` needs neither."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fastact' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
