"""fastact in a Donkey Car: parts for its loop, and its configuration.

| name | what it is |
| --- | --- |
| `FeatureMapPart` | camera picture in; a picture of what the network sees out, and if wanted steering and throttle |
| `Pilot` | camera picture in; steering and throttle out, without TensorFlow |
| `CvController` | both, with the constructor that donkeycar's cv_control template calls |

donkeycar is not imported: a part is an object with `run`, `run_threaded`, `update` and `shutdown`, and its
configuration an object with attributes. docs/donkey.md says how to put them into a car.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastact.donkey.part import CvController, FeatureMapPart, Pilot

__all__ = ["CvController", "FeatureMapPart", "Pilot"]


def __getattr__(name: str) -> object:
    """Loads the parts when they are asked for: the command line needs the configuration alone."""
    if name not in __all__:
        raise AttributeError(f"module 'fastact.donkey' has no attribute {name!r}")
    from fastact.donkey import part

    return getattr(part, name)
