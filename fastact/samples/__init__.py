"""A trained pilot and two frames of one scene, to try fastact on.

They are made by ``python -m fastact.samples.train``; the README beside them says how well the pilot drives.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal, get_args

__all__ = ["FrameSize", "frame", "pilot"]

FrameSize = Literal["160x120", "640x360"]


def pilot() -> Path:
    """The sample pilot: a legacy Keras .h5 file, input ``img_in`` of (120, 160, 3) in 0..1."""
    return _shipped("pilot_160x120.h5")


def frame(size: FrameSize) -> Path:
    """A sample frame, an RGB JPEG of ``size`` (width x height); both sizes show the same scene.

    Raises:
        ValueError: there is no frame of that size.
    """
    if size not in get_args(FrameSize):
        raise ValueError(f"no sample frame of {size}: there are {' and '.join(get_args(FrameSize))}")
    return _shipped(f"track_{size}.jpg")


def _shipped(name: str) -> Path:
    # The package is installed as plain files, so that its resources are paths.
    return Path(str(resources.files(__name__) / name))
