"""What a car's pilot gets of a picture: the size of the camera's pictures, and the car's transformations."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from fastact.donkey.config import ConfigFile, read_config
from fastact.donkey.transformations import Pixels, Transformations
from fastact.errors import InputError
from fastact.frames import Picture, fit, read_picture
from fastact.layers import Shape, show

_SIDES = ("IMAGE_H", "IMAGE_W", "IMAGE_DEPTH")
_LARGEST = 65536


@dataclass(frozen=True)
class Camera:
    """A car's camera, by its configuration.

    Attributes:
        source: the configuration's files, in words.
        shape: rows, columns and channels of its pictures; None for what the configuration does not say.
        transformations: what is done to them before the pilot gets them.
    """

    source: str
    shape: tuple[int | None, int | None, int | None]
    transformations: Transformations

    def __call__(self, picture: Pixels, shape: Shape) -> Picture:
        """What the pilot gets of a picture, uint8 (H, W, 3 or 1), of any size, for an input of `shape`, (rows,
        columns, channels), None for any length.

        Raises:
            InputError: it is not what the model takes.
        """
        return self._transformed(fit(picture, self._size(shape)), shape)

    def read(self, path: str | os.PathLike[str], shape: Shape) -> Picture:
        """The same of a picture file.

        Raises:
            InputError: as from a call and from `read_picture`.
        """
        return self._transformed(read_picture(path, self._size(shape)), shape)

    def _size(self, shape: Shape) -> Shape:
        """The shape of the camera's pictures: the model's where the configuration does not say it."""
        return tuple(own or wanted for own, wanted in zip(self.shape, shape, strict=True))

    def _transformed(self, taken: Picture, shape: Shape) -> Picture:
        """A picture of the camera as the pilot gets it."""
        frame = self.transformations(taken.frame)
        if any(wanted not in (None, found) for wanted, found in zip(shape, frame.shape, strict=True)):
            raise InputError(
                f"the model takes {show(shape)}, and by {self.source} its pictures are {show(frame.shape)}: that is "
                "not the configuration the pilot was trained with"
            )
        said = f"transformed as {self.source} says: {', '.join(self.transformations.names)}"
        return replace(taken, frame=frame, notes=(*taken.notes, said) if self.transformations.names else taken.notes)


def car_camera(path: str | os.PathLike[str]) -> Camera:
    """The camera of the car with the configuration file at `path`, `config.py` or `myconfig.py`.

    Raises:
        FileError: it cannot be read, or is no Python.
        InputError: a setting that is needed is no plain value, or none that it can have.
        UnsupportedError: a transformation that fastact does not know.
    """
    config = read_config(path)
    rows, columns, channels = (_length(config, name) for name in _SIDES)
    if channels not in (None, 1, 3):
        raise InputError(f"IMAGE_DEPTH in {config.source} is {channels}, and has to be 1 or 3")
    return Camera(config.source, (rows, columns, channels), Transformations(config))


def _length(config: ConfigFile, name: str) -> int | None:
    value = config.get(name)
    if value is not None and (type(value) is not int or not 0 < value <= _LARGEST):
        raise InputError(
            f"{name} in {config.source} is {value!r}, and has to be a number of pixels from 1 to {_LARGEST}"
        )
    return value
